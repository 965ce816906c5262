"""The session's pure parts; its packets are tests/kernel/test_verify.py's."""

from __future__ import annotations

from typing import Any, cast

import pytest

from netweather.conditions import Match
from netweather.conditions.language.flags import rule_from_flags
from netweather.kernel.datapath.spec import Datapath, RuleId
from netweather.kernel.namespaces import Namespace
from netweather.measure import Expected, Figure, Verdict, expect
from netweather.measure.session import Session, SessionFindings, burst

GOOD = Figure("loss", "egress", "share", 0.1, 0.1, None, Verdict.PASS, 100)


def of(**flags: str) -> Expected:
    return expect(rule_from_flags(cast("dict[str, Any]", flags)).condition)


def session(**flags: str) -> Session:
    nowhere = cast("Namespace", None)
    ways = {"egress": of(**flags)}
    return Session(
        nowhere, None, "192.0.2.1", "192.0.2.2", Match(), ways, Datapath(), RuleId("a", 0), int, lambda way: (), None, 10.0,
        lambda s, t: None,
    )  # fmt: skip


@pytest.mark.parametrize("rate", ["64kbit", "1mbit", "10mbit", "1gbit", "10gbit"])
def test_a_burst_is_bounded_in_time_and_bytes_and_saturates(rate: str) -> None:
    expected = of(rate=rate)
    found = burst(expected, 1.0)
    assert found.count >= 20
    assert found.count * found.size <= 24_000_000
    assert found.count / found.pps <= 1.6
    assert found.pps * (found.size + 42) * 8 >= 1.49 * (expected.rate or 0)


def test_a_bursts_packets_fit_the_mtu() -> None:
    assert burst(of(rate="10mbit", mtu="1300"), 1.0).size + 28 <= 1300


def test_a_counter_that_stood_still_leaves_everything_open() -> None:
    found = SessionFindings([GOOD], {}, ["100 packets"], 100)
    measured = session(loss="10%").conclude(found, 0, 3, 0)
    assert measured.verdict is Verdict.CANT_TELL
    assert "increased by 3 for 100 packets" in measured.figures[0].why


def test_a_counter_that_moved_lets_the_figures_stand() -> None:
    found = SessionFindings([GOOD], {}, ["100 packets"], 100)
    assert session(loss="10%").conclude(found, 2, 100, 10).verdict is Verdict.PASS


def test_nothing_measured_is_no_pass() -> None:
    assert session(loss="10%").conclude(SessionFindings(), 0, 0, 0).verdict is Verdict.CANT_TELL


def test_patience_is_for_the_slowest() -> None:
    assert session(delay="300ms").late == pytest.approx(0.3, rel=0.01)


def test_a_burst_is_not_fragmented() -> None:
    six = of(rate="10mbit").fitted(48)
    assert burst(six, 1.0, 1452).size == 1452
    assert burst(of(rate="10mbit", mtu="1300").fitted(60), 1.0).size + 60 <= 1300
    assert burst(of(rate="10mbit"), 1.0, 572).size == 572
