from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from netweather.conditions import FOREVER, NetworkCondition, load
from netweather.results import Experienced, RuleCounters
from netweather.scope.buttons import NAME, ButtonState
from netweather.scope.picture import SeenCondition
from netweather.scope.summary import hidden, properties, row, sentence
from netweather.units import Duration, Percent, Rate
from tests.unit.scope.conftest import container, shown

NOW = 1000.0
OURS = NetworkCondition(NAME, rules=ButtonState(Duration(500 * 10**6), Percent.parse("10%")).rules())


def condition(name: str, condition: Any, **match: Any) -> NetworkCondition:
    return load({"name": name, "rules": [{**match, "condition": condition}]})


def standing(*conditions: NetworkCondition, **more: Any) -> tuple[SeenCondition, ...]:
    """In the order in which they were set, nine minutes and a half before they end."""
    left = {"remaining_ns": 570 * 10**9, **more}
    return tuple(SeenCondition(shown(container(), each, **left), NOW) for each in conditions)


def said(*conditions: NetworkCondition, note: str = "", **more: Any) -> str:
    return sentence(standing(*conditions, **more), note, NOW)


def test_one_line_says_it_all() -> None:
    assert said() == "-"
    assert said(OURS) == "500 ms, 10 %, 9 min left"
    assert said(NetworkCondition(NAME, rules=ButtonState(profile="3g").rules()), remaining_ns=90 * 10**9) == "3g, 90 s left"
    assert (
        said(NetworkCondition(NAME, rules=ButtonState(rate=Rate(10**6)).rules()), remaining_ns=7200 * 10**9) == "1 mbit, 2 h left"
    )
    assert said(replace(OURS, lease=FOREVER), remaining_ns=None) == "500 ms, 10 %, no end"
    assert said(note="being set") == "being set"
    assert said(OURS, note="being set") == "500 ms, 10 %, 9 min left; being set"
    assert said(OURS, in_force=False, problems=("nw0 is gone",)) == f"{NAME}: nw0 is gone"
    assert said(condition("db", {"delay": "20ms"}, direction="ingress")) == "20 ms, incoming, 9 min left"
    assert said(condition("db", {"block": "drop"}, ports=[5432])) == "block drop, port 5432, 9 min left"


@pytest.mark.parametrize(
    ("first", "latency", "loss", "hides"),
    [
        (condition("first", {"delay": "20ms"}), "20ms", "-", True),
        (condition("first", {"delay": "20ms"}, direction="egress"), "20ms", "-", True),
        (condition("first", {"delay": "20ms"}, direction="ingress"), "500ms", "10%", False),
        (condition("first", {"delay": "20ms"}, ports=[5432]), "500ms", "10%", False),
        (condition("first", {"delay": "20ms"}, to=["192.0.2.7"]), "500ms", "10%", False),
        (condition("first", {"block": "drop"}), "-", "-", True),
    ],
)
def test_what_another_condition_hides_is_not_shown(first: NetworkCondition, latency: str, loss: str, hides: bool) -> None:
    both = standing(first, OURS)
    assert properties(both) == {"latency": latency, "pktloss": loss}
    assert ("10 %" in sentence(both, "", NOW)) == (loss == "10%")
    assert hidden(both) == ({NAME} if hides else set())
    assert row(both[1], hidden(both), NOW)["state"] == ("hidden, 9 min left" if hides else "9 min left")


def test_the_order_is_that_of_priorities_then_of_creation() -> None:
    later = load({"name": "later", "rules": [{"priority": -1, "condition": {"delay": "20ms"}}]})
    assert properties(standing(OURS, later)) == {"latency": "20ms", "pktloss": "-"}
    assert said(OURS, later) == "20 ms, 9 min left, 1 more"
    assert hidden(standing(OURS, later)) == {NAME}
    assert hidden(standing(later)) == set()


def test_what_hides_nothing() -> None:
    excepting = load({"name": "x", "exclude": [{"ports": [22]}], "rules": [{"condition": {"delay": "20ms"}}]})
    assert hidden(standing(excepting, OURS)) == set()
    broken = SeenCondition(shown(container(), condition("first", {"delay": "20ms"}), in_force=False), NOW)
    assert properties((broken, *standing(OURS))) == {"latency": "500ms", "pktloss": "10%"}
    same = condition("same", {"delay": "20ms"}, ports=[5432])
    assert hidden(standing(same, replace(same, name="again"))) == {"again"}


def test_what_others_wrote_is_shown_as_far_as_there_is_a_row() -> None:
    assert properties(standing(condition("x", {"delay": "1.5ms", "loss": {"model": "gemodel", "p": "1%", "r": "10%"}}))) == {
        "latency": "1.5ms", "pktloss": "-",
    }  # fmt: skip


def test_a_row() -> None:
    db = replace(condition("db", {"delay": "1.5ms"}, to=["192.0.2.7"], ports=[5432]), owner="alice")
    (each,) = standing(db)
    assert row(each, set(), NOW + 30) == {
        "what": "delay 1.5ms, to 192.0.2.7, port 5432 (alice)", "packets": "0, 0 lost", "rtt": "-", "state": "9 min left",
    }  # fmt: skip
    assert row(replace(each, ended_at=NOW), set(), NOW)["state"] == "ended"
    (broken,) = standing(db, in_force=False, problems=("the device nw0 is gone",))
    assert row(broken, set(), NOW)["state"] == "the device nw0 is gone"
    (lossy,) = standing(db, rules=(RuleCounters(200, 9000, 100, 0, 95, 0, 0, 5, 0, 3, 0, 0),))
    assert row(lossy, set(), NOW)["packets"] == "200, 100 lost (95 loss, 5 queue; 3 duplicated)"


def test_what_connections_lived_through_is_in_the_row() -> None:
    two = NetworkCondition("two", rules=OURS.rules * 2)

    def trips(lived: Any) -> str:
        (each,) = standing(two, lived=lived)
        return row(each, set(), NOW)["rtt"]

    assert trips((Experienced(2, 1, 310.0, 100_400.0, 3, None, None, None), None)) == "0.31 ms → 100 ms, 3 resent; -"
    assert trips((Experienced(1, 0, None, 1_250.0, 0, None, None, None),)) == "1.25 ms, 0 resent"
    assert trips((Experienced(1, 0, None, None, 0, None, None, None), None)) == "-; -"
    assert trips((None, None)) == trips(None) == "-"
