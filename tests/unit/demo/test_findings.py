from __future__ import annotations

import json
from dataclasses import replace

import pytest

from netweather.conditions import NetworkCondition, validate
from netweather.conditions.profiles import expand
from netweather.demo.customers import Record
from netweather.demo.findings import (
    NETWORKS,
    Connections,
    Lost,
    ShopOutcome,
    document,
    faults,
    followed,
    names,
    networks,
    outcomes,
)
from netweather.measure.statistics import Interval
from tests.unit.demo.sample import ONCE, TWICE, report, result


def test_a_demo_without_trouble_has_no_shortcomings() -> None:
    assert report().shortcomings == []
    assert names(report().caught("naive")) == "satellite"


def test_it_must_find_the_double_purchase_and_the_fixed_shop_must_not_make_it() -> None:
    never = [result(number) for number in range(5)]
    assert report(results=never).shortcomings == ["the naive shop's double purchase was not seen"]
    both = [*never[:4], result(4, outcomes={"naive": TWICE, "fixed": TWICE})]
    assert report(results=both).shortcomings == ["the fixed shop sold twice on satellite"]


@pytest.mark.parametrize(
    "changes",
    [
        {"connections": Connections(18, 11, 6, 1)},
        {"stream": {"broken": True, "missing": 0}},
        {"stream": {"broken": False, "missing": 1}},
        {"left": ["nwlab-1-1-0-shop"]},
    ],
)
def test_broken_connections_and_what_is_left_are_shortcomings(changes: dict[str, object]) -> None:
    assert len(report(**changes).shortcomings) == 1


def test_a_customer_who_paid_twice_counts_once() -> None:
    outcome = ShopOutcome(1.0, told=2, retried=2, charged=(2, 1, 0))
    assert (outcome.customers, outcome.twice, outcome.once) == (3, 1, 1)


def test_faults_are_what_can_not_come_from_what_was_asked() -> None:
    three_g = result(2)
    asked, seen = three_g.network.asked, three_g.seen
    assert faults(asked, seen) == []
    assert "ms seen" in faults(asked, replace(seen, rtt_between=Interval(1.0, 2.0)))[0]
    assert "ms seen" in faults(asked, replace(seen, rtt_between=Interval(400.0, 420.0)))[0]
    assert "lost" in faults(asked, replace(seen, lost=Lost(9, 900)))[0]
    assert "Mbit/s seen" in faults(asked, replace(seen, goodput=5e6))[0]
    assert "Mbit/s seen" in faults(asked, replace(seen, goodput=1e5))[0]
    assert faults(asked, replace(seen, goodput=1e5, download_trips=5)) == []
    wifi = result(3)  # with losses, 1.5 s of a download
    late = replace(wifi.seen, goodput=(wifi.network.asked.rate_down or 0) * 1.13, download_trips=1500 / wifi.network.asked.rtt_ms)
    assert faults(wifi.network.asked, late) == []
    assert "Mbit/s seen" in faults(wifi.network.asked, replace(late, goodput=late.goodput * 1.2))[0]


def test_the_engines_own_doubts_are_faults() -> None:
    assert result(2, problems=("the pump is not running",)).faults == ["the pump is not running"]


def test_outcomes_are_those_of_the_ledger() -> None:
    purchases = [
        {"order": "a", "shop": "naive", "seconds": 3.0, "told": True, "attempts": ["time-out", "ok"]},
        {"order": "b", "shop": "naive", "seconds": 1.0, "told": True, "attempts": ["ok"]},
        {"order": "c", "shop": "fixed", "seconds": 2.0, "told": False, "attempts": ["time-out", "time-out"]},
    ]
    ledger = [{"order": order} for order in ("a", "b", "a", "elsewhere")]
    found = outcomes(purchases, ledger)
    assert found["naive"] == ShopOutcome(seconds=2.0, told=2, retried=1, charged=(2, 1))
    assert found["fixed"] == ShopOutcome(seconds=2.0, told=0, retried=1, charged=(0,))


def test_connections_are_followed_through_all_networks() -> None:
    both = Record({"a", "b"})
    idle = Record({"a"})  # on b it proves nothing
    at_first = [both, Record({"a"}, "time-out"), idle]
    at_last = [*at_first, Record({"a", "b"}), Record({"b"}, "broken")]
    assert followed(at_first, at_last, ["a", "b"]) == Connections(opened=3, still=1, hung_up=1, broken=1)


def test_losses_in_bursts_prove_less() -> None:
    alone, bursts = Lost(80, 4000).between(), Lost(80, 4000, spread=9.0).between()
    assert alone.within(bursts)
    assert bursts.high - bursts.low > 2.5 * (alone.high - alone.low)
    assert Lost(0, 0).share == 0.0


@pytest.mark.parametrize(("numbers", "expected"), [([1], "4G"), ([1, 2], "4G and 3G"), ([0, 1, 2], "perfect, 4G and 3G")])
def test_names(numbers: list[int], expected: str) -> None:
    assert names([result(number) for number in numbers]) == expected


def test_the_document_is_json_and_says_it_all() -> None:
    found = json.loads(json.dumps(document(report())))
    assert found["ok"] is True
    assert [one["name"] for one in found["networks"]][1:3] == ["4G", "3G"]
    assert found["networks"][4]["shops"]["naive"]["twice"] == 3
    assert found["networks"][3]["asked"]["loss"] == 0.02
    assert found["connections"] == {"opened": 18, "still": 12, "hung_up": 6, "broken": 0}
    assert ONCE.twice == 0


def test_five_networks_in_their_order() -> None:
    assert [one.name for one in networks()] == list(NETWORKS)
    assert len(NETWORKS) == 5


def test_each_is_a_profile_with_a_source_that_the_engine_takes() -> None:
    for one in networks():
        assert one.source
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
    follows = 1 - 1 / 5 - 0.02 / 0.98 / 5
    assert wifi.spread == pytest.approx((1 + follows) / (1 - follows))
