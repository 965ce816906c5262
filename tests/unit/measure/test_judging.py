"""Verdicts over made-up arrivals: right ones pass, planted errors fail, too few leave it open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from netweather.conditions import Condition
from netweather.conditions.language.flags import rule_from_flags
from netweather.kernel.traffic.probe_packets import ProbeResult
from netweather.measure import Expected, Figure, expect, judge_rtt, judge_stream
from netweather.measure.judging import judge_rate
from netweather.measure.statistics import Draws
from netweather.measure.trace_timeline import TraceMoment, TraceTimeline

MS = 1_000_000


def of(**flags: str) -> Expected:
    return expect(rule_from_flags({name.replace("_", "-"): value for name, value in flags.items()}).condition)


def arrivals(
    expected: Expected, count: int = 2000, *, factor: float = 1.0, corrupted: int = 0, stepped: bool = False
) -> ProbeResult:
    """What a right engine would deliver, its delays and losses off by a factor."""
    draw = Draws(11)
    sent = tuple(index * MS // 2 for index in range(count))
    seen = []
    for number, at in enumerate(sent):
        if draw() < expected.loss.low * factor:
            continue
        delay = 0.0 if draw() < expected.reorder else expected.delays[int(draw() * 256)] * factor
        copies = 1 + (draw() < expected.duplicate)
        seen += [(number, at, at + round((delay + 0.0001 + 0.0001 * draw()) * 1e9))] * copies
    seen.sort(key=lambda one: one[2])
    return ProbeResult(sent, tuple(seen), corrupted, stepped)


def verdicts(expected: Expected, found: ProbeResult) -> dict[str, str]:
    return {figure.name: str(figure.verdict) for figure in judge_stream("egress", expected, found)[0]}


@pytest.mark.parametrize(
    "flags",
    [
        {"delay": "100ms"},
        {"delay": "50ms", "jitter": "10ms", "distribution": "normal"},
        {"loss": "10%"},
        {"delay": "20ms", "reorder": "20%"},
        {"duplicate": "10%"},
    ],
    ids=str,
)
def test_what_is_as_asked_passes(flags: dict[str, str]) -> None:
    assert set(verdicts(of(**flags), arrivals(of(**flags))).values()) == {"PASS"}


@pytest.mark.parametrize("factor", [0.7, 1.3])
def test_a_delay_that_is_off_fails(factor: float) -> None:
    expected = of(delay="100ms")
    assert verdicts(expected, arrivals(expected, factor=factor))["delay"] == "FAIL"


def test_another_distribution_fails() -> None:
    found = arrivals(of(delay="50ms", jitter="10ms", distribution="normal"), 4000)
    expected = of(delay="50ms", jitter="10ms")
    assert verdicts(expected, found)["jitter"] == "FAIL"


@pytest.mark.parametrize("factor", [0.6, 1.5])
def test_losses_that_are_off_fail(factor: float) -> None:
    expected = of(loss="10%")
    assert verdicts(expected, arrivals(expected, factor=factor))["loss"] == "FAIL"


def test_losses_alone_are_no_bursts() -> None:
    burst = of(loss_model="gemodel:p=2%,r=18%")
    assert verdicts(burst, arrivals(of(loss="10%"), 6000))["loss burst"] == "FAIL"


def test_losses_nobody_asked_for_fail() -> None:
    assert verdicts(of(delay="1ms"), arrivals(of(delay="1ms", loss="5%")))["loss"] == "FAIL"


def test_a_share_too_small_for_so_few_is_left_open_with_the_remedy() -> None:
    expected = of(loss="0.1%")
    figures, _ = judge_stream("egress", expected, arrivals(expected, 400))
    loss = next(figure for figure in figures if figure.name == "loss")
    assert str(loss.verdict) == "CAN'T TELL"
    assert "--samples 20000" in loss.why


def test_corruption_beyond_what_was_asked_fails() -> None:
    assert verdicts(of(delay="1ms"), arrivals(of(delay="1ms"), corrupted=100))["corrupt"] == "FAIL"


def test_overtaking_that_nobody_asked_for_fails() -> None:
    assert verdicts(of(delay="5ms"), arrivals(of(delay="5ms", reorder="20%")))["reorder"] == "FAIL"


def test_nothing_arrived_or_a_clock_that_was_set_leaves_delays_open() -> None:
    expected = of(delay="5ms")
    assert verdicts(expected, arrivals(expected, stepped=True))["delay"] == "CAN'T TELL"
    assert verdicts(expected, ProbeResult((0, 1, 2), ()))["delay"] == "CAN'T TELL"


def test_a_block_is_judged_by_its_losses_alone() -> None:
    expected = of(block="drop")
    assert verdicts(expected, ProbeResult(tuple(range(400)), ())) == {"loss": "PASS"}
    assert verdicts(expected, arrivals(of(delay="1ms")))["loss"] == "FAIL"


def test_packets_that_our_own_kernel_refused_are_no_losses() -> None:
    expected = of(delay="5ms")
    assert verdicts(expected, ProbeResult(tuple(range(400)), (), refused=300)) == {"loss": "CAN'T TELL"}


def rate(seen: float, offered: float = 1.5e6, count: int = 200, size: int = 1208) -> str:
    step = round((size + 42) * 8 / seen * 1e9)
    found = ProbeResult((), tuple((number, 0, number * step) for number in range(count)))
    return str(judge_rate("egress", of(rate="1mbit"), found, size, offered)[0].verdict)


def test_a_burst_that_was_sent_with_pauses_is_no_failure() -> None:
    """The link was idle meanwhile: it could not show its rate."""
    bits, rate = (1000 + 42) * 8, 1e6
    step = int(bits / rate * 1e9 / 1.5)
    for pause, verdict in ((0, "FAIL"), (400_000_000, "CAN'T TELL")):
        sent = tuple(number * step + pause * (number >= 100) for number in range(200))
        seen, due = [], 0.0
        for number, at in enumerate(sent):
            due = max(at, due) + bits / (rate if pause else 0.8 * rate) * 1e9
            seen.append((number, at, int(due)))
        offered = len(sent) * bits / (sent[-1] / 1e9) + rate
        found = judge_rate("egress", of(rate="1mbit"), ProbeResult(sent, tuple(seen)), 1000, offered)[0]
        assert str(found.verdict) == verdict, found


def test_the_rate() -> None:
    assert rate(1.0e6) == "PASS"
    assert rate(0.7e6) == "FAIL"
    assert rate(1.3e6) == "FAIL"
    assert rate(0.9e6, offered=0.9e6) == "CAN'T TELL"
    assert rate(1.0e6, count=3) == "CAN'T TELL"


def rtt(times: list[float], base: float | None = 0.0) -> Figure:
    expected = of(delay="100ms")
    return judge_rtt(times, 31, expected, expected, base, "ICMP echoes")


def test_round_trips() -> None:
    assert str(rtt([0.2004] * 31).verdict) == "PASS"
    assert str(rtt([0.26] * 31).verdict) == "FAIL"
    assert str(rtt([0.15] * 31, None).verdict) == "FAIL"
    assert str(rtt([0.26] * 31, None).verdict) == "CAN'T TELL"
    assert str(rtt([0.26] * 31, 0.06).verdict) == "PASS"
    assert "0 of 31" in rtt([]).why


def steadily(count: int, delay: Callable[[float], float], spacing: float = 0.001, **more: Any) -> ProbeResult:
    """Packets at a steady pace, each so late (s) as its time says."""
    sent = tuple(round(number * spacing * 1e9) for number in range(count))
    seen = sorted(((n, at, at + round(delay(at / 1e9) * 1e9)) for n, at in enumerate(sent)), key=lambda one: one[2])
    return ProbeResult(sent, tuple(seen), spacing=spacing, **more)


def test_nothing_is_called_wrong_or_right_that_a_busy_machine_may_have_made_so() -> None:
    late = steadily(1000, lambda at: 0.1 + 0.006)
    assert verdicts(of(delay="100ms"), late)["delay"] == "FAIL"
    tardy = replace(late, sent=tuple(at + (8 * MS if number % 50 == 7 else 0) for number, at in enumerate(late.sent)))
    assert late.tardy == pytest.approx(0)
    assert tardy.tardy == pytest.approx(0.008)
    (figure, *_), _ = judge_stream("egress", of(delay="100ms"), tardy)
    assert (figure.verdict, "8.0 ms late" in figure.why) == ("CAN'T TELL", True)
    assert verdicts(of(delay="106ms"), tardy)["delay"] == "PASS"
    assert verdicts(of(delay="50ms"), tardy)["delay"] == "FAIL"


TRAIN = TraceTimeline(0.5, (TraceMoment(0.0, 0.02, 0.0, None), TraceMoment(0.3, 0.06, 0.0, None)))


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "PASS"), (1.3, "FAIL"), (0.7, "FAIL")])
def test_delays_over_a_trace(factor: float, verdict: str) -> None:
    expected = expect(Condition(trace="./t"), TRAIN)
    latest = 0.0

    def delay(at: float) -> float:
        """As the trace has it, and none overtakes another."""
        nonlocal latest
        latest = max(latest, at + TRAIN.at(at + 0.17).delay * factor)
        return latest - at

    found = verdicts(expected, steadily(2000, delay))
    assert found["delay"] == verdict
    assert "jitter" not in found


def test_less_than_a_period_tells_nothing_and_says_how_many_packets_would() -> None:
    expected = expect(Condition(trace="./t"), TRAIN)
    figures, _ = judge_stream("egress", expected, steadily(200, lambda at: 0.02))
    assert (figures[0].verdict, "--samples 1500" in figures[0].why) == ("CAN'T TELL", True)


@pytest.mark.parametrize(("most", "verdict"), [(0.01, "PASS"), (0.03, "FAIL")])
def test_delays_of_packets_that_wait_for_a_slot(most: float, verdict: str) -> None:
    found = steadily(500, lambda at: 0.03 + most - at % most)
    assert verdicts(of(delay="30ms", slot="10ms"), found)["delay"] != ("FAIL" if verdict == "PASS" else "PASS")
    assert verdicts(of(delay="80ms", slot="10ms"), found)["delay"] == "FAIL"


@pytest.mark.parametrize(("marked", "verdict"), [(100, "PASS"), (300, "FAIL"), (0, "FAIL")])
def test_marks(marked: int, verdict: str) -> None:
    expected = expect(rule_from_flags({"loss": "10%", "ecn": True}).condition)
    found = verdicts(expected, steadily(1000, lambda at: 0.0, marked=marked))
    assert (found["ECN mark"], found["loss"]) == (verdict, "PASS")


def test_what_codel_does_is_left_open() -> None:
    assert verdicts(of(rate="10mbit", queue="codel"), steadily(500, lambda at: 0.0001))["queue"] == "CAN'T TELL"


def test_a_round_trip_takes_its_time_at_the_rate() -> None:
    """74 bytes each way at 9.6 kbit/s: what is asked says so, and neither much less nor much more passes."""
    slow = of(rate="9600bit")
    for seen, verdict in ((0.1234, "PASS"), (0.09, "FAIL"), (0.16, "FAIL")):
        found = judge_rtt([seen] * 31, 31, slow, slow, 0.0, "ICMP echoes")
        assert (found.asked, str(found.verdict)) == (pytest.approx(2 * 74 / 1200), verdict)
