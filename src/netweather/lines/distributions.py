"""Distribution tables, as netem and the pump take them: entries in 1/8192 of a sigma, drawn with equal probability.

A table holds the quantiles of a distribution with mean 0 and standard deviation 1, so `jitter` is one sigma. Computed from the
formulas; both engines take the same. Grammar of a table's file: whole numbers from -32768 to 32767, apart by white space, and
comments from # to the end of the line, as iproute2's .dist files. One that fails: "1.5" (bad-distribution).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from statistics import NormalDist
from typing import Final

from netweather.errors import UsageError

SCALE: Final = 8192
SIZE: Final = 4096
LARGEST: Final = 32767
PARETO_SHAPE: Final = 3.0  # the smallest whole one whose deviation is finite; iproute2's too
PARETO_SHARE: Final = 0.75  # of paretonormal
FILE_ENTRIES_MAX: Final = 1 << 20


@cache
def table(name: str, size: int = SIZE) -> tuple[int, ...]:
    """The table of normal, pareto or paretonormal. `uniform` needs none: ()."""
    points = [(i + 0.5) / size for i in range(size)]
    if name == "uniform":
        return ()
    if name == "normal":
        return _scaled([NormalDist().inv_cdf(p) for p in points])
    if name == "pareto":
        return _scaled([_pareto(p) for p in points])
    if name == "paretonormal":
        return _scaled([PARETO_SHARE * _pareto(p) + (1 - PARETO_SHARE) * NormalDist().inv_cdf(p) for p in points])
    raise KeyError(name)


def _pareto(p: float) -> float:
    """Of shape 3 from 1 on, moved to mean 0 and shrunk to deviation 1."""
    mean = PARETO_SHAPE / (PARETO_SHAPE - 1)
    deviation = (PARETO_SHAPE / (PARETO_SHAPE - 2)) ** 0.5 / (PARETO_SHAPE - 1)
    return float(((1 - p) ** (-1 / PARETO_SHAPE) - mean) / deviation)


def _scaled(values: Sequence[float]) -> tuple[int, ...]:
    """Mean 0 and deviation 1 of the finite table itself, which lacks the tail beyond its last point and above 4 sigma."""
    scaled = list(values)
    for _ in range(8):  # clipping moves both a little: a few rounds settle it
        mean = sum(scaled) / len(scaled)
        deviation = (sum((v - mean) ** 2 for v in scaled) / len(scaled)) ** 0.5
        scaled = [max(-LARGEST / SCALE, min(LARGEST / SCALE, (v - mean) / deviation)) for v in scaled]
    return tuple(round(v * SCALE) for v in scaled)


def parse_table(text: str, size: int = SIZE) -> tuple[int, ...]:
    """A table from a file's text, stretched or thinned to `size` entries. Raises UsageError bad-distribution."""
    words = [word for line in text.splitlines() for word in line.partition("#")[0].split()]
    try:
        entries = [int(word) for word in words]
    except ValueError as error:
        raise _bad(f"an entry is not a whole number: {error}") from error
    if not 2 <= len(entries) <= FILE_ENTRIES_MAX:
        raise _bad(f"it has {len(entries)} entries, and 2 to {FILE_ENTRIES_MAX} are needed")
    if min(entries) < -LARGEST - 1 or max(entries) > LARGEST:
        raise _bad("an entry is not between -32768 and 32767")
    return tuple(entries[(2 * i + 1) * len(entries) // (2 * size)] for i in range(size))


def _bad(why: str) -> UsageError:
    remedy = "write whole numbers in 1/8192 of the jitter, ascending, such as iproute2's .dist files hold"
    return UsageError("bad-distribution", "the file is not a distribution table", why, remedy)
