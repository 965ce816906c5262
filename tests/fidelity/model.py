"""Independent models of what random conditions do, written from their definitions, not from the pump's source.

Each gives many runs of n packets at once, so that the spread of any figure can be told. Seeds are fixed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import signal, stats

RUNS = 256
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Cdf = Callable[[Floats], Floats]


def correlated(correlation: float, count: int, runs: int = RUNS) -> Floats:
    """netem's numbers from 0 to 1: (1 - c) times a new one and c times the last; one run a row."""
    fresh = np.random.default_rng(1).random((runs, count + 200))
    return np.asarray(signal.lfilter([1 - correlation], [1, -correlation], fresh)[:, 200:])


def markov(transitions: Sequence[Sequence[float]], lost: Sequence[float], count: int, runs: int = RUNS) -> Bools:
    """A chain that moves once a packet; lost: the chance in each state. It begins in the first."""
    random = np.random.default_rng(2)
    steps = np.cumsum(np.asarray(transitions), axis=1)
    state = np.zeros(runs, dtype=np.int64)
    found = np.zeros((runs, count), dtype=bool)
    for index in range(count):
        state = (random.random((runs, 1)) > steps[state]).sum(axis=1).clip(max=len(lost) - 1)
        found[:, index] = random.random(runs) < np.asarray(lost)[state]
    return found


@lru_cache
def gilbert_elliott(p: float, r: float, bad: float, good: float, count: int) -> Bools:
    """Good and bad, each with its own loss."""
    return markov([[1 - p, p], [r, 1 - r]], [good, bad], count)


@lru_cache
def four_states(p13: float, p31: float, p32: float, p23: float, p14: float, count: int) -> Bools:
    """Salsano's: received in a gap, received in a burst, lost in a burst, lost alone (and then always back to the gap)."""
    moves: list[list[float]] = [[1 - p13 - p14, 0, p13, p14], [0, 1 - p23, p23, 0], [p31, p32, 1 - p31 - p32, 0], [1, 0, 0, 0]]
    return markov(moves, [0, 0, 1, 1], count)


def starts(hits: Bools) -> npt.NDArray[np.int64]:
    """How many runs of hits each row has."""
    return np.asarray((hits[:, 1:] & ~hits[:, :-1]).sum(axis=1) + hits[:, 0])


def cdf(distribution: str, time: float, jitter: float) -> Cdf:
    """Of a delay: netem's meaning of each name, never below 0, never more than four jitters off."""
    if distribution == "uniform":
        return lambda x: np.asarray(stats.uniform.cdf(x, time - jitter, 2 * jitter))
    shares, values = _quantiles(distribution)
    delays = np.maximum(0.0, time + jitter * values)
    return lambda x: np.searchsorted(delays, x, side="right") / len(shares)


@lru_cache
def _quantiles(distribution: str) -> tuple[Floats, Floats]:
    shares = (np.arange(100_000) + 0.5) / 100_000
    normal = stats.norm.ppf(shares)
    pareto = ((1 - shares) ** (-1 / 3) - 1.5) * 4 / 3  # shape 3, its mean taken off, times 4/3
    values = {"normal": normal, "pareto": pareto, "paretonormal": normal / 4 + pareto * 3 / 4}[distribution]
    return shares, np.clip(values, -4, 4)


def deviation(distribution: str, correlation: float, jitter: float) -> float:
    """The standard deviation of a delay whose numbers are correlated."""
    numbers = correlated(correlation, 4000, 64).ravel()
    if distribution == "uniform":
        return float(np.std(2 * numbers - 1) * jitter)
    _, values = _quantiles(distribution)
    return float(np.std(values[(numbers * len(values)).astype(np.int64)]) * jitter)


def codel(sent: Sequence[int], bits: float, rate: float, *, marks: bool = False) -> tuple[list[float], int]:
    """RFC 8289 (5 ms, 100 ms) in front of a link: the delays, ns, of the packets that arrive, and how many were dropped, or marked.

    sent: ns, from about 0 on.
    """
    target, interval, work = 5e6, 100e6, bits / rate * 1e9
    free = first_above = drop_next = 0.0
    dropping, count, before = False, 0, 0
    delays, hits = [], 0
    for index, arrived in enumerate(sent):
        start = max(free, float(arrived))
        others = index + 1 < len(sent) and sent[index + 1] <= start
        if start - arrived < target or not others:
            first_above = 0.0
        elif not first_above:
            first_above = start + interval
        drop = bool(first_above) and start >= first_above
        if dropping and drop:
            drop = start >= drop_next
            count += drop
            drop_next += interval / math.sqrt(count) if drop else 0
        elif drop:
            dropping, recent = True, count - before
            count = before = recent if recent > 1 and start - drop_next < 16 * interval else 1
            drop_next = start + interval / math.sqrt(count)
        else:
            dropping = False
        hits += drop
        if not drop or marks:
            free = start + work
            delays.append(free - arrived)
    return delays, hits
