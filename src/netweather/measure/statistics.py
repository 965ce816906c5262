"""Intervals for what was counted and timed, each exact for its kind and with its confidence stated. Pure, no tables.

Shares: Clopper and Pearson's interval ("The use of confidence or fiducial limits", Biometrika 1934). Quantiles: by order
statistics, whatever the distribution. Distributions: Dvoretzky, Kiefer and Wolfowitz's inequality with Massart's constant.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

CONFIDENCE: Final = 0.999
"""Of each interval: a right figure is outside of it once in a thousand measurements."""


@dataclass(frozen=True, slots=True)
class Interval:
    """From `low` to `high`, both within."""

    low: float
    high: float

    def within(self, other: Interval) -> bool:
        return other.low <= self.low and self.high <= other.high

    def touches(self, other: Interval) -> bool:
        return self.low <= other.high and other.low <= self.high


def beta_share(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function, by its continued fraction (Lentz)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - beta_share(1 - x, b, a)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)) / a
    tiny = 1e-300
    f, c, d = 1.0, 1.0, 0.0
    for step in range(10_000):
        m = step // 2
        if step == 0:
            numerator = 1.0
        elif step % 2 == 0:
            numerator = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        else:
            numerator = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d = 1 / ((1 + numerator * d) or tiny)
        c = (1 + numerator / c) or tiny
        f *= c * d
        if step and abs(1 - c * d) < 1e-12:
            break
    return max(0.0, min(1.0, front * (f - 1)))


def binomial_below(k: int, n: int, share: float) -> float:
    """The chance of at most k hits among n."""
    if k < 0 or k >= n:
        return float(k >= n)
    return 1 - beta_share(share, k + 1, n - k)


def share_interval(hits: float, count: float, confidence: float = CONFIDENCE) -> Interval:
    """Of the share behind so many independent hits; counts need not be whole (fewer trials than packets, when they depend)."""
    if count <= 0:
        return Interval(0.0, 1.0)
    hits = min(hits, count)
    tail = (1 - confidence) / 2
    low = 0.0 if hits <= 0 else _root(lambda p: beta_share(p, hits, count - hits + 1), tail)
    high = 1.0 if hits >= count else _root(lambda p: beta_share(p, hits + 1, count - hits), 1 - tail)
    return Interval(low, high)


def _root(rising: object, value: float) -> float:
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if rising(middle) < value:  # type: ignore[operator]  # a function of a share
            low = middle
        else:
            high = middle
    return (low + high) / 2


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value that `share` of the ordered values do not exceed."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def quantile_interval(ordered: Sequence[float], share: float, confidence: float = CONFIDENCE) -> Interval:
    """Of a quantile, from ordered independent values; endless where there are too few of them."""
    n, tail = len(ordered), (1 - confidence) / 2
    low = _rank(n, share, tail)
    high = _rank(n, share, 1 - tail) + 1
    return Interval(ordered[low - 1] if low > 0 else -math.inf, ordered[high - 1] if high <= n else math.inf)


def _rank(n: int, share: float, chance: float) -> int:
    """The largest k for which fewer than k hits are less likely than `chance`: P(X <= k - 1) <= chance."""
    low, high = 0, n
    while low < high:
        middle = (low + high + 1) // 2
        if binomial_below(middle - 1, n, share) <= chance:
            low = middle
        else:
            high = middle - 1
    return low


def distribution_allowance(count: int, reference: int, confidence: float = CONFIDENCE) -> float:
    """How far apart two samples of one distribution may lie: Kolmogorov and Smirnov's distance."""
    return math.sqrt(math.log(2 / (1 - confidence)) / 2 * (1 / count + 1 / reference))


def distance(seen: Sequence[float], model: Sequence[float], early: float, late: float) -> float:
    """How far two ordered samples lie apart where a value may be `early` or `late` by so much: 0 to 1."""
    worst = 0.0
    for index, value in enumerate(seen):
        above = (index + 1) / len(seen) - bisect_right(model, value + early) / len(model)
        below = bisect_left(model, value - late) / len(model) - index / len(seen)
        worst = max(worst, above, below)
    return worst


def runs(numbers: Sequence[int]) -> list[int]:
    """The lengths of runs of consecutive numbers, which are in order: [3, 4, 9] has one of 2 and one of 1."""
    lengths: list[int] = []
    before: int | None = None
    for number in numbers:
        if before is not None and number == before + 1:
            lengths[-1] += 1
        else:
            lengths.append(1)
        before = number
    return lengths


def mean_run_interval(lengths: Sequence[int], confidence: float = CONFIDENCE) -> Interval:
    """Of the mean length of runs that end with the same chance after each member."""
    if not lengths:
        return Interval(1.0, math.inf)
    ends = share_interval(len(lengths), sum(lengths), confidence)
    return Interval(1 / ends.high, math.inf if ends.low <= 0 else 1 / ends.low)


class Draws:
    """Numbers from 0 to 1 that repeat: splitmix64 from a seed."""

    def __init__(self, seed: int) -> None:
        self._state = seed % 2**64

    def __call__(self) -> float:
        self._state = (self._state + 0x9E3779B97F4A7C15) % 2**64
        z = self._state
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
        return float((z ^ z >> 31) >> 11) / 2**53
