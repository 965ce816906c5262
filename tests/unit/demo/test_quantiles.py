from __future__ import annotations

import math
import random

import pytest

from netweather.demo.quantiles import Z999, follow, median_interval, quantile, share_of, steady_speed


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1), (0.5, 2.5), (1.0, 4), (0.25, 1.5)])
def test_quantile(share: float, expected: float) -> None:
    assert quantile([4, 1, 3, 2], share) == expected


def test_no_values_have_no_quantile() -> None:
    with pytest.raises(ValueError, match="no values"):
        quantile([], 0.5)


def test_the_median_lies_in_its_interval_nearly_always() -> None:
    rest = random.Random(1)
    hits = 0
    for _ in range(500):
        low, high = median_interval([rest.expovariate(1) for _ in range(40)], 1.96)
        hits += low <= math.log(2) <= high
    assert 460 <= hits <= 497


def test_a_short_series_gives_the_widest_interval() -> None:
    assert median_interval([3, 1, 2], Z999) == (1, 3)


def test_independent_losses_follow_nothing() -> None:
    rest = random.Random(2)
    assert follow([rest.random() < 0.1 for _ in range(20_000)]) < 0.03
    assert follow([False] * 5) == 0
    assert follow([True]) == 0


def bursts(count: int, seed: int, *, p: float, r: float) -> list[bool]:
    rest, bad, fates = random.Random(seed), False, []
    for _ in range(count):
        bad = rest.random() >= r if bad else rest.random() < p
        fates.append(bad)
    return fates


def test_losses_in_bursts_follow_each_other() -> None:
    assert follow(bursts(50_000, 3, p=0.004, r=0.2)) == pytest.approx(1 - 0.004 - 0.2, abs=0.05)


def test_the_interval_of_bursts_holds_the_truth_19_times_in_20() -> None:
    truth = 0.01 / (0.01 + 0.2)
    shares = [share_of([bursts(4000, seed, p=0.01, r=0.2)], 0.79) for seed in range(200)]
    assert 180 <= sum(one.low <= truth <= one.high for one in shares) <= 200
    naive = [share_of([random.Random(seed).sample(one, len(one))]) for seed, one in enumerate([bursts(4000, 1, p=0.01, r=0.2)])]
    assert naive[0].high - naive[0].low < (shares[1].high - shares[1].low) / 2


def test_several_series_are_one_share() -> None:
    share = share_of([[True, False], [False, False]])
    assert (share.count, share.of, share.value) == (1, 4, 0.25)
    assert share.low < 0.25 < share.high


def test_nothing_lost_of_many_is_nearly_nothing_and_of_none_is_anything() -> None:
    assert share_of([[False] * 3000]).high < 0.002
    nothing = share_of([[]])
    assert (nothing.low, nothing.high, nothing.value) == (0.0, 1.0, 0.0)


def test_speed_is_that_of_the_last_third() -> None:
    slow, fast = [(t / 10, 1000) for t in range(20)], [(2 + t / 10, 10_000) for t in range(1, 10)]
    assert steady_speed([*slow, *fast], 3.0) == pytest.approx(9 * 10_000 * 8)
    assert steady_speed([], 0.0) == 0
