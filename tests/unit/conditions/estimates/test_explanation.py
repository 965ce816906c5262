from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netweather.conditions import Condition, Explanation, explain, explain_rule, load_condition, rule_from_flags
from netweather.errors import UsageError
from netweather.units import Duration, Rate
from tests.unit.conditions import strategies

MS = 1_000_000
BASE = Duration(MS)


def of(**flags: Any) -> Explanation:
    return explain_rule(rule_from_flags({name.replace("_", "-"): value for name, value in flags.items()}), base=BASE)


def test_a_delay_in_each_direction() -> None:
    seen = of(delay="100ms")
    assert (seen.rtt_added_up, seen.rtt_added_down, seen.rtt_added) == (
        Duration(100 * MS),
        Duration(100 * MS),
        Duration(200 * MS),
    )
    assert seen.rtt == seen.connect == Duration(201 * MS)
    assert seen.first_byte_http == seen.first_byte_quic == Duration(402 * MS)
    assert seen.first_byte_tls13 == Duration(603 * MS)
    assert seen.first_byte_tls12 == Duration(804 * MS)


def test_one_direction_adds_once() -> None:
    seen = of(delay="100ms", direction="egress")
    assert (seen.rtt_added_up, seen.rtt_added_down, seen.rtt_added) == (Duration(100 * MS), Duration(0), Duration(100 * MS))


def test_an_rtt_is_split() -> None:
    assert of(rtt="100ms").rtt_added == Duration(100 * MS)


def test_a_rate_bounds_throughput_and_delays_certificates() -> None:
    seen = of(rate="1mbit", direction="ingress")
    assert seen.throughput_down == Rate(956_407)
    assert seen.throughput_up is not None
    assert seen.throughput_up > Rate.parse("1gbit"), "by the window alone"
    assert seen.connect == Duration(MS + 592_000), "74 bytes"
    assert seen.first_byte_http == Duration(2 * MS + 592_000 + 528_000 + 12_112_000)
    assert seen.first_byte_tls13 is not None
    assert seen.first_byte_tls13.ns > seen.first_byte_http.ns + MS + 32 * MS, "4 kB of certificates"


def test_loss() -> None:
    seen = of(loss="1%", delay="50ms")
    assert seen.loss_up == seen.loss_down == pytest.approx(0.01)
    assert seen.connects_late == pytest.approx(0.0199)
    assert seen.throughput_down is not None
    assert seen.throughput_down.bits_per_second == pytest.approx(1448 * 8 / 0.101 * 12.2, rel=1e-3)
    assert seen.speech_lost == pytest.approx(0.01)


def test_speech_comes_too_late() -> None:
    seen = of(delay="100ms", jitter="50ms")
    assert seen.speech_lost == pytest.approx(0.4, abs=0.01)
    assert seen.reordered_speech == pytest.approx(0.32, abs=0.01)
    assert of(delay="100ms", jitter="20ms").speech_lost == 0


def test_nothing_arrives() -> None:
    for seen in (of(block="drop"), of(loss="100%"), of(profile="blackhole")):
        assert seen.rtt is seen.connect is seen.first_byte_tls13 is seen.rtt_added is None
        assert seen.throughput_down == Rate(0)
        assert seen.connects_late == 1
        assert dict(seen.lines())["TCP connect"] == "never"


def test_a_profile_is_looked_up() -> None:
    seen = of(profile="3g")
    assert seen.rtt_added == Duration(300 * MS + 98 * 8 * MS // 768 + 98 * 8 * MS // 1600)
    assert seen.throughput_up < seen.throughput_down  # type: ignore[operator]
    assert of(profile="3g/reversed").throughput_up == seen.throughput_down
    with pytest.raises(UsageError, match="3gg"):
        of(profile="3gg")


def test_lines_for_people() -> None:
    lines = dict(of(profile="3g", loss="1%").lines())
    assert lines["round trip added"] == "301.5 ms (151.0 ms up, 150.5 ms down)"
    assert lines["packets lost up, down"] == "1 %, 1 %"
    assert lines["first byte, TLS 1.2"].endswith(" s")
    assert lines["bulk TCP down"].endswith("kbit/s")
    assert lines["reordered, bulk"] == "0 %"
    assert dict(explain(Condition(), Condition(), Duration(0)).lines())["bulk TCP down"] == "not limited by this"
    assert dict(of(rate="500bit").lines())["bulk TCP up"] == "478 bit/s"
    assert dict(of(rate="500bit").lines())["round trip"] == "3.14 s"
    assert dict(of().lines())["round trip added"].startswith("0 µs")


@given(strategies.conditions, strategies.conditions, st.integers(0, 10**9).map(Duration))
def test_anything_can_be_explained(up: Condition, down: Condition, base: Duration) -> None:
    seen = explain(up, down, base)
    assert all(name and value for name, value in seen.lines())
    assert all(0 <= share <= 1 + 1e-9 for share in (seen.loss_up, seen.loss_down, seen.speech_lost, seen.connects_late))


def test_more_delay_is_never_quicker() -> None:
    seen = [explain(load_condition({"delay": f"{ms}ms"}), Condition()).first_byte_tls13 for ms in (0, 1, 10, 100, 1000)]
    assert seen == sorted(seen, key=lambda value: value.ns if value else 0)
