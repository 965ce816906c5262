from __future__ import annotations

from dataclasses import replace

import pytest

from netweather.measure.timeline import Moment, Timeline

TRAIN = Timeline(1.0, (Moment(0.0, 0.04, 0.0, 10e6), Moment(0.6, 0.09, 0.1, 2e6)))


def test_what_holds_at_each_moment() -> None:
    assert TRAIN.at(0.59).delay == 0.04
    assert TRAIN.at(0.6).delay == 0.09
    assert TRAIN.at(7.3).delay == 0.04
    late = replace(TRAIN, moments=(Moment(0.5, 0.01, 0, None), Moment(0.7, 0.02, 0, None)))
    assert late.at(0.1).delay == 0.02  # of the period before


def test_means_over_a_period() -> None:
    assert TRAIN.loss == pytest.approx(0.04)
    assert TRAIN.mean_rate == pytest.approx(6.8e6)
    assert (TRAIN.least_rate, TRAIN.most_rate, TRAIN.slowest) == (2e6, 10e6, 0.09)


def test_times_without_a_rate_have_no_mean() -> None:
    open_ended = Timeline(1.0, (Moment(0.0, 0.0, 0.0, None), Moment(0.5, 0.0, 0.0, 1e6)))
    assert open_ended.mean_rate is None
    assert open_ended.least_rate == 1e6


def test_opportunities_have_a_rate_and_a_wait() -> None:
    link = Timeline(1.0, (), 6e6, 0.002)
    assert (link.mean_rate, link.least_rate, link.most_rate, link.slowest) == (6e6, 6e6, 6e6, 0.002)


def test_delays_of_a_period_in_order_and_without_the_lost() -> None:
    found = TRAIN.delays(1000)
    assert len(found) == pytest.approx(960, abs=2)
    assert found[0] == pytest.approx(0.04)
    assert found[-1] == pytest.approx(0.09)
    between = [delay for delay in found if 0.0405 < delay < 0.0895]
    assert len(between) == pytest.approx(50, abs=3)  # sent right after the delay became 50 ms shorter, and kept behind the others
