"""What to expect of a condition, and how it is sent so that it can be seen."""

from __future__ import annotations

from statistics import mean

import pytest

from netweather.conditions import Condition
from netweather.conditions.language.flags import rule_from_flags
from netweather.measure import Expected, expect
from netweather.measure.trace_timeline import TraceMoment, TraceTimeline


def of(**flags: str | bool) -> Expected:
    return expect(rule_from_flags({name.replace("_", "-"): value for name, value in flags.items()}).condition)


def test_nothing_asked_is_nothing_expected() -> None:
    found = expect(Condition())
    assert (found.delays[-1], found.loss.high, found.duplicate, found.corrupt.high, found.reorder) == (0, 0, 0, 0, 0)
    assert found.rate is None
    assert found.unknown == {}


def test_losses_and_their_runs() -> None:
    assert of(loss="10%").loss.low == pytest.approx(0.1)
    assert of(loss="10%").run_length == pytest.approx(1 / 0.9)
    burst = of(loss_model="gemodel:p=1%,r=20%")
    assert burst.run_length == pytest.approx(5)
    assert burst.spread == pytest.approx(1.79 / 0.21)


def test_a_block_loses_all() -> None:
    found = of(block="drop")
    assert found.blocked
    assert (found.loss.low, found.loss.high) == (1, 1)


def test_parts_hide_each_other() -> None:
    found = of(loss="10%", duplicate="20%", corrupt="4%")
    assert found.loss.low < 0.1 < found.loss.high
    assert found.duplicate == pytest.approx(0.18)
    assert found.corrupt.low < found.corrupt.high == pytest.approx(0.04)


def test_overtaking_with_a_gap() -> None:
    assert of(delay="10ms", reorder="50%", gap="3").reorder == pytest.approx(1 / 4)


def test_the_pace_leaves_rate_and_queue_alone() -> None:
    slow = of(rate="1mbit")
    assert slow.pace() * (slow.size + slow.headers) * 8 < 0.31 * 1_000_000
    assert of(delay="100ms", limit="30").pace() <= 100
    assert of(rate="8kbit").pace() >= 2


def test_more_packets_for_smaller_shares_but_no_more_than_time_allows() -> None:
    assert of(loss="1%").count(4) > of(loss="20%").count(4) >= 400
    assert of(loss="0.01%").count(4) <= 12_000
    assert of(rate="64kbit", loss="1%").count(4) < 100


def test_the_model_draws_keeps_order_and_takes_time() -> None:
    sent = [index / 1000 for index in range(500)]
    assert of(delay="30ms").model(sent) == pytest.approx([0.03] * 500)
    spread = of(delay="30ms", jitter="10ms").model(sent)
    assert 0.0195 < spread[0] < 0.021
    assert 0.039 < spread[-1] < 0.0405
    limited = of(delay="30ms", rate="1mbit")
    assert limited.model([0.0])[0] == pytest.approx(0.03 + (limited.size + 42) * 8 / 1e6)
    ordered = of(delay="30ms", jitter="10ms", rate="100mbit").model(sent)
    assert mean(ordered) > mean(spread) + 0.005


@pytest.mark.parametrize(
    ("flags", "field"),
    [
        ({"slot": "10ms"}, "jitter"),
        ({"queue": "codel", "rate": "1mbit"}, "queue"),
        ({"trace": "./t"}, "delay"),
    ],
)
def test_what_cannot_be_told_is_said(flags: dict[str, str], field: str) -> None:
    assert field in of(**flags).unknown


def test_a_list_is_sent_as_far_as_its_last_number() -> None:
    found = of(loss_model="list:3,7,2000")
    assert found.listed == (3, 7, 2000)
    assert (found.count(10), found.count(0.2)) == (2000, 600)
    assert of(loss="1%").listed == ()


def test_marks_are_no_losses() -> None:
    found = of(loss="10%", ecn=True)
    assert (found.loss.high, found.marked, found.run_length) == (0, pytest.approx(0.1), None)


def test_waiting_for_a_slot_is_part_of_the_delay() -> None:
    assert of(delay="30ms", slot="10ms").slowest == pytest.approx(0.04)
    assert of(slot="10ms").waiting == pytest.approx(0.01)


def test_a_trace_is_sent_for_whole_periods() -> None:
    line = TraceTimeline(1.5, (TraceMoment(0.0, 0.02, 0.0, None), TraceMoment(1.0, 0.05, 0.3, None)))
    found = expect(Condition(trace="./t"), line)
    assert found.slowest == 0.05
    assert found.loss.low == pytest.approx(0.1)
    assert found.count(4) == 1 + found.pace() * 3
    assert found.count(1) < found.pace() * 1.5


def test_the_plain_form() -> None:
    plain = of(delay="30ms", loss="1%").plain()
    assert plain["delayMedian"] == 0.03
    assert plain["loss"] == pytest.approx([0.01, 0.01])


def test_delays_that_keep_the_order_are_taken_far_apart() -> None:
    sent = [index / 1000 for index in range(1000)]
    kept, free = of(delay="30ms", jitter="10ms", keep_order=True), of(delay="30ms", jitter="10ms")
    assert (free.step(sent), free.memory) == (1, 0.0)
    assert 19 <= kept.step(sent) <= 21
    assert len(kept.model(sent)) == 16 * len(sent[:: kept.step(sent)])
    assert len(of(delay="30ms", jitter="10ms", rate="1gbit", loss="50%").model(sent)) < 16 * 40


def test_a_probe_takes_its_time_with_the_headers_of_its_protocol() -> None:
    slow = of(rate="9600bit", overhead="26")
    assert slow.wire(32) == pytest.approx((14 + 28 + 32 + 26) * 8 / 9600)
    assert slow.fitted(60).wire(32) == pytest.approx((14 + 60 + 32 + 26) * 8 / 9600), "TCP over IPv6"
    assert of(rate="9600bit", overhead="-500").wire(32) == 0
    assert of(delay="1s").wire(1000) == 0
    assert (of(corrupt="1%").fitted(28, 300).size, of(corrupt="1%").fitted(28, 9000).size) == (300, 512)
