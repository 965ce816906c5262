from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

from netweather.conditions.profiles import load_profiles
from netweather.errors import NetweatherError
from netweather.kernel.tracing.link_recorder import Learnt
from netweather.kernel.tracing.trace_layout import BUCKETS
from netweather.observation import profile_learning
from tests.unit.observation.test_socket_figures import histogram

NONE: Sequence[int] = [0] * BUCKETS


def learnt(**fields: Any) -> Learnt:
    return Learnt(**{**dict.fromkeys(("sent", "again", "needless", "runs", "connections"), 0),
                     **dict.fromkeys(("first", "calm", "busy", "rates"), NONE), **fields})  # fmt: skip


def trips(number: int, mean: float = 40e6, sigma: float = 5e6) -> list[int]:
    chance = random.Random(7)
    return histogram(*(int(chance.gauss(mean, sigma)) for _ in range(number)))


def test_half_the_mean_each_way_and_the_spread_that_two_ways_add_up_to() -> None:
    found = profile_learning.line(learnt(first=trips(5000)))
    assert found.delay is not None
    assert found.delay.time.seconds == pytest.approx(0.020, rel=0.02)
    assert found.delay.jitter.seconds == pytest.approx(0.005 / 2**0.5, rel=0.05)
    assert (found.trips, found.source) == (5000, "handshakes")
    assert set(found.unknown) == {"loss", "rate"}


def test_too_few_round_trips_are_unknown() -> None:
    found = profile_learning.line(learnt(first=trips(199)))
    assert found.delay is None
    assert "199" in found.unknown["delay"]


def test_the_best_round_trips_there_are_enough_of() -> None:
    assert profile_learning.line(learnt(first=trips(100), calm=trips(150))).source == "calm"
    assert profile_learning.line(learnt(first=trips(100), calm=trips(50), busy=trips(300))).source == "busy"
    assert profile_learning.line(learnt(calm=trips(300), busy=trips(2000))).source == "busy"


def test_of_busy_connections_only_the_shortest_is_known() -> None:
    found = profile_learning.line(learnt(busy=trips(1000, 80e6, 10e6)))
    assert found.delay is not None
    assert found.delay.time.seconds == pytest.approx(0.0285, rel=0.1)
    assert not found.delay.table
    assert "jitter" in found.unknown


def test_losses_need_a_thousand_and_those_that_were_none_are_taken_off() -> None:
    assert profile_learning.line(learnt(sent=50_000, again=1099, needless=100, runs=1000)).loss is None
    found = profile_learning.line(learnt(sent=50_000, again=1100, needless=100, runs=275))
    assert (found.loss, found.run) == (0.02, 4.0)


def test_a_rate_is_one_only_when_it_is_always_much_the_same() -> None:
    steady = histogram(*range(19_000_000, 21_000_000, 2000))
    assert str(profile_learning.line(learnt(rates=steady)).rate)[:2] in ("19", "20")
    wild = histogram(*range(1_000_000, 40_000_000, 20_000))
    assert "very different rates" in profile_learning.line(learnt(rates=wild)).unknown["rate"]
    assert "no connection" in profile_learning.line(learnt(rates=histogram(*[10**7] * 499))).unknown["rate"]


def test_the_profile_is_one_that_can_be_loaded() -> None:
    import yaml

    found = profile_learning.line(
        learnt(sent=50_000, again=1000, runs=250, first=trips(300), rates=histogram(*[20_000_000] * 600))
    )
    made = profile_learning.profile("home", found, "./home.dist", "recorded in a test")
    both = made["home"]["both"]
    assert both["delay"]["distribution"] == "./home.dist"
    assert both["loss"] == {"model": "burst", "meanLength": "4.000", "share": "2%"}
    profile = load_profiles(yaml.safe_dump(made))["home"]
    assert profile.source == "recorded in a test"
    assert profile.up == profile.down


def test_losses_by_chance_alone_are_random() -> None:
    found = profile_learning.line(learnt(sent=100_000, again=2000, runs=1960))
    made = profile_learning.profile("home", found, "", "")["home"]
    assert made["both"] == {"loss": "2%"}
    assert "delay unknown" in made["notes"]


def test_nothing_learnt_is_an_error_that_says_why() -> None:
    with pytest.raises(NetweatherError, match="nothing-learnt") as caught:
        profile_learning.profile("home", profile_learning.line(learnt()), "", "")
    assert "delay" in caught.value.why


def test_values_of_a_histogram_are_spread_over_their_buckets() -> None:
    values = list(profile_learning.spread(histogram(*[1000] * 10, *[2000] * 30)))
    assert values == sorted(values)
    assert sum(value < 1500 for value in values) / len(values) == pytest.approx(0.25, abs=0.01)
    assert list(profile_learning.spread(NONE)) == []
