"""The intervals, beside scipy's and by what they promise."""

from __future__ import annotations

import math

import pytest
from scipy import stats

from netweather.measure import statistics
from netweather.measure.statistics import Draws, Interval


@pytest.mark.parametrize(("hits", "count"), [(0, 50), (1, 50), (25, 50), (50, 50), (30, 12_000), (11_000, 12_000)])
def test_a_share_has_clopper_and_pearsons_interval(hits: int, count: int) -> None:
    exact = stats.binomtest(hits, count).proportion_ci(0.999, method="exact")
    found = statistics.share_interval(hits, count)
    assert found.low == pytest.approx(exact.low, abs=1e-9)
    assert found.high == pytest.approx(exact.high, abs=1e-9)


def test_no_trials_tell_nothing() -> None:
    assert statistics.share_interval(0, 0) == Interval(0.0, 1.0)


@pytest.mark.parametrize(
    ("k", "n", "share"), [(0, 10, 0.1), (3, 10, 0.5), (9, 10, 0.9), (480, 1000, 0.5), (-1, 5, 0.5), (5, 5, 0.5)]
)
def test_the_binomial_distribution_is_scipys(k: int, n: int, share: float) -> None:
    assert statistics.binomial_below(k, n, share) == pytest.approx(float(stats.binom.cdf(k, n, share)), abs=1e-10)


def test_a_quantiles_interval_holds_it_as_often_as_it_says() -> None:
    draw, missed = Draws(1), 0
    for _ in range(400):
        interval = statistics.quantile_interval(sorted(draw() for _ in range(60)), 0.5, 0.9)
        missed += not interval.low <= 0.5 <= interval.high
    assert missed <= 60  # 40 of 400 expected at most, for it is never too narrow


def test_few_values_bound_no_quantile() -> None:
    assert statistics.quantile_interval([1.0, 2.0], 0.5) == Interval(-math.inf, math.inf)
    assert statistics.quantile([3.0], 0.99) == 3.0


def test_distance_is_kolmogorov_and_smirnovs() -> None:
    draw = Draws(3)
    one, other = sorted(draw() for _ in range(300)), sorted(draw() ** 1.3 for _ in range(500))
    assert statistics.distance(one, other, 0, 0) == pytest.approx(stats.ks_2samp(one, other).statistic, abs=1 / 300)


def test_what_is_late_within_the_slack_is_no_distance() -> None:
    model = [index / 100 for index in range(100)]
    assert statistics.distance([value + 0.05 for value in model], model, 0, 0.051) <= 0.02
    assert statistics.distance([value - 0.05 for value in model], model, 0, 0.051) > 0.04


def test_samples_of_one_distribution_are_within_the_allowance() -> None:
    draw = Draws(5)
    for _ in range(20):
        one, other = sorted(draw() for _ in range(400)), sorted(draw() for _ in range(1600))
        assert statistics.distance(one, other, 0, 0) < statistics.distribution_allowance(400, 1600)


def test_runs() -> None:
    assert statistics.runs([3, 4, 9, 11, 12, 13]) == [2, 1, 3]
    assert statistics.runs([]) == []


def test_mean_runs_interval() -> None:
    found = statistics.mean_run_interval([5] * 100)
    assert found.low < 5 < found.high
    assert statistics.mean_run_interval([]) == Interval(1.0, math.inf)
    assert statistics.mean_run_interval([1] * 50).low == pytest.approx(1.0)


def test_intervals_compare() -> None:
    assert Interval(1, 2).within(Interval(1, 3))
    assert not Interval(0, 2).within(Interval(1, 3))
    assert Interval(0, 1).touches(Interval(1, 3))
    assert not Interval(0, 0.5).touches(Interval(1, 3))


def test_draws_repeat_and_fill_the_unit() -> None:
    first, again = Draws(9), Draws(9)
    values = [first() for _ in range(2000)]
    assert values == [again() for _ in range(2000)]
    assert stats.kstest(values, "uniform").pvalue > 0.001
