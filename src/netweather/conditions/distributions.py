"""Tables of delay distributions, computed from their formulas or from measured samples; and their text format.

A table is what netem takes: whole numbers, of which one is drawn for each packet with equal chance. The packet's delay is
time + entry x jitter / 8192: SCALE stands for one jitter. An entry is -32768 to 32767, so nothing is further away than four.
    uniform       from -1 to +1 jitter. netem draws it without a table, and so should an engine that can
    normal        sigma is one jitter
    pareto        shape 3, shifted so that its mean is the delay, times 4/3: NIST Net's, which tc has too. Cut off at four
                  jitters, its mean is 0.03 jitters below the delay and its standard deviation 0.82 jitters
    paretonormal  a quarter normal and three quarters pareto, quantile by quantile
The text format is tc's: numbers with white space between them, and comments from # to the end of the line.
Nothing here is copied from iproute2's tables, which are GPL: the entries come from the inverse distribution functions at the
middle of 4096 equal shares. Not here: drawing the numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from netweather.conditions.contents import label_of, text_of
from netweather.conditions.model import DISTRIBUTIONS
from netweather.errors import UsageError, unknown
from netweather.units import Duration

SCALE: Final = 8192
ENTRIES: Final = 4096
MOST_ENTRIES: Final = 16384
LOWEST, HIGHEST = -32768, 32767
_PARETO_SHAPE: Final = 3.0
_PARETO_MEAN: Final = 1.5
_PARETO_STRETCH: Final = 4 / 3
_NORMAL_SHARE: Final = 0.25

Table = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class MeasuredDistribution:
    """A distribution taken from samples: `time` is their mean, `jitter` their standard deviation, `table` their shape.

    clipped: how many entries were further than four jitters away, and were set to that.
    """

    time: Duration
    jitter: Duration
    table: Table
    clipped: int


@lru_cache(maxsize=8)
def table_of(distribution: str) -> Table:
    """The table of a named distribution, rising. Raises UsageError unknown-distribution."""
    if distribution == "uniform":
        return tuple(_entry(2 * share - 1) for share in _shares())
    if distribution == "normal":
        return tuple(_entry(value) for value in _normal())
    if distribution == "pareto":
        return tuple(_entry(_pareto(share)) for share in _shares())
    if distribution == "paretonormal":
        mixed = (_NORMAL_SHARE * n + (1 - _NORMAL_SHARE) * _pareto(share) for n, share in zip(_normal(), _shares(), strict=True))
        return tuple(_entry(value) for value in mixed)
    raise unknown("unknown-distribution", distribution, DISTRIBUTIONS)


def _shares() -> list[float]:
    return [(index + 0.5) / ENTRIES for index in range(ENTRIES)]


def _entry(value: float) -> int:
    return max(LOWEST, min(HIGHEST, round(value * SCALE)))


def _pareto(share: float) -> float:
    return float((1 - share) ** (-1 / _PARETO_SHAPE) - _PARETO_MEAN) * _PARETO_STRETCH


@lru_cache(maxsize=1)
def _normal() -> tuple[float, ...]:
    """Quantiles of the standard normal, by Newton's method from the middle outwards, each from its neighbour."""
    upper: list[float] = []
    guess = 0.0
    for share in _shares()[ENTRIES // 2 :]:
        while True:
            step = (0.5 * math.erfc(guess / math.sqrt(2)) - (1 - share)) * math.sqrt(2 * math.pi) * math.exp(guess * guess / 2)
            guess += step
            if abs(step) < 1e-7:
                break
        upper.append(guess)
    return (*(-value for value in reversed(upper)), *upper)


def parse_table(text: str, where: str = "the table") -> Table:
    """Read tc's text format. Raises UsageError bad-distribution."""
    entries: list[int] = []
    for number, line in enumerate(text.splitlines(), 1):
        for word in line.partition("#")[0].split():
            digits = word.removeprefix("-")
            if not (digits.isdecimal() and digits.isascii() and len(digits) < 7 and LOWEST <= int(word) <= HIGHEST):
                why = f"entries are whole numbers from {LOWEST} to {HIGHEST}; {SCALE} is one jitter"
                raise UsageError("bad-distribution", f"{where}, line {number}: {word[:40]!r} is not a number", why, "remove it")
            entries.append(int(word))
    if not 2 <= len(entries) <= MOST_ENTRIES:
        why = f"a table has 2 to {MOST_ENTRIES}"
        raise UsageError("bad-distribution", f"{where}: there are {len(entries)} entries", why, "make one with netweather record")
    return tuple(entries)


def load_table(word: str) -> Table:
    """A table by its path or contents. Raises UsageError unreadable-file or bad-distribution."""
    return parse_table(text_of(word, "table"), label_of(word))


def format_table(table: Table, comment: str = "") -> str:
    """Tc's text format, eight entries a line: parse_table(format_table(t)) == t."""
    lines = [f"# {line}" for line in comment.splitlines()]
    lines += [" ".join(f"{entry:6d}" for entry in table[start : start + 8]) for start in range(0, len(table), 8)]
    return "\n".join(lines) + "\n"


def from_samples(samples: Sequence[Duration]) -> MeasuredDistribution:
    """The distribution of measured one-way delays; at least two that differ. Raises UsageError bad-samples."""
    delays = sorted(sample.ns for sample in samples)
    if len(delays) < 2 or delays[0] == delays[-1]:
        why = "a distribution needs at least two samples that differ"
        raise UsageError("bad-samples", f"{len(delays)} samples are too few for a distribution", why, "measure longer")
    mean = sum(delays) / len(delays)
    sigma = math.sqrt(sum((delay - mean) ** 2 for delay in delays) / len(delays))
    exact = [(_quantile(delays, share) - mean) / sigma * SCALE for share in _shares()]
    clipped = sum(not LOWEST <= round(value) <= HIGHEST for value in exact)
    table = tuple(max(LOWEST, min(HIGHEST, round(value))) for value in exact)
    return MeasuredDistribution(Duration(round(mean)), Duration(round(sigma)), table, clipped)


def _quantile(ordered: Sequence[int], share: float) -> float:
    """The value below which `share` of the ordered values lie, straight lines between them."""
    place = max(0.0, min(len(ordered) - 1.0, share * len(ordered) - 0.5))
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def delay_at(time: Duration, jitter: Duration, table: Table, share: float) -> Duration:
    """The delay that `share` (0 to 1) of the packets stay below, as netem computes it: never less than zero."""
    ordered = sorted(table)
    entry = ordered[min(len(ordered) - 1, int(share * len(ordered)))]
    return Duration(max(0, time.ns + _shifted(entry, jitter.ns)))


def _shifted(entry: int, jitter_ns: int) -> int:
    """entry x jitter / 8192 in whole numbers, rounded to the nearest."""
    return (entry * jitter_ns * 2 + SCALE) // (2 * SCALE)


__all__ = [
    "ENTRIES",
    "MOST_ENTRIES",
    "SCALE",
    "MeasuredDistribution",
    "Table",
    "delay_at",
    "format_table",
    "from_samples",
    "load_table",
]
__all__ += ["parse_table", "table_of"]
