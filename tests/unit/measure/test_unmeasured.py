"""What nothing measured is CAN'T TELL, for each property in each situation."""

from __future__ import annotations

from typing import Any

import pytest

from netweather.conditions import load_condition
from netweather.measure import Expected, Figure, Verdict, expect
from netweather.measure.trace_timeline import TraceMoment, TraceTimeline
from netweather.measure.unmeasured import UNITS, requested, unmeasured

TRACE = TraceTimeline(1.0, (TraceMoment(0.0, 0.02, 0.1, 1e6), TraceMoment(0.5, 0.05, 0.0, 2e6)))
JITTER = {"time": "20ms", "jitter": "5ms"}
PROPERTIES: dict[str, tuple[dict[str, Any], set[str], set[str]]] = {  # condition, what it asks for, what round trips show of it
    "nothing": ({}, set(), set()),
    "zeros": ({"delay": "0ms", "loss": "0%", "rate": 0, "duplicate": "0%"}, set(), set()),
    "delay": ({"delay": "20ms"}, {"delay"}, {"delay"}),
    "jitter": ({"delay": JITTER}, {"delay", "jitter"}, {"delay"}),
    "order": ({"delay": {**JITTER, "keepOrder": True}}, {"delay", "jitter", "reorder"}, {"delay"}),
    "loss": ({"loss": "10%"}, {"loss"}, {"loss"}),
    "bursts": ({"loss": "burst:mean=5,share=2%"}, {"loss", "loss burst"}, {"loss"}),
    "gemodel": ({"loss": "gemodel:p=3%,r=20%"}, {"loss", "loss burst"}, {"loss"}),
    "list": ({"loss": "list:1,2"}, {"loss"}, {"loss"}),
    "duplicate": ({"duplicate": "1%"}, {"duplicate"}, set()),
    "corrupt": ({"corrupt": "1%"}, {"corrupt"}, set()),
    "reorder": ({"delay": "9ms", "reorder": "5%"}, {"delay", "reorder"}, {"delay"}),
    "rate": ({"rate": "1mbit"}, {"rate"}, set()),
    "limit": ({"rate": "1mbit", "limit": 50}, {"rate", "limit"}, set()),
    "codel": ({"rate": "1mbit", "queue": "codel"}, {"rate", "queue"}, set()),
    "slot": ({"slot": "10ms"}, {"slot"}, set()),
    "mtu": ({"mtu": 1300}, {"MTU"}, set()),
    "ecn": ({"loss": "10%", "ecn": True}, {"ECN mark"}, set()),
    "drop": ({"block": "drop"}, {"block"}, {"block"}),
    "reject": ({"block": "reject"}, {"block", "reject"}, {"block"}),
    "trace": ({"trace": "x"}, {"delay", "loss", "rate"}, {"delay", "loss"}),
    "lost trace": ({"trace": "x"}, {"trace"}, set()),
}


def of(name: str) -> Expected:
    return expect(load_condition(PROPERTIES[name][0]), TRACE if name == "trace" else None)


def seen(*names: str, direction: str = "round trip") -> list[Figure]:
    return [Figure(name, direction, "", 1.0, 1.0, None, Verdict.PASS, 400) for name in names]


def open_ones(name: str, *figures: Figure, ways: tuple[str, ...] = ("egress",), entered: bool = False) -> set[str]:
    found = unmeasured(dict.fromkeys(ways, of(name)), figures, entered=entered)
    assert all(each.verdict is Verdict.CANT_TELL and each.why and each.seen is None for each in found)
    return {f"{each.name} {each.direction}" for each in found}


@pytest.mark.parametrize("name", PROPERTIES)
def test_what_a_condition_asks_for(name: str) -> None:
    assert set(requested(of(name))) == PROPERTIES[name][1]
    assert PROPERTIES[name][1] <= UNITS.keys()


@pytest.mark.parametrize("name", PROPERTIES)
def test_nothing_measured_leaves_all_of_it_open(name: str) -> None:
    _, asked, _ = PROPERTIES[name]
    assert open_ones(name) == open_ones(name, entered=True) == {f"{each} egress" for each in asked}


@pytest.mark.parametrize("name", PROPERTIES)
def test_round_trips_leave_open_what_they_do_not_show_and_say_what_to_give(name: str) -> None:
    _, asked, shown = PROPERTIES[name]
    figures = seen("RTT", "loss", "block")
    assert open_ones(name, *figures) == {f"{each} egress" for each in asked - shown}
    found = unmeasured({"ingress": of(name)}, figures, entered=False)
    assert all("--peer" in each.why for each in found)


@pytest.mark.parametrize("name", PROPERTIES)
def test_each_direction_needs_its_own_measurement(name: str) -> None:
    _, asked, _ = PROPERTIES[name]
    figures = seen(*asked, direction="egress")
    ways = ("egress", "ingress")
    assert open_ones(name, *figures, ways=ways, entered=True) == {f"{each} ingress" for each in asked}
    assert open_ones(name, *figures, *seen(*asked, direction="ingress"), ways=ways, entered=True) == set()


def test_what_is_blocked_first_hides_the_other_direction() -> None:
    """A round trip ends at the block of its first half: the second has not been tried."""
    assert open_ones("drop", *seen("block"), ways=("egress", "ingress")) == {"block ingress"}
    ways = {"egress": of("drop"), "ingress": of("delay")}
    assert [each.name for each in unmeasured(ways, seen("block"), entered=False)] == ["delay"]


def test_losses_of_everything_show_a_block() -> None:
    assert open_ones("drop", *seen("loss", direction="egress"), entered=True) == set()


def test_the_reason_is_the_one_that_is_known() -> None:
    (correlated,) = unmeasured({"egress": expect(load_condition({"delay": {**JITTER, "correlation": "25%"}}))},
                               seen("delay", direction="egress"), entered=True)  # fmt: skip
    assert "correlated" in correlated.why
    refused = Figure("loss", "egress", "share", None, None, None, Verdict.CANT_TELL, 0, "this machine refused to send")
    assert {each.why for each in unmeasured({"egress": of("jitter")}, [refused], entered=True)} == {refused.why}
    whole = Figure("all", "egress", "", None, None, None, Verdict.CANT_TELL, 0, "no way there")
    assert unmeasured({"egress": of("jitter")}, [whole], entered=True) == [], "it is said once"


def test_a_pattern_without_a_formula_is_told_by_its_share() -> None:
    model = {"egress": expect(load_condition({"loss": "gemodel:p=3%,r=20%,1-h=50%"}))}
    assert unmeasured(model, seen("loss", direction="egress"), entered=True) == []
