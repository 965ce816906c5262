"""Which share of the connections meets a rule: by many flows and the rule's own counter, and one flow that does. Pure but for the fan.

Whether a flow is meant is decided by a hash that the classifier draws from its ends: it always is, or never.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from netweather.kernel.traffic.probe_packets import Flow
from netweather.kernel.waiting import pause

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
