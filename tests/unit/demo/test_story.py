from __future__ import annotations

from typing import Any

import pytest

from netweather.demo import shop_network as place
from netweather.demo import story
from netweather.demo.interrupt import Interrupts
from netweather.demo.shop_profiles import networks
from netweather.demo.story import FAST, FULL, LEASE, Story, download_s, probe_spacing_s, steps_of, streams, trip_count
from netweather.errors import NetweatherError

ASKED = {one.name: one.asked for one in networks()}


def test_the_whole_takes_about_a_minute_and_fast_less_than_half_of_it() -> None:
    full, fast = (sum(s for asked in ASKED.values() for _, s in steps_of(asked, pace)) for pace in (FULL, FAST))
    assert 40 < full < 70
    assert fast < full / 2


def test_no_network_outlives_its_lease() -> None:
    assert max(sum(s for _, s in steps_of(asked, FULL)) for asked in ASKED.values()) < LEASE.seconds / 2


def test_probes_leave_the_network_room() -> None:
    for asked in ASKED.values():
        slowest = min(asked.rate_down or 1e12, asked.rate_up or 1e12)
        assert story.PROBE_BITS / probe_spacing_s(asked) <= slowest * story.PART_FOR_PROBES + 1
        assert 1 / probe_spacing_s(asked) <= story.MOST_PROBES_S


def test_jitter_takes_more_probes() -> None:
    assert trip_count(ASKED["lossy Wi-Fi"], FULL) == 2 * trip_count(ASKED["3G"], FULL)


def test_a_long_fast_link_takes_more_time_and_connections() -> None:
    assert streams(ASKED["3G"]) == streams(ASKED["perfect"]) == story.STREAMS
    assert streams(ASKED["satellite"]) > 20
    assert download_s(ASKED["satellite"], FULL) == pytest.approx(9 * 0.6)
    assert download_s(ASKED["perfect"], FULL) == FULL.download_s


def test_when_it_fails_everything_is_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    removed: list[str] = []

    def fail(_beginning: str) -> None:
        raise NetweatherError("demo-failed", "no")

    monkeypatch.setattr(place, "make", fail)
    monkeypatch.setattr(place, "remove", removed.append)
    monkeypatch.setattr(place, "forsaken", list)
    steps: list[Any] = []
    with Interrupts() as interrupts, pytest.raises(NetweatherError):
        Story(FAST, interrupts, lambda *step: steps.append(step), steps.append).run()
    assert removed == [place.stem()]
    assert len(steps) == 1


def test_what_dead_demos_left_is_swept_away(monkeypatch: pytest.MonkeyPatch) -> None:
    removed: list[str] = []
    monkeypatch.setattr(place, "forsaken", lambda: ["nwd-1-1"])
    monkeypatch.setattr(place, "remove", removed.append)
    assert story.sweep() == ["nwd-1-1"]
    assert removed == ["nwd-1-1"]
