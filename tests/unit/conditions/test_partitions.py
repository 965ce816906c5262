"""Who must drop whom."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netweather.conditions import FOREVER, Condition, Match, NetworkCondition, PortRange, Rule, validate
from netweather.conditions.partitions import partition
from netweather.errors import UsageError

TEMPLATE = NetworkCondition(name="split", lease=FOREVER, owner="me")
Cuts = dict[str, dict[str, tuple[str, ...]]]


def cuts(*groups: tuple[str, ...], one_way: bool = False, template: NetworkCondition = TEMPLATE) -> Cuts:
    """target -> direction -> peers. Words in small letters are targets, others addresses."""
    made = partition(groups, template, str.islower, one_way=one_way)
    for each in made:
        validate(each)
        assert (each.name, each.owner, each.lease) == ("split", "me", FOREVER)
    return {target: {rule.match.direction: rule.match.to for rule in each.rules} for each in made for target in each.targets}


def test_two_groups() -> None:
    (condition,) = partition((("a", "b"), ("c", "d")), TEMPLATE, str.islower)
    assert (condition.targets, condition.rules) == (
        ("a", "b"),
        (Rule(Match(to=("c", "d")), Condition(block="drop")),),
    )


def test_one_way() -> None:
    assert cuts(("a", "b"), ("c",), one_way=True) == {"a": {"egress": ("c",)}, "b": {"egress": ("c",)}}


def test_three_groups() -> None:
    assert cuts(("a",), ("b",), ("c",)) == {"a": {"both": ("b", "c")}, "b": {"both": ("c",)}}


def test_a_bridge_reaches_everybody() -> None:
    assert cuts(("a", "bridge"), ("bridge", "c")) == {"a": {"both": ("c",)}}


def test_a_ring_where_each_sees_its_neighbours() -> None:
    pairs = (("a", "b"), ("b", "c"), ("c", "d"), ("d", "a"))
    assert {frozenset((one, other)) for one, ways in cuts(*pairs).items() for other in ways["both"]} == {
        frozenset("ac"), frozenset("bd"),
    }  # fmt: skip


def test_an_address_can_be_a_side() -> None:
    assert cuts(("192.0.2.9",), ("a",)) == {"a": {"both": ("192.0.2.9",)}}
    assert cuts(("192.0.2.9",), ("a",), ("b",), one_way=True) == {
        "a": {"ingress": ("192.0.2.9",), "egress": ("b",)},
        "b": {"ingress": ("192.0.2.9",)},
    }


def test_the_template_says_which_packets_and_what_becomes_of_them() -> None:
    template = NetworkCondition("split", lease=FOREVER, owner="me",
                                rules=(Rule(Match(ports=(PortRange(80, 80),)), Condition(block="reject"), 5),))  # fmt: skip
    (condition,) = partition((("a",), ("b",)), template, str.islower)
    assert condition.rules == (Rule(Match(to=("b",), ports=(PortRange(80, 80),)), Condition(block="reject"), 5),)


@pytest.mark.parametrize(
    ("groups", "code"),
    [
        ((("a",),), "bad-partition"),
        ((("a",), ()), "bad-partition"),
        ((("a", "a"), ("b",)), "repeated-member"),
        ((("a", "b"), ("a", "b")), "bad-partition"),
        ((("1",), ("2",)), "bad-partition"),
        ((("a",), ("b", "host")), "bad-partition"),
    ],
)
def test_what_is_no_partition(groups: tuple[tuple[str, ...], ...], code: str) -> None:
    with pytest.raises(UsageError) as wrong:
        partition(groups, TEMPLATE, str.islower)
    assert wrong.value.code == code


@given(st.lists(st.lists(st.sampled_from("abcdef"), min_size=1, unique=True), min_size=2, max_size=4), st.booleans())
def test_exactly_the_pairs_without_a_common_group_are_cut_once(groups: list[list[str]], one_way: bool) -> None:
    try:
        found = cuts(*map(tuple, groups), one_way=one_way)
    except UsageError:
        found = {}
    cut = [frozenset((one, other)) for one, ways in found.items() for peers in ways.values() for other in peers]
    members = sorted({word for group in groups for word in group})
    apart = [frozenset(pair) for pair in combinations(members, 2) if not any({*pair} <= {*group} for group in groups)]
    assert sorted(map(sorted, cut)) == sorted(map(sorted, apart))
