"""What the journal is told: of the target, of a condition that is added, of interfaces."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from netweather.conditions import FOREVER, Match, NetworkCondition, Rule
from netweather.engine import entries
from netweather.errors import NetweatherError
from netweather.journal import Entry
from netweather.kernel import namespaces
from netweather.kernel.datapath.spec import MAX_INTERFACES, NEVER, LeftOut, LineId, Observed, RuleId
from netweather.planning.rules import Allocation, InForce, PlainRule
from netweather.results import TargetRef
from netweather.targets import Target
from netweather.units import Duration

WHOSE = TargetRef("netns:shop", "shop", 4, 4026531833, None, None, "netns")
ANY = NetworkCondition(rules=(Rule(),), owner="me")
TWO = Observed(interfaces=(("eth0", 2), ("eth1", 3)))


def added(before: Entry, condition: NetworkCondition, observed: Observed = TWO) -> Entry:
    return entries.added(before, condition, (), {}, observed)


def test_what_is_known_of_a_lost_journal_finds_the_same_namespace() -> None:
    assert entries.unknown(WHOSE.identity).identity == WHOSE.identity


def test_a_condition_is_added_with_its_deadline() -> None:
    now = namespaces.boot_ns()
    (active,) = added(Entry(WHOSE), replace(ANY, lease=Duration(10**9))).conditions
    assert now + 10**9 <= active.deadline < now + 10**10
    assert added(Entry(WHOSE), replace(ANY, lease=FOREVER)).conditions[0].deadline == NEVER


def test_the_same_name_keeps_its_place_and_what_is_over_goes() -> None:
    old = InForce(ANY, {}, NEVER, created=5, rules=())
    over = InForce(replace(ANY, name="over", owner="you"), {}, 1, created=1, rules=())
    other = InForce(replace(ANY, name="other", owner="you"), {}, NEVER, created=2, rules=())
    after = added(Entry(WHOSE, [old, over, other]), replace(ANY, reason="again"))
    assert [(c.condition.name, c.created) for c in after.conditions] == [("other", 2), ("default", 5)]
    assert entries.rules_of(after, "default") == ANY.rules
    assert entries.rules_of(after, "over") is None


def test_another_owners_is_refused_until_it_is_over() -> None:
    theirs = InForce(replace(ANY, owner="you"), {}, NEVER, created=5, rules=())
    with pytest.raises(NetweatherError, match="other-owner"):
        added(Entry(WHOSE, [theirs]), ANY)
    assert added(Entry(WHOSE, [replace(theirs, deadline=1)]), ANY).conditions[0].condition.owner == "me"


def test_interfaces_keep_their_slots() -> None:
    before = Entry(WHOSE, slots=Allocation(interfaces={"eth1": 0}))
    assert [(i.name, i.slot) for i in added(before, ANY).interfaces] == [("eth0", 1), ("eth1", 0)]
    only = replace(ANY, rules=(Rule(Match(interfaces=("eth1",))),))
    assert [i.name for i in added(before, only).interfaces] == ["eth1"]


def test_none_and_too_many_interfaces_are_told() -> None:
    with pytest.raises(NetweatherError, match="no-interfaces"):
        added(Entry(WHOSE), ANY, Observed())
    with pytest.raises(NetweatherError, match="too-many-interfaces"):
        added(Entry(WHOSE), ANY, Observed(interfaces=tuple((f"eth{n}", n + 2) for n in range(MAX_INTERFACES + 1))))
    with pytest.raises(NetweatherError, match="no-interface") as caught:
        added(Entry(WHOSE), replace(ANY, rules=(Rule(Match(interfaces=("eth9",))),)))
    assert "eth0" in caught.value.why


def test_what_is_left_out_is_meant_only_by_its_name_and_only_if_it_fits() -> None:
    observed = replace(TWO, left_out=(LeftOut("wg0", 9, "a tunnel"), LeftOut("gre0", 10, "no frames", fit=False)))
    assert [i.name for i in added(Entry(WHOSE), ANY, observed).interfaces] == ["eth0", "eth1"]
    tunnel, unfit = (replace(ANY, rules=(Rule(Match(interfaces=(name,))),)) for name in ("wg0", "gre0"))
    assert [(i.name, i.ifindex, i.upper) for i in added(Entry(WHOSE), tunnel, observed).interfaces] == [("wg0", 9, True)]
    with pytest.raises(NetweatherError) as wrong:
        added(Entry(WHOSE), unfit, observed)
    assert wrong.value.code == "no-interface"


@pytest.mark.parametrize("count", [1, 9, MAX_INTERFACES])
def test_a_condition_moves_to_other_interfaces(count: int) -> None:
    """Slots of interfaces that are not meant any more are free."""
    every = Observed(interfaces=tuple((f"eth{n}", n + 2) for n in range(2 * count)))
    names = [name for name, _ in every.interfaces]
    first, second = (replace(ANY, rules=(Rule(Match(interfaces=tuple(half))),)) for half in (names[:count], names[count:]))
    before = added(Entry(WHOSE), first, every)
    before.slots = Allocation(interfaces={i.name: i.slot for i in before.interfaces})
    after = added(before, second, every)
    assert [i.name for i in after.interfaces] == names[count:]
    assert len({i.slot for i in after.interfaces}) == count


def test_an_interface_that_leaves_is_noted_until_it_is_back() -> None:
    entry = added(Entry(WHOSE), ANY)
    entry.interfaces = entries.interfaces(entry, Observed(interfaces=(("eth0", 2),)))
    assert ([i.name for i in entry.interfaces], entry.departed) == (["eth0"], ("eth1",))
    entry.interfaces = entries.interfaces(entry, TWO)
    assert entry.departed == ()


def test_a_rename_is_followed_by_slots_lines_and_rules() -> None:
    rule, line = Rule(Match(interfaces=("eth1",))), LineId(RuleId("default", 0), "egress", "eth1", "netem")
    entry = added(Entry(WHOSE), replace(ANY, rules=(rule,)))
    entry.conditions = [replace(entry.conditions[0], rules=(PlainRule(rule, 0),))]
    entry.slots = Allocation(lines={line: 5}, interfaces={"eth1": 3})
    renamed = (("eth0", 2), ("lan0", 3))
    entry.interfaces = entries.interfaces(entry, Observed(interfaces=renamed, attached=frozenset({"lan0"})))
    assert [(i.name, i.slot) for i in entry.interfaces] == [("lan0", 3)]
    assert entry.slots.lines == {line._replace(interface="lan0"): 5}
    (active,) = entry.conditions
    assert active.condition.rules[0].match.interfaces == active.rules[0].rule.match.interfaces == ("lan0",)
    assert entry.departed == ()


def test_peers_are_resolved_by_their_words() -> None:
    match = Match(to=("192.0.2.7", "::ffff:198.51.100.0/120"))
    with Target("netns:x", "x", os.open("/dev/null", os.O_RDONLY), 1, 1, None, None, "netns") as target:
        found = entries.resolved(replace(ANY, rules=(Rule(match),), exclude=(Match(to=("192.0.2.9",)),)), target)
    assert {word: str(prefix) for word, (prefix,) in found.items()} == {
        "192.0.2.7": "192.0.2.7/32",
        "192.0.2.9": "192.0.2.9/32",
        "::ffff:198.51.100.0/120": "198.51.100.0/24",
    }
