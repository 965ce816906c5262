from __future__ import annotations

import pytest

from netweather.conditions import NetworkCondition, validate
from netweather.conditions.profiles import expand
from netweather.demo.shop_profiles import NETWORKS, networks


def test_five_networks_in_their_order() -> None:
    assert [one.name for one in networks()] == [name for name, _ in NETWORKS]
    assert len(NETWORKS) == 5


def test_each_is_a_profile_with_a_source_that_the_engine_takes() -> None:
    for one in networks():
        assert one.source
        assert one.title
        if one.rules:
            expand(validate(NetworkCondition("demo", ("netns:x",), rules=one.rules)))


def test_on_the_perfect_network_nothing_is_put() -> None:
    perfect = networks()[0]
    assert perfect.rules == ()
    assert (perfect.asked.rtt_ms, perfect.asked.loss, perfect.asked.rate_down) == (0, 0, None)


def test_figures_are_those_of_the_profile() -> None:
    asked = {one.name: one.asked for one in networks()}
    assert (asked["3G"].rtt_ms, asked["3G"].rtt_p95_ms, asked["3G"].rate_down) == (300, 300, 1_600_000)
    assert asked["satellite"].rtt_ms == 600
    wifi = asked["lossy Wi-Fi"]
    assert wifi.loss == 0.02
    assert 0 < wifi.rtt_ms < wifi.rtt_p95_ms
    assert wifi.follows == pytest.approx(1 - 1 / 5 - 0.02 / 0.98 / 5)
