"""Which flow a probe takes: one that meets the very rule it is to measure, and one beside it for a baseline.

And which share of the connections a rule matches: by many flows and the rule's own counter. Whether it matches a flow is decided by a
hash that the classifier draws from the flow's ends: always, or never. Pure, but for the fan.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final, Protocol

from netweather.conditions import Match
from netweather.kernel.datapath.spec import DIRECTIONS, Action, Datapath, FlatRule, RuleId
from netweather.kernel.traffic.probe_packets import ICMP, ICMP6, RST, TCP, UDP, Flow
from netweather.kernel.waiting import pause
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


FLOWS: Final = 400
"""Of one fan: a process may often have no more than 1,024 files open."""
MOST_FANS: Final = 5
ENOUGH: Final = 60
"""Flows that meet the rule, or that don't, after which no more are needed."""
_ARRIVING_S: Final = 0.02


class Flows(Protocol):
    """A fan of flows (kernel.traffic.many_flows.Fan), or what a test takes for one."""

    flow: Flow

    @property
    def ports(self) -> tuple[int, ...]: ...

    def send(self, ports: Iterable[int], way: str) -> None: ...


@dataclass
class Shared:
    """Flows tried, and how many met the rule. flow: one that did, None when none has."""

    flows: int = 0
    met: int = 0
    flow: Flow | None = None

    def enough(self) -> bool:
        return self.flow is not None and min(self.met, self.flows - self.met) >= ENOUGH

    def add(self, fan: Flows, way: str, counted: Callable[[], int]) -> None:
        """Tries all flows of a fan. counted: the rule's counter, packets."""
        met = _moved(fan, fan.ports, way, counted)
        self.flows, self.met = self.flows + len(fan.ports), self.met + met
        if self.flow is None and met and (port := _one_that_meets(fan, way, counted)) is not None:
            self.flow = replace(fan.flow, local_port=port)


def fans_for(share: float) -> int:
    """How many fans may be needed."""
    rarer = min(share, 1 - share)
    return MOST_FANS if rarer <= 0 else max(1, min(MOST_FANS, math.ceil(ENOUGH / rarer / FLOWS)))


def _moved(fan: Flows, ports: tuple[int, ...], way: str, counted: Callable[[], int]) -> int:
    before = counted()
    fan.send(ports, way)
    pause(_ARRIVING_S)
    return counted() - before


def _one_that_meets(fan: Flows, way: str, counted: Callable[[], int]) -> int | None:
    """By halves; None when the counter says different things, since other traffic moves it too."""
    ports = fan.ports
    while len(ports) > 1:
        half = ports[: len(ports) // 2]
        ports = half if _moved(fan, half, way, counted) else ports[len(half) :]
    return ports[0] if _moved(fan, ports, way, counted) == 1 else None
