"""What is sent on purpose, over ends that are made up: how much, and when it can't tell. Real lines: tests/kernel/test_verify.py."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from netweather.conditions import Condition
from netweather.conditions.language.flags import rule_from_flags
from netweather.kernel.traffic.probe_packets import TCP, UDP, Ends, Flow, ProbeResult, ProbeStream
from netweather.measure import expect, extra_probes
from netweather.measure.session import Session, SessionFindings
from netweather.measure.trace_timeline import TraceMoment, TraceTimeline
from tests.unit.measure.test_session import session


class Silent:
    """Ends between which nothing arrives; what was sent is remembered."""

    def __init__(self) -> None:
        self.flow = Flow(UDP, "192.0.2.1", "192.0.2.2", 1, 2)
        self.streams: list[ProbeStream] = []
        self.whole = False
        self.largest = 1472

    def in_one_piece(self) -> None:
        self.whole = True

    def exchange(self, streams: dict[str, ProbeStream], patience: float) -> dict[str, ProbeResult]:
        self.streams += streams.values()
        sent = {way: tuple(int(n * 1e9 / each.pps) for n in range(each.count)) for way, each in streams.items()}
        return {way: ProbeResult(times, ()) for way, times in sent.items()}


def tried(**flags: str) -> tuple[SessionFindings, Silent]:
    found, ends = SessionFindings(), Silent()
    extra_probes.measure(session(**flags), found, cast("Ends", ends))
    return found, ends


def test_nothing_is_sent_for_what_a_stream_shows() -> None:
    found, ends = tried(delay="10ms", loss="1%", rate="1mbit")
    assert (found.figures, ends.streams) == ([], [])
    assert tried(block="drop")[1].streams == []


def test_sizes_are_of_the_mtu_and_one_larger() -> None:
    found, ends = tried(mtu="1300")
    assert [stream.size + 28 for stream in ends.streams] == [1300, 1301]
    assert ends.whole
    assert found.figures[0].verdict == "FAIL"
    assert found.sent == 80
    assert tried(mtu="70")[0].figures[0].verdict == "FAIL"
    ends.flow = Flow(TCP, "2001:db8::1", "2001:db8::2", 1, 2)
    found = SessionFindings()
    extra_probes.measure(session(mtu="70"), found, cast("Ends", ends))
    assert found.figures[0].verdict == "CAN'T TELL"


def test_a_burst_is_twice_what_the_queue_holds() -> None:
    found, ends = tried(limit="50", delay="100ms")
    assert ends.streams[0].count == 150
    assert found.figures[0].name == "limit"


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        ({"limit": "50", "delay": "100ms", "loss": "1%"}, "hide"),
        ({"limit": "50"}, "no packet waits"),
        ({"limit": "9000", "delay": "1s"}, "too long"),
        ({"limit": "1000", "rate": "64kbit"}, "too long"),
    ],
)
def test_a_queue_that_cannot_be_told_says_why(flags: dict[str, str], why: str) -> None:
    found, ends = tried(**flags)
    assert ends.streams == []
    assert found.figures[0].verdict == "CAN'T TELL"
    assert why in found.figures[0].why


def test_slots_with_a_size_are_filled_at_once_and_others_steadily() -> None:
    assert tried(slot="10ms")[1].streams[0].pps == 800
    burst = Condition(slot=replace(_slot(), packets=_packets(4)))
    ends = _with(burst)[1]
    assert ends.streams[0].pps == extra_probes.AT_ONCE
    assert ends.streams[0].count == 200
    assert tried(slot="10ms", rate="1mbit")[1].streams[0].pps <= 0.5 * 1e6 / 8 / 106


def _slot() -> Any:
    return rule_from_flags({"slot": "10ms"}).condition.slot


def _packets(count: int) -> Any:
    return rule_from_flags({"limit": str(count)}).condition.limit


def _with(condition: Condition, timeline: TraceTimeline | None = None) -> tuple[SessionFindings, Silent]:
    found, ends = SessionFindings(), Silent()
    made: Session = session(delay="1ms")
    made.expected = {"egress": expect(condition, timeline)}
    extra_probes.measure(made, found, cast("Ends", ends))
    return found, ends


def test_a_trace_is_measured_over_a_period() -> None:
    traced = Condition(trace="./t")
    one = TraceTimeline(1.0, (TraceMoment(0.0, 0.0, 0.0, 10e6),))
    found, ends = _with(traced, one)
    assert ends.streams[0].count / ends.streams[0].pps > 1.0
    assert ends.streams[0].pps * 1514 * 8 == pytest.approx(15e6)
    for hard in (replace(one, period=60.0), replace(one, moments=(TraceMoment(0.0, 0.0, 0.0, 10e9),))):
        found, ends = _with(traced, hard)
        assert (ends.streams, found.figures[0].verdict) == ([], "CAN'T TELL")
    half = TraceTimeline(1.0, (TraceMoment(0.0, 0.0, 0.0, None), TraceMoment(0.5, 0.0, 0.0, 1e6)))
    assert "without a rate" in _with(traced, half)[0].figures[0].why
    assert _with(traced, TraceTimeline(1.0, (TraceMoment(0.0, 0.1, 0.0, None),)))[0].figures == []
