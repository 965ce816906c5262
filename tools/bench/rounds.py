"""Rounds: every variant once in each, so that what the machine does meanwhile meets all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from tools.bench.load import busy_share

T = TypeVar("T")
STILL = 0.2
"""The machine is quiet when no more than this share of it is in use."""
LOOK_S, ONCE_S = 0.06, 5.0


@dataclass
class Quiet:
    """Waits for a quiet moment before each measure. patience: for how many seconds in all."""

    patience: float = 0.0
    measures: int = 0
    noisy: int = 0

    def wait(self) -> None:
        self.measures += 1
        begin = time.monotonic()
        while busy_share(LOOK_S) > STILL:
            waited = time.monotonic() - begin
            if waited > min(ONCE_S, self.patience):
                self.noisy += 1
                self.patience -= min(waited, self.patience)
                return
        self.patience -= min(self.patience, time.monotonic() - begin - LOOK_S)

    def __str__(self) -> str:
        return f"{self.noisy} of {self.measures} measures began while others used the machine"


@dataclass(frozen=True)
class Plan:
    """How long to measure. rounds: of the slow measures. quick: figures that show only that it works."""

    rounds: int = 9
    quick: bool = False
    tell: Callable[[str], object] = field(default=lambda _: None)
    quiet: Quiet = field(default_factory=Quiet)

    def many(self, factor: float) -> int:
        """Rounds of a measure that is quick, or needs more of them."""
        return self.rounds if self.quick else max(1, round(self.rounds * factor))

    def seconds(self, length: float) -> float:
        """Of one measure."""
        return length / 8 if self.quick else length


def interleaved(plan: Plan, what: str, measures: Mapping[str, Callable[[], T]], rounds: int | None = None) -> dict[str, list[T]]:
    """A B C, C B A, A B C …: the results of each by name, in the order of the rounds."""
    count = rounds or plan.rounds
    found: dict[str, list[T]] = {name: [] for name in measures}
    for number in range(count):
        names = list(measures) if number % 2 == 0 else list(measures)[::-1]
        for name in names:
            plan.tell(f"{what}: round {number + 1} of {count}: {name}")
            plan.quiet.wait()
            found[name].append(measures[name]())
    return found
