from __future__ import annotations

from dataclasses import replace

import pytest

from netweather.measure.trace_timeline import TraceMoment, TraceTimeline

TRAIN = TraceTimeline(1.0, (TraceMoment(0.0, 0.04, 0.0, 10e6), TraceMoment(0.6, 0.09, 0.1, 2e6)))


def test_what_holds_at_each_moment() -> None:
    assert TRAIN.at(0.59).delay == 0.04
    assert TRAIN.at(0.6).delay == 0.09
    assert TRAIN.at(7.3).delay == 0.04
    late = replace(TRAIN, moments=(TraceMoment(0.5, 0.01, 0, None), TraceMoment(0.7, 0.02, 0, None)))
    assert late.at(0.1).delay == 0.02  # of the period before


def test_means_over_a_period() -> None:
    assert TRAIN.loss == pytest.approx(0.04)
    assert TRAIN.mean_rate == pytest.approx(6.8e6)
    assert (TRAIN.least_rate, TRAIN.most_rate, TRAIN.slowest) == (2e6, 10e6, 0.09)


def test_times_without_a_rate_have_no_mean() -> None:
    open_ended = TraceTimeline(1.0, (TraceMoment(0.0, 0.0, 0.0, None), TraceMoment(0.5, 0.0, 0.0, 1e6)))
    assert open_ended.mean_rate is None
    assert open_ended.least_rate == 1e6


def test_opportunities_have_a_rate_and_a_wait() -> None:
    link = TraceTimeline(1.0, (), 6e6, 0.002)
    assert (link.mean_rate, link.least_rate, link.most_rate, link.slowest) == (6e6, 6e6, 6e6, 0.002)


def test_delays_of_a_period_in_order_and_without_the_lost() -> None:
    found = TRAIN.delays(2000)
    assert len(found) == pytest.approx(1920, abs=4)
    assert found[0] == pytest.approx(0.04)
    assert found[-1] == pytest.approx(0.09)
    between = [delay for delay in found if 0.0405 < delay < 0.0895]
    assert len(between) == pytest.approx(
        100, abs=5
    )  # sent right after the delay became 50 ms shorter, and kept behind the others


def test_packets_take_their_time_at_the_rate_of_the_moment_and_wait_where_nothing_passes() -> None:
    slow = TraceTimeline(1.0, (TraceMoment(0.0, 0.0, 0.0, 10e3), TraceMoment(0.5, 0.1, 0.0, 20e3)))
    found = slow.delays(4, 1000)
    assert (found[0], found[-1]) == pytest.approx((0.05, 0.2), abs=1e-3), "at the bounds half is sent at the other rate"
    assert slow.sent(0.45, 1000) == pytest.approx(0.525), "half of it at each rate"
    stops = TraceTimeline(1.0, (TraceMoment(0.0, 0.0, 0.0, 1e6), TraceMoment(0.8, 0.0, 0.0, 0.0)))
    assert (stops.pause, stops.slowest, stops.least_rate) == (pytest.approx(0.2), pytest.approx(0.2), pytest.approx(0.8e6))
    assert stops.sent(0.9, 1000) == pytest.approx(1.001)
    assert stops.delays(100)[-1] == pytest.approx(0.2, abs=0.011)
    over_the_end = replace(stops, moments=(TraceMoment(0.0, 0, 0, 0.0), TraceMoment(0.1, 0, 0, 1e6), TraceMoment(0.8, 0, 0, 0.0)))
    assert over_the_end.pause == pytest.approx(0.3)
    never = TraceTimeline(1.0, (TraceMoment(0.0, 0.0, 0.0, 0.0),))
    assert (never.pause, never.sent(0.5, 10)) == (1.0, float("inf"))
    open_ended = TraceTimeline(1.0, (TraceMoment(0.0, 0.01, 0.0, None),))
    assert open_ended.delays(10, 1e9)[-1] == pytest.approx(0.01)
