"""Which flow a probe takes: one that meets the very rule it is to measure, and one beside it for a baseline. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from netweather.conditions import Match
from netweather.kernel.datapath.spec import DIRECTIONS, Action, Datapath, FlatRule, RuleId
from netweather.kernel.traffic.probe_packets import ICMP, ICMP6, RST, TCP, UDP, Flow
from netweather.planning.vectors import Packet, first_match

_NUMBERS = {"tcp": TCP, "udp": UDP, "sctp": 132}
PROTOCOL_NAMES = {ICMP: "ICMP", ICMP6: "ICMPv6", TCP: "TCP", UDP: "UDP", 132: "SCTP"}


def icmp_of(remote: str) -> int:
    """ICMP's number in the address's family."""
    return ICMP6 if ":" in remote else ICMP


def candidates(match: Match, local: str, remote: str) -> Iterator[Flow]:
    """Flows that the match could mean, the best first; whether they do is `rule_met`'s to say."""
    flags = RST
    if match.tcp_flags is not None:
        if match.tcp_flags.mask & RST and not match.tcp_flags.value & RST:
            return  # a packet that the peer's kernel would answer
        flags |= match.tcp_flags.value
    protocol = _protocol(match, remote)
    if match.connection is not None:
        ends = ((match.connection.a_addr, match.connection.a_port), (match.connection.b_addr, match.connection.b_port))
        for (here, here_port), (there, there_port) in (ends, ends[::-1]):
            if (here, there) == (local, remote):
                yield Flow(protocol, local, remote, here_port, there_port, flags)
        return
    for port in [port for ports in match.ports[:8] for port in dict.fromkeys((ports.first, ports.last)) if port]:
        yield Flow(protocol, local, remote, 0, port, flags)
        yield Flow(protocol, local, remote, port, 0, flags)
    if not match.ports:
        yield Flow(protocol, local, remote, 0, 0, flags)


def _protocol(match: Match, remote: str) -> int:
    if match.tcp_flags is not None or (match.connection is not None and match.protocol is None):
        return TCP
    if match.protocol is None:
        return UDP
    if match.protocol == "icmp":
        return icmp_of(remote)
    return match.protocol if isinstance(match.protocol, int) else _NUMBERS[match.protocol]


def rule_met(rules: tuple[FlatRule, ...], slots: Iterable[int], flow: Flow, direction: str) -> FlatRule | None:
    """The rule that the flow's packets of this direction meet on any of the interfaces; None: none at all."""
    for slot in slots:
        packet = Packet(
            slot, DIRECTIONS.index(direction), flow.local, flow.remote, flow.protocol, flow.local_port, flow.remote_port
        )
        index = first_match(rules, packet)
        if index is not None:
            return rules[index]
    return None


def may_meet(datapath: Datapath, rule_id: RuleId, match: Match, local: str, remote: str) -> bool:
    """Whether a flow between these addresses may meet this rule."""
    slots = [interface.slot for interface in datapath.interfaces]
    flows = list(candidates(match, local, remote))
    met = [rule_met(datapath.rules, slots, flow, direction) for flow in flows for direction in DIRECTIONS]
    return any(rule is not None and rule.rule_id == rule_id for rule in met)


def untouched(rules: tuple[FlatRule, ...], slots: Iterable[int], flow: Flow) -> bool:
    """Whether no rule does anything to this flow."""
    slots = tuple(slots)
    met = [rule_met(rules, slots, flow, direction) for direction in DIRECTIONS]
    return all(rule is None or rule.action is Action.PASS for rule in met)
