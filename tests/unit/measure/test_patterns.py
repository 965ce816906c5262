"""Patterns that were made up: right ones pass, wrong ones fail, and what shows nothing is left open."""

from __future__ import annotations

from typing import Any

import pytest

from netweather.conditions import Condition, LossList
from netweather.conditions.model import Duplicate, Slot
from netweather.kernel.traffic.probe_packets import ProbeResult
from netweather.measure import Expected, expect
from netweather.measure.patterns import judge_limit, judge_listed, judge_mtu, judge_rate_over_time, judge_slots
from netweather.measure.trace_timeline import TraceMoment, TraceTimeline
from netweather.units import Duration, Packets, Percent, Size

MS = 1_000_000
SENT = ProbeResult(tuple(range(40)), tuple((n, n, n) for n in range(40)))
GONE = ProbeResult(tuple(range(40)), ())
REFUSED = ProbeResult(tuple(range(40)), (), refused=40)


@pytest.mark.parametrize(
    ("fitting", "larger", "verdict", "seen"),
    [
        (SENT, GONE, "PASS", 1300),
        (SENT, SENT, "FAIL", 1301),
        (GONE, GONE, "FAIL", None),
        (SENT, REFUSED, "CAN'T TELL", None),
        (REFUSED, REFUSED, "CAN'T TELL", None),
    ],
)
def test_the_largest_packet(fitting: ProbeResult, larger: ProbeResult, verdict: str, seen: int | None) -> None:
    found = judge_mtu("egress", 1300, fitting, larger)
    assert (found.verdict, found.seen) == (verdict, seen)


def without(*lost: int, count: int = 20) -> ProbeResult:
    """Packets of which those with these numbers, from 0, are lost."""
    return ProbeResult(tuple(range(count)), tuple((n, n, n) for n in range(count) if n not in lost))


@pytest.mark.parametrize(
    ("decided", "arrivals", "verdict"),
    [
        ([(0, 20)], without(2, 6, 8), "PASS"),
        ([(0, 20), (5, 5)], without(2, 6, 8), "PASS"),  # another interface's line has nothing to do with it
        ([(4, 24)], without(2, 4), "PASS"),  # number 3 had gone before
        ([(0, 20)], without(2, 6), "FAIL"),
        ([(0, 20)], without(2, 6, 9), "FAIL"),
        ([(0, 20)], without(), "FAIL"),
        ([(9, 29)], without(0), "FAIL"),
        ([(9, 29)], without(), "CAN'T TELL"),  # all have gone
        ([(0, 21)], without(2, 6, 8), "CAN'T TELL"),  # somebody else's packet may be among them
        ([(0, 20), (0, 20)], without(2, 6, 8), "CAN'T TELL"),
        ([(0, 0)], without(2, 6, 8), "CAN'T TELL"),
    ],
)
def test_the_numbers_of_a_list(decided: list[tuple[int, int]], arrivals: ProbeResult, verdict: str) -> None:
    found = judge_listed("egress", expect(Condition(loss=LossList((3, 7, 9)))), decided, arrivals)
    assert (found.name, found.verdict) == ("loss", verdict), found.why


def test_what_hides_the_numbers_of_a_list() -> None:
    condition = Condition(loss=LossList((3,)), duplicate=Duplicate(Percent(10**8)))
    assert judge_listed("egress", expect(condition), [(0, 20)], without(2)).verdict == "CAN'T TELL"


def test_a_list_that_begins_behind_the_probe_says_how_many_would_do() -> None:
    found = judge_listed("egress", expect(Condition(loss=LossList((500, 900)))), [(40, 60)], without())
    assert (found.verdict, "--samples 460" in found.why) == ("CAN'T TELL", True)


def batches(apart_ms: float, size: int, count: int = 40) -> ProbeResult:
    """`count` batches of `size` packets, so far apart."""
    times = [round(batch * apart_ms * MS) + 1000 * n for batch in range(count) for n in range(size)]
    return ProbeResult(tuple(range(len(times))), tuple((n, n, at) for n, at in enumerate(times)))


def slot(low: int, high: int | None = None, **more: Any) -> Slot:
    return Slot(Duration(low * MS), None if high is None else Duration(high * MS), **more)


@pytest.mark.parametrize(
    ("asked", "apart", "verdict"),
    [
        (slot(10), 10.4, "PASS"),
        (slot(10), 20, "FAIL"),
        (slot(10), 6, "FAIL"),
        (slot(10, 30), 20, "PASS"),
        (slot(2), 2, "CAN'T TELL"),
    ],
)
def test_slots(asked: Slot, apart: float, verdict: str) -> None:
    (found,) = judge_slots("egress", asked, batches(apart, 4), 0.001, 106)
    assert (found.name, found.verdict) == ("slot", verdict)


def test_packets_that_do_not_gather_are_no_slots() -> None:
    assert judge_slots("egress", slot(10), batches(2.0, 1, 400), 0.001, 106)[0].verdict != "PASS"


@pytest.mark.parametrize(
    ("limit", "size", "verdict"),
    [
        ({"packets": Packets(4)}, 4, "PASS"),
        ({"packets": Packets(4)}, 5, "FAIL"),
        ({"packets": Packets(8)}, 4, "FAIL"),
        ({"bytes": Size(400)}, 4, "PASS"),
    ],
)
def test_how_much_is_in_a_slot(limit: dict[str, Any], size: int, verdict: str) -> None:
    _, found = judge_slots("egress", slot(10, **limit), batches(10, size), 0.0, 106)
    assert (found.name, found.verdict) == ("slot size", verdict)


@pytest.mark.parametrize(("arrived", "verdict"), [(50, "PASS"), (56, "PASS"), (70, "FAIL"), (30, "FAIL")])
def test_the_room_of_a_queue(arrived: int, verdict: str) -> None:
    """In 5 ms five packets leave."""
    arrivals = ProbeResult(tuple(n * 5 * MS // 149 for n in range(150)), tuple((n, 0, n) for n in range(arrived)))
    assert judge_limit("egress", 50, arrivals, 1000.0).verdict == verdict


def test_a_queue_that_runs_empty_meanwhile_tells_nothing() -> None:
    arrivals = ProbeResult((0, 100 * MS), tuple((n, 0, n) for n in range(150)))
    assert judge_limit("egress", 50, arrivals, 1000.0).verdict == "CAN'T TELL"


def traced(rate: float, seconds: float) -> ProbeResult:
    """Packets of 1514 bytes on the wire at a rate."""
    count = int(rate * seconds / 8 / 1514)
    times = tuple(round(n * seconds * 1e9 / count) for n in range(count + 1))
    return ProbeResult(times, tuple((n, at, at) for n, at in enumerate(times)))


def over_a_second() -> Expected:
    return expect(Condition(trace="./t"), TraceTimeline(1.0, (TraceMoment(0.0, 0.0, 0.0, 10e6), TraceMoment(0.5, 0.0, 0.0, 2e6))))


@pytest.mark.parametrize(("rate", "seconds", "verdict"), [(6e6, 1.1, "PASS"), (8e6, 1.1, "FAIL"), (6e6, 0.5, "CAN'T TELL")])
def test_the_rate_over_a_trace(rate: float, seconds: float, verdict: str) -> None:
    found, series = judge_rate_over_time("egress", over_a_second(), traced(rate, seconds), 1472)
    assert found.verdict == verdict
    assert bool(series.rates) is (verdict != "CAN'T TELL")
