"""Statistics without a kernel: readings as a test wants them."""

from __future__ import annotations

from dataclasses import dataclass, field

from netweather.errors import NetweatherError
from netweather.kernel.tracing.socket_counters import Counted


@dataclass
class Readings:
    """`Stats` from a list, whose last is told again and again; fails: raised in place of it."""

    left: list[Counted] = field(default_factory=lambda: [Counted(0, {}, None, {})])
    names: list[str] = field(default_factory=lambda: ["netns:db"])
    missing: list[str] = field(default_factory=list)
    reasons: dict[int, str] = field(default_factory=dict)
    processes: dict[int, str] = field(default_factory=dict)
    fails: NetweatherError | None = None
    closed: int = 0

    def read(self) -> list[Counted]:
        if self.fails:
            raise self.fails
        return [self.left.pop(0) if len(self.left) > 1 else self.left[0]]

    def close(self) -> None:
        self.closed += 1
