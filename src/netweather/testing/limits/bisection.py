"""Where something starts to fail as a network gets worse: bisection, then fresh runs on both sides, and how sure that is. Pure.

What is looked for is the point beyond which more than half of the runs fail; that failing does not become rarer as the network gets
worse is taken for granted. Bisection (a run or `repeats` at each point, the majority decides) only proposes two neighbouring points.
Each is then confirmed by runs that had no part in choosing it: were the chance of failing at the lower point 1/2 or more, all but
f of n runs passing would have a chance of at most P(X ≤ f), X binomial (n, 1/2): the sign test (Dixon and Mood, "The statistical
sign test", JASA 41, 1946), whose p-value that is. A point that isn't confirmed is left for one further out, with twice the distance;
the p-value counts as often as there were attempts (Bonferroni), and the two sides add up: the confidence is 1 - k·p - l·q. The
interval for the share of failures at a point is Clopper and Pearson's (Biometrika 26, 1934).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from netweather.measure.statistics import Interval, binomial_below, share_interval

SHARE_CONFIDENCE = 0.95
"""Of the interval for a share of failures."""
ROUNDING = 1 + 1e-9
"""The p-value is a sum of floats: three runs of three are 1/8 and a little."""
Fails = Callable[[int], bool]


@dataclass
class Side:
    """One of the two points: what its fresh runs said. expected: whether they should fail. tries: how many points were tried."""

    point: int
    expected: bool
    runs: int = 0
    failed: int = 0
    tries: int = 1

    @property
    def against(self) -> int:
        """Runs that came out the other way."""
        return self.runs - self.failed if self.expected else self.failed

    @property
    def doubt(self) -> float:
        """The p-value, times the points that were tried."""
        return min(1.0, self.tries * binomial_below(self.against, self.runs, 0.5)) if self.runs else 1.0

    @property
    def share(self) -> Interval:
        """Of failures among runs at this point."""
        return share_interval(self.failed, self.runs, SHARE_CONFIDENCE)


@dataclass
class FailureLimit:
    """What was found. passes, fails: the sides of the limit; None where the range ends before one was found. steps: of the range."""

    steps: int
    wanted: float
    passes: Side | None = None
    fails: Side | None = None
    trials: list[tuple[int, bool]] = field(default_factory=list)
    """Each run in order: its point, and whether it failed."""

    @property
    def confidence(self) -> float:
        """That the limit lies between the two, or beyond the one there is."""
        return max(0.0, 1.0 - sum(side.doubt for side in (self.passes, self.fails) if side is not None))

    @property
    def sure(self) -> bool:
        """Whether that is as much as was wanted."""
        return (self.passes is not None or self.fails is not None) and self.confidence * ROUNDING >= self.wanted


def find(fails: Fails, *, steps: int = 64, repeats: int = 1, confidence: float = 0.95) -> FailureLimit:
    """Looks for the limit on the points 0 (the best network) to `steps` (the worst).

    fails: runs it once at a point. repeats: at each point of the bisection, an odd number. confidence: wanted, below 1.
    """
    found = FailureLimit(steps, confidence)

    def run(point: int) -> bool:
        failed = fails(point)
        found.trials.append((point, failed))
        return failed

    low, high = _bracket(run, steps, repeats)
    if low is None and high is not None:
        found.fails = _confirmed(run, high, True, steps, confidence)
    elif high is None and low is not None:
        found.passes = _confirmed(run, low, False, steps, confidence)
    elif low is not None and high is not None:
        found.passes = _confirmed(run, low, False, steps, confidence)
        found.fails = _confirmed(run, high, True, steps, confidence)
    return found


def _bracket(run: Fails, steps: int, repeats: int) -> tuple[int | None, int | None]:
    """Two neighbouring points, of which the first passes and the second fails; None where the range ends."""

    def decided(point: int) -> bool:
        failed = 0
        for number in range(1, repeats + 1):
            failed += run(point)
            if max(failed, number - failed) > repeats // 2:
                break
        return failed > repeats // 2

    if decided(0):
        return None, 0
    if not decided(steps):
        return steps, None
    low, high = 0, steps
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if decided(middle) else (middle, high)
    return low, high


def _confirmed(run: Fails, point: int, expected: bool, steps: int, confidence: float) -> Side | None:
    """The point, or one further out, where fresh runs say what is expected; None when the range ends before."""
    allowed = (1 - confidence) / 2
    width, tries = 1, 1
    while True:
        side = Side(point, expected, tries=tries)
        most = math.ceil(math.log2(tries / allowed))
        while side.runs < most and not side.against:  # one against it is too many: the doubt can't become small enough
            side.failed += run(point)
            side.runs += 1
        if side.doubt <= allowed * ROUNDING:
            return side
        if point in (0, steps) and (point == steps) == expected:
            return None
        point = min(steps, point + width) if expected else max(0, point - width)
        width, tries = 2 * width, tries + 1
