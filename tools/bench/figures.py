"""Medians with intervals, and what a goal makes of them. Pure.

An interval is of order statistics: it holds the true median with 95 % probability whatever the distribution. Fewer than six
values can't do that; then it is their whole range, and its real probability stands with it.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass, field
from math import comb
from statistics import median
from typing import Any, Literal

CONFIDENCE = 0.95
Verdict = Literal["yes", "no", "open", "n/a"]


@dataclass(frozen=True)
class Interval:
    """A median and the values that it lies between with a probability of `coverage`."""

    median: float
    low: float
    high: float
    count: int
    coverage: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Interval:
        """Raises ValueError when there are none."""
        if not values:
            raise ValueError("no values")
        ordered = sorted(values)
        rank, coverage = ranks(len(ordered))
        return cls(median(ordered), ordered[rank], ordered[-1 - rank], len(ordered), coverage)


def ranks(count: int) -> tuple[int, float]:
    """How many of so many ordered values are outside at each end, and the probability that the median is inside."""
    rank, coverage = 0, _coverage(count, 0)
    while 2 * (rank + 1) < count and (narrower := _coverage(count, rank + 1)) >= CONFIDENCE:
        rank, coverage = rank + 1, narrower
    return rank, coverage


def _coverage(count: int, outside: int) -> float:
    return max(0.0, 1 - sum(comb(count, k) for k in range(outside + 1)) * 2.0 ** (1 - count))


@dataclass(frozen=True)
class Goal:
    """What a row's figure, or its ratio to the baseline, is to be: at least, or at most."""

    of: Literal["figure", "ratio"]
    least: bool
    value: float

    def __str__(self) -> str:
        return f"{'×' if self.of == 'ratio' else ''} {'≥' if self.least else '≤'} {self.value:,g}".strip()

    @classmethod
    def parse(cls, text: str) -> Goal:
        """What `str` made of one."""
        *ratio, sign, value = text.split()
        return cls("ratio" if ratio else "figure", sign == "≥", float(value.replace(",", "")))

    def judge(self, found: Interval) -> Verdict:
        """`open`: the goal lies within the interval."""
        inside, outside = (found.low, found.high) if self.least else (-found.high, -found.low)
        wanted = self.value if self.least else -self.value
        return "yes" if inside >= wanted else "no" if outside < wanted else "open"


def at_least(value: float, of: Literal["figure", "ratio"] = "ratio") -> Goal:
    return Goal(of, True, value)


def at_most(value: float, of: Literal["figure", "ratio"] = "ratio") -> Goal:
    return Goal(of, False, value)


@dataclass(frozen=True)
class Row:
    """A line of the table. note: what limits it, or why it was not possible."""

    section: str
    name: str
    unit: str = ""
    figure: Interval | None = None
    beside: str = ""
    baseline: Interval | None = None
    ratio: Interval | None = None
    goal: Goal | None = None
    note: str = ""
    values: dict[str, list[float]] = field(default_factory=dict, repr=False)

    @property
    def reached(self) -> Verdict:
        found = self.figure if self.goal and self.goal.of == "figure" else self.ratio
        return self.goal.judge(found) if self.goal and found else "n/a"

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "goal": str(self.goal) if self.goal else None, "reached": self.reached}

    @classmethod
    def read(cls, document: dict[str, Any]) -> Row:
        """What `document` made of one, perhaps elsewhere."""
        fields = {name: value for name, value in document.items() if name != "reached"}
        for name in ("figure", "baseline", "ratio"):
            fields[name] = Interval(**fields[name]) if fields[name] else None
        return cls(**{**fields, "goal": Goal.parse(fields["goal"]) if fields["goal"] else None})


Rows = Generator[Row, None, None]
"""What a section yields, one by one: those before a failure are kept."""


def row(
    section: str,
    name: str,
    unit: str,
    values: Sequence[float],
    beside: tuple[str, Sequence[float]] | None = None,
    *,
    goal: Goal | None = None,
    note: str = "",
    compare: bool = True,
) -> Row:
    """A row from the figures of each round, and those of a baseline in the same rounds: their ratio is taken round by round.

    compare: False where a ratio would say nothing, as of two amounts of noise.
    """
    kept = {"figure": list(values)}
    if beside is None:
        return Row(section, name, unit, Interval.of(values), goal=goal, note=note, values=kept)
    word, baseline = beside
    ratios = [mine / its for mine, its in zip(values, baseline, strict=True) if its and compare]
    kept["baseline"] = list(baseline)
    ratio = Interval.of(ratios) if ratios else None
    return Row(section, name, unit, Interval.of(values), word, Interval.of(baseline), ratio, goal, note, kept)


def impossible(section: str, name: str, why: str) -> Row:
    """A row that could not be measured on this machine."""
    return Row(section, name, note=f"not possible here: {why}")
