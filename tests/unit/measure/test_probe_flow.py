"""Flows for a match, and which rule they meet."""

from __future__ import annotations

from netweather.conditions import Connection, Match, PortRange, TcpFlags
from netweather.kernel.datapath.spec import Action, FlatRule
from netweather.kernel.traffic.probe_packets import RST, Flow
from netweather.measure.probe_flow import candidates, icmp_of, rule_met, untouched

HERE, THERE = "192.0.2.1", "192.0.2.2"
ALL = frozenset({(0, 0), (0, 1)})


def flows(match: Match, local: str = HERE, remote: str = THERE) -> list[Flow]:
    return list(candidates(match, local, remote))


def test_without_ports_any_port_will_do() -> None:
    assert flows(Match()) == [Flow(17, HERE, THERE)]
    assert flows(Match(protocol="icmp"), "2001:db8::1", "2001:db8::2") == [Flow(58, "2001:db8::1", "2001:db8::2")]
    assert flows(Match(protocol=47)) == [Flow(47, HERE, THERE)]
    assert icmp_of(THERE) == 1


def test_a_port_may_be_either_ends() -> None:
    found = flows(Match(protocol="tcp", ports=(PortRange(5432, 5433),)))
    assert [(flow.protocol, flow.local_port, flow.remote_port) for flow in found] == [
        (6, 0, 5432), (6, 5432, 0), (6, 0, 5433), (6, 5433, 0),
    ]  # fmt: skip


def test_one_connection_has_its_own_ends() -> None:
    match = Match(connection=Connection(THERE, 80, HERE, 40000))
    assert flows(match) == [Flow(6, HERE, THERE, 40000, 80)]
    assert flows(match, "192.0.2.9") == []


def test_flags_are_those_of_a_packet_that_nobody_answers() -> None:
    assert flows(Match(tcp_flags=TcpFlags.parse("syn+!ack")))[0].tcp_flags == RST | 2
    assert flows(Match(tcp_flags=TcpFlags.parse("!rst"))) == []


def test_the_rule_that_is_met() -> None:
    other = FlatRule(Action.DROP, 0, 0, ALL, ports=((53, 53),))
    ours = FlatRule(Action.LINE, 0, 1, frozenset({(0, 0)}))
    flow = Flow(17, HERE, THERE, 40000, 9000)
    assert rule_met((other, ours), (0,), flow, "egress") is ours
    assert rule_met((other, ours), (0,), flow, "ingress") is None
    assert rule_met((other, ours), (0,), Flow(17, HERE, THERE, 40000, 53), "egress") is other
    assert not untouched((other, ours), (0,), flow)
    assert untouched((other,), (0,), flow)
    assert untouched((FlatRule(Action.PASS, 0, 0, ALL),), (0,), flow)
