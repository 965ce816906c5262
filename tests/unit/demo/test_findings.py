from __future__ import annotations

import json
from dataclasses import replace

import pytest

from netweather.demo.findings import Connections, Outcome, document, faults, followed, names, outcomes
from netweather.demo.quantiles import Share
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
        {"left": ["nwd-1-1-shop"]},
    ],
)
def test_broken_connections_and_what_is_left_are_shortcomings(changes: dict[str, object]) -> None:
    assert len(report(**changes).shortcomings) == 1


def test_a_customer_who_paid_twice_counts_once() -> None:
    outcome = Outcome(1.0, told=2, retried=2, charged=(2, 1, 0))
    assert (outcome.customers, outcome.twice, outcome.once) == (3, 1, 1)


def test_faults_are_what_can_not_come_from_what_was_asked() -> None:
    three_g = result(2)
    asked, seen = three_g.network.asked, three_g.seen
    assert faults(asked, seen) == []
    assert "ms seen" in faults(asked, replace(seen, rtt_between=(1.0, 2.0)))[0]
    assert "ms seen" in faults(asked, replace(seen, rtt_between=(400.0, 420.0)))[0]
    assert "lost" in faults(asked, replace(seen, lost_widest=Share(9, 900, 0.003, 0.02)))[0]
    assert "Mbit/s seen" in faults(asked, replace(seen, goodput=5e6))[0]
    assert "Mbit/s seen" in faults(asked, replace(seen, goodput=1e5))[0]
    assert faults(asked, replace(seen, goodput=1e5, download_trips=5)) == []


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
    assert found["naive"] == Outcome(seconds=2.0, told=2, retried=1, charged=(2, 1))
    assert found["fixed"] == Outcome(seconds=2.0, told=0, retried=1, charged=(0,))


def connection(port: int, closed: str | None, *networks: str, inode: int = 7) -> dict[str, object]:
    return {"port": port, "inode": inode, "closed": closed, "networks": list(networks)}


def test_a_connection_is_followed_by_its_socket() -> None:
    before = [connection(1, None), connection(2, None), connection(3, None), connection(4, None)]
    after = [
        connection(1, None, "a", "b"),
        connection(2, "time-out", "a"),
        connection(3, None, "a"),  # idle on b: it proves nothing
        connection(4, None, "a", "b", inode=8),  # the same port, another socket
        connection(5, "broken", "b"),
    ]
    assert followed(before, after, ["a", "b"]) == Connections(opened=4, still=1, hung_up=1, broken=1)


@pytest.mark.parametrize(
    ("numbers", "expected"), [([], ""), ([1], "4G"), ([1, 2], "4G and 3G"), ([0, 1, 2], "perfect, 4G and 3G")]
)
def test_names(numbers: list[int], expected: str) -> None:
    if numbers:
        assert names([result(number) for number in numbers]) == expected


def test_the_document_is_json_and_says_it_all() -> None:
    found = json.loads(json.dumps(document(report())))
    assert found["ok"] is True
    assert [one["name"] for one in found["networks"]][1:3] == ["4G", "3G"]
    assert found["networks"][4]["shops"]["naive"]["twice"] == 3
    assert found["networks"][3]["asked"]["loss"] == 0.02
    assert found["connections"] == {"opened": 18, "still": 12, "hung_up": 6, "broken": 0}
    assert ONCE.twice == 0
