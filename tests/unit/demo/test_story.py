from __future__ import annotations

import pytest

from netweather.demo import story
from netweather.demo.findings import networks
from netweather.demo.story import FAST, FULL, LEASE, Plan

ASKED = {one.name: one.asked for one in networks()}
PLANS = {name: Plan(asked, FULL) for name, asked in ASKED.items()}


def test_the_whole_takes_about_a_minute_and_fast_less_than_half_of_it() -> None:
    full, fast = (sum(sum(Plan(asked, pace).steps.values()) for asked in ASKED.values()) for pace in (FULL, FAST))
    assert 40 < full < 70
    assert fast < full / 2


def test_no_network_outlives_its_lease() -> None:
    assert max(sum(plan.steps.values()) for plan in PLANS.values()) < LEASE.seconds / 2


def test_probes_leave_the_network_room() -> None:
    for name, plan in PLANS.items():
        slowest = min(ASKED[name].rate_down or 1e12, ASKED[name].rate_up or 1e12)
        assert story.PROBE_BITS * plan.loss.pps <= slowest * story.PART_FOR_PROBES + 1
        assert plan.loss.pps <= story.MOST_PROBES_S


def test_jitter_takes_more_probes() -> None:
    assert PLANS["lossy Wi-Fi"].trips == 2 * PLANS["3G"].trips


def test_a_long_fast_link_takes_more_time_and_connections() -> None:
    assert PLANS["3G"].streams == PLANS["perfect"].streams == story.STREAMS
    assert PLANS["satellite"].streams > 20
    assert PLANS["satellite"].download_s == pytest.approx(9 * 0.6)
    assert PLANS["perfect"].download_s == FULL.download_s
