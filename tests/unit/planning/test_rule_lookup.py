"""Which rule a connection meets: the same as trying one rule after the other."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from netweather.kernel.datapath.spec import Action, FlatRule
from netweather.planning.rule_lookup import Matcher, flow_hash, share_hash
from netweather.planning.vectors import Packet, first_match
from tests.unit.planning.test_vectors import INTERFACES, flat_rules, packets, rule_lists

EVERYWHERE = frozenset({(0, 0), (0, 1), (1, 0), (1, 1)})
PACKET = Packet(0, 0, "192.0.2.1", "198.51.100.7", 6, 40000, 80)


def flat(**fields: object) -> FlatRule:
    return replace(FlatRule(Action.DROP, 0, 0, EVERYWHERE), **fields)  # type: ignore[arg-type]  # a test's own words


@given(rule_lists(), st.lists(packets(), min_size=1, max_size=8))
def test_it_is_the_first_that_matches(rules: tuple[FlatRule, ...], some: list[Packet]) -> None:
    matcher = Matcher(rules, INTERFACES)
    for packet in [*some, *some]:  # the second time from memory
        assert matcher.met(packet) == first_match(rules, packet)


@given(st.lists(flat_rules(), min_size=1, max_size=4), packets())
def test_what_refuses_lets_the_next_one_have_it(rules: list[FlatRule], packet: Packet) -> None:
    some = tuple(replace(each, vlan=7) for each in rules)
    assert Matcher((*some, flat()), INTERFACES).met(packet) == len(rules)


def test_an_ordinary_packet_has_ack_and_no_vlan() -> None:
    rules = (flat(tcp_flags=(2, 2)), flat(vlan=7), flat(tcp_flags=(16, 16)), flat())
    assert Matcher(rules, INTERFACES).met(PACKET) == 2
    assert Matcher(rules, INTERFACES).met(PACKET._replace(protocol=17)) == 3
    assert Matcher((flat(vlan=0),), INTERFACES).met(PACKET) == 0


def test_a_share_is_the_same_from_both_ends() -> None:
    back = Packet(0, 1, "198.51.100.7", "192.0.2.1", 6, 80, 40000)
    assert flow_hash(PACKET) == flow_hash(back)
    met = sum(share_hash(flow_hash(PACKET._replace(local_port=port)), 7) < 2**32 // 4 for port in range(4000))
    assert 900 < met < 1100


def test_a_share_decides_for_each_connection() -> None:
    matcher = Matcher((flat(share=2**31), flat()), INTERFACES)
    found = {matcher.met(PACKET._replace(local_port=port)) for port in range(64)}
    assert found == {0, 1}
