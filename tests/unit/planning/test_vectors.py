from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netweather.errors import UsageError
from netweather.kernel.datapath.spec import Action, ExactConnection, FlatRule, Interface, Tables
from netweather.planning.vectors import ANY4, ANY6, Packet, compile_tables, first_match, normal_prefix, wide

INTERFACES = (Interface("eth0", 2, 0), Interface("eth1", 3, 1))
ADDRESSES = ["192.0.2.1", "192.0.2.2", "192.0.2.130", "198.51.100.7", "2001:db8::1", "2001:db8::2", "2001:db8:1::1"]
PREFIXES = ["192.0.2.0/24", "192.0.2.2/32", "192.0.2.128/25", "0.0.0.0/0", "2001:db8::/32", "2001:db8::2/128", "::/0"]
PORTS = [0, 1, 22, 80, 443, 6000, 6005, 6010, 40000, 65535]
PLACES = [(0, 0), (0, 1), (1, 0), (1, 1)]


def look_up(tables: Tables, packet: Packet) -> int | None:
    """What the classifier does with the tables, in Python: look up one vector a dimension, AND, first bit."""
    here = tables.vectors[tables.places[packet.slot, packet.direction]]
    found = here
    remote = ip_address(packet.remote)
    if tables.peers:
        longest = max((p for p in tables.peers if p.version == remote.version and remote in p), key=lambda p: p.prefixlen)
        found &= tables.vectors[tables.peers[longest]]
    if tables.protocols is not None:
        found &= tables.vectors[tables.protocols[packet.protocol]]
    if tables.ports is not None:
        if packet.protocol in (6, 17):
            ids = tables.ports[packet.local_port], tables.ports[packet.remote_port]
            found &= tables.vectors[ids[0]] | tables.vectors[ids[1]]
        else:
            found &= tables.vectors[tables.without_ports]
    exact = ExactConnection(packet.protocol, (wide(packet.local), packet.local_port), (wide(packet.remote), packet.remote_port))
    if exact in tables.connections:
        found |= here & 1 << tables.connections[exact]
    start = 0
    for i, rule in enumerate(tables.rules):
        if i >= start and found >> i & 1:
            if rule.action is not Action.SKIP:
                return i
            start = rule.skip_to
    return None


@st.composite
def flat_rules(draw: st.DrawFn) -> FlatRule:
    peers = draw(st.none() | st.lists(st.sampled_from(PREFIXES), min_size=1, max_size=3))
    ports = draw(st.none() | st.lists(st.sampled_from([(22, 22), (80, 443), (6000, 6010), (6005, 7000), (0, 65535)]), min_size=1))
    return FlatRule(
        action=draw(st.sampled_from([Action.DROP, Action.LINE])),
        lease=0,
        counter=0,
        places=draw(st.frozensets(st.sampled_from(PLACES), min_size=1)),
        peers=tuple(ip_network(p) for p in peers) if peers else None,
        ports=tuple(ports) if ports else None,
        protocols=draw(st.none() | st.frozensets(st.sampled_from([1, 6, 17, 58]), min_size=1)),
        family=draw(st.sampled_from([None, None, 4, 6])),
    )


@st.composite
def rule_lists(draw: st.DrawFn) -> tuple[FlatRule, ...]:
    rules = draw(st.lists(flat_rules(), min_size=1, max_size=12))
    if draw(st.booleans()):
        exact = ExactConnection(6, (wide("192.0.2.1"), 40000), (wide("192.0.2.2"), 80))
        at = draw(st.integers(0, len(rules)))
        rules.insert(at, FlatRule(Action.DROP, 0, 0, frozenset(PLACES), connections=(exact,)))
    if draw(st.booleans()):
        at = draw(st.integers(0, len(rules) - 1))
        to = draw(st.integers(at + 1, len(rules)))
        rules.insert(at, FlatRule(Action.SKIP, 0, 0, frozenset(PLACES), ports=((22, 22),), skip_to=to + 1))
    return tuple(rules)


@st.composite
def packets(draw: st.DrawFn) -> Packet:
    local = draw(st.sampled_from(ADDRESSES))
    remote = draw(st.sampled_from([a for a in ADDRESSES if (":" in a) == (":" in local)]))
    protocol = draw(st.sampled_from([1, 6, 6, 6, 17, 58]))
    ports = (draw(st.sampled_from(PORTS)), draw(st.sampled_from(PORTS))) if protocol in (6, 17) else (0, 0)
    return Packet(draw(st.sampled_from([0, 1])), draw(st.sampled_from([0, 1])), local, remote, protocol, *ports)


@given(rule_lists(), st.lists(packets(), min_size=1, max_size=10))
def test_tables_give_the_first_matching_rule(rules: tuple[FlatRule, ...], tried: list[Packet]) -> None:
    tables = compile_tables(rules, INTERFACES)
    for packet in tried:
        assert look_up(tables, packet) == first_match(rules, packet)


def test_a_wider_prefix_shows_through_a_narrower_one() -> None:
    rules = (
        FlatRule(Action.DROP, 0, 0, frozenset(PLACES), peers=(ip_network("192.0.2.2/32"),), ports=((80, 80),)),
        FlatRule(Action.DROP, 0, 1, frozenset(PLACES), peers=(ip_network("192.0.2.0/24"),)),
    )
    packet = Packet(0, 0, "192.0.2.1", "192.0.2.2", 17, 5000, 53)
    assert look_up(compile_tables(rules, INTERFACES), packet) == 1


def test_equal_vectors_are_kept_once() -> None:
    rules = tuple(FlatRule(Action.DROP, 0, i, frozenset(PLACES), ports=((1, 65535),)) for i in range(3))
    assert len(compile_tables(rules, INTERFACES).vectors) <= 3


def test_the_thousandth_rule_fits_and_one_too_many_does_not() -> None:
    rule = FlatRule(Action.DROP, 0, 0, frozenset(PLACES))
    assert compile_tables((rule,) * 1024, INTERFACES).room.rules == 1024
    with pytest.raises(UsageError, match="too-many-rules"):
        compile_tables((rule,) * 1025, INTERFACES)


def test_mapped_prefixes_are_those_of_ipv4() -> None:
    assert normal_prefix("::ffff:192.0.2.0/120") == ip_network("192.0.2.0/24")
    assert normal_prefix("::/0") == ANY6
    assert normal_prefix("0.0.0.0/0") == ANY4


@given(rule_lists())
def test_frames_without_a_packet_meet_rules_that_ask_for_none(rules: tuple[FlatRule, ...]) -> None:
    tables = compile_tables(rules, INTERFACES)
    meant = tables.vectors[tables.others]
    for i, rule in enumerate(rules):
        asks = (rule.peers, rule.ports, rule.protocols, rule.family, rule.connections, rule.share, rule.tcp_flags)
        assert bool(meant >> i & 1) == all(asked is None for asked in asks)
