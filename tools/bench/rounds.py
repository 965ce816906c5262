"""Rounds: every variant once in each, so that what the machine does meanwhile meets all of them alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Plan:
    """How long to measure. rounds: of the slow measures; quick: figures that show only that it works."""

    rounds: int = 9
    quick: bool = False
    tell: Callable[[str], None] = field(default=lambda _: None)

    def many(self, factor: float) -> int:
        """Rounds of a measure that is quick, or needs more of them."""
        return max(1, round(self.rounds * factor))

    def seconds(self, length: float) -> float:
        """Of one measure."""
        return length / 4 if self.quick else length


def interleaved(plan: Plan, what: str, measures: Mapping[str, Callable[[], T]], rounds: int | None = None) -> dict[str, list[T]]:
    """A B C, C B A, A B C …: the results of each by name, in the order of the rounds."""
    count = rounds or plan.rounds
    found: dict[str, list[T]] = {name: [] for name in measures}
    for number in range(count):
        names = list(measures) if number % 2 == 0 else list(measures)[::-1]
        for name in names:
            plan.tell(f"{what}: round {number + 1} of {count}: {name}")
            found[name].append(measures[name]())
    return found
