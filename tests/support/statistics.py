"""Checks of measured figures, each with an interval that a right system leaves less than once in 10^9 runs.

The suite makes under a hundred of them, so that it raises a false alarm less than once in a million runs. A check that doesn't
hold raises Refused, so that a planted error can be told from a broken test:

    with planted.verdict():                  # factor 1.0: must hold; 0.7 and 1.3: must be refused
        expect_share(lost, sent, 0.03)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from scipy import stats

ALPHA = 1e-9
"""How often one check may refuse a system that is right."""
EARLY_NS = 50_000
"""How much the clock's own rate may be corrected within one measured delay: 500 ppm of 100 ms."""
LATE_NS = 5_000_000
"""A delay may be late by less than this (scheduling, on a machine that others use too)."""


class Refused(AssertionError):
    """A figure is outside its interval."""


@dataclass(frozen=True)
class Planted:
    """How far what was set is from what the check is told: 1.0 is right, the others must be noticed."""

    factor: float

    def of(self, value: float) -> int:
        """What to set, where `value` is what the check expects."""
        return round(value * self.factor)

    @contextmanager
    def verdict(self) -> Iterator[None]:
        """Around the check: it must hold when nothing is planted, and refuse when something is."""
        if self.factor == 1.0:
            yield
            return
        with pytest.raises(Refused):
            yield


def planted(*factors: float) -> pytest.MarkDecorator:
    """Runs a test as it is, and with each factor as a planted error, of which `make test` has the first; the test takes `planted`."""
    first, *further = map(Planted, factors or (0.7, 1.3))
    cases = [Planted(1.0), first, *(pytest.param(each, marks=pytest.mark.full) for each in further)]
    return pytest.mark.parametrize(
        "planted", cases, ids=lambda case: "right" if case.factor == 1.0 else f"off by {case.factor:g}"
    )


def expect(holds: bool, what: str) -> None:
    """A check that is no statistic."""
    if not holds:
        raise Refused(what)


def expect_delay(delays_ns: Sequence[int], asked_ns: int) -> None:
    """No packet early, and one of twenty less than 5 ms late: on a busy machine most may be. How late all are, fidelity tells."""
    expect(bool(delays_ns), "nothing arrived")
    expect(min(delays_ns) >= asked_ns - EARLY_NS, f"early: {min(delays_ns) / 1e6:.3f} ms of {asked_ns / 1e6} ms")
    late = sorted(delays_ns)[len(delays_ns) // 20] - asked_ns
    expect(late < LATE_NS, f"nineteen of twenty are at least {late / 1e6:.3f} ms late, of {asked_ns / 1e6} ms")


def share_interval(count: int, share: float) -> tuple[int, int]:
    """The counts that a binomial variable stays within, but for ALPHA."""
    return int(stats.binom.ppf(ALPHA / 2, count, share)), int(stats.binom.isf(ALPHA / 2, count, share))


def expect_share(hits: int, count: int, share: float) -> None:
    """Independent hits of so many trials."""
    low, high = share_interval(count, share)
    expect(low <= hits <= high, f"{hits} of {count} ({hits / count:.3%}), not {low} to {high} ({share:.3%} asked)")


def runs(numbers: Sequence[int]) -> list[int]:
    """The lengths of runs of consecutive numbers: [3, 4, 9] has one of 2 and one of 1."""
    lengths: list[int] = []
    before = None
    for number in sorted(numbers):
        if before is not None and number == before + 1:
            lengths[-1] += 1
        else:
            lengths.append(1)
        before = number
    return lengths


def expect_geometric(lengths: Sequence[int], end: float) -> None:
    """Runs that end with the same chance after each packet: their sum, and how many are longer than one."""
    count, total = len(lengths), sum(lengths)
    low, high = stats.nbinom.ppf(ALPHA / 2, count, end), stats.nbinom.isf(ALPHA / 2, count, end)
    mean = f"mean {total / count:.3f}, {1 / end:.3f} asked"
    expect(low <= total - count <= high, f"{count} runs of {total} packets in all, not {low + count} to {high + count} ({mean})")
    expect_share(sum(length > 1 for length in lengths), count, 1 - end)


def ks_distance(samples: Sequence[float], distribution: Callable[[Sequence[float]], Sequence[float]]) -> float:
    """Kolmogorov and Smirnov's distance between samples and a cumulative distribution function."""
    return float(stats.kstest(samples, distribution).statistic)


def expect_distribution(
    samples: Sequence[float], distribution: Callable[[Sequence[float]], Sequence[float]], most: float
) -> None:
    """Samples of a distribution. By Dvoretzky, Kiefer and Wolfowitz, chance alone exceeds `most` once in exp(2 n most²) / 2 runs."""
    distance = ks_distance(samples, distribution)
    expect(distance < most, f"KS distance {distance:.4f} over {len(samples)} packets, {most} at most")


def expect_near(measured: float, asked: float, tolerance: float) -> None:
    """Within a share of what was asked."""
    expect(abs(measured / asked - 1) < tolerance, f"{measured:.6g} is {measured / asked - 1:+.2%} off {asked:.6g}")
