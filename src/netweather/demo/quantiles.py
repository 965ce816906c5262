"""Numbers out of measurements: quantiles, a share with its interval, a steady speed. Pure.

Losses come in bursts, and packets in a burst tell little more than one: `share_of` widens its interval by how much a
packet's fate follows that of the one before it, as measured, or as known (Kish's design effect of a chain, (1+r)/(1-r)).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

Z95 = 1.96
Z999 = 3.29
"""Normal quantiles: an interval that the truth leaves once in 20, and once in 1000 times."""


@dataclass(frozen=True)
class Share:
    """So many of so many. low, high: the Wilson interval, 0 to 1."""

    count: int
    of: int
    low: float
    high: float

    @property
    def value(self) -> float:
        return self.count / self.of if self.of else 0.0


def quantile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values stay below, with straight lines between them. Raises ValueError without values."""
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    place = max(0.0, min(len(ordered) - 1.0, share * len(ordered) - 0.5))
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def median_interval(values: Sequence[float], z: float = Z999) -> tuple[float, float]:
    """Between which two of the values the true median lies, whatever their distribution (order statistics)."""
    ordered = sorted(values)
    reach = z * math.sqrt(len(ordered)) / 2
    low = max(0, math.floor(len(ordered) / 2 - reach))
    high = min(len(ordered) - 1, math.ceil(len(ordered) / 2 + reach))
    return ordered[low], ordered[high]


def follow(fates: Sequence[bool]) -> float:
    """How much each follows the one before it: the correlation of neighbours, 0 to 0.98."""
    count = sum(fates)
    if len(fates) < 2 or count in (0, len(fates)):
        return 0.0
    mean = count / len(fates)
    both = sum(a and b for a, b in pairwise(fates)) / (len(fates) - 1)
    return max(0.0, min(0.98, (both - mean * mean) / (mean - mean * mean)))


def share_of(series: Sequence[Sequence[bool]], correlation: float = 0.0, z: float = Z95) -> Share:
    """The share of True in several series of one kind. correlation: of neighbours, when it is known to be at least that."""
    total, count = sum(map(len, series)), sum(map(sum, series))
    if not total:
        return Share(0, 0, 0.0, 1.0)
    chain = max([correlation, *map(follow, series)])
    n = max(1.0, total * (1 - chain) / (1 + chain))
    p = count / total
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return Share(count, total, max(0.0, middle - half), min(1.0, middle + half))


def steady_speed(arrivals: Sequence[tuple[float, int]], until: float) -> float:
    """Bits a second in the last third of a download: its beginning only shows how carefully TCP starts.

    arrivals: (seconds since it began, bytes). until: when it ended.
    """
    begin = until * 2 / 3
    received = sum(size for at, size in arrivals if begin <= at <= until)
    return received * 8 / (until - begin) if until > 0 else 0.0
