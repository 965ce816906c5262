"""How much a queue holds, and how long a packet waits behind a full one."""

from __future__ import annotations

import pytest

from netweather.conditions import Condition, Delay, RateLimit, validate_condition
from netweather.conditions.estimates.explanation import explain
from netweather.conditions.queues import FRAME, longest_wait, room
from netweather.errors import UsageError
from netweather.lines.netem_line import netem_for
from netweather.lines.pump_line import params_for
from netweather.units import Duration, Limit, Packets, Rate, Size

SECOND = 10**9


def rated(bits: int, limit: Limit | None = None, delay_ms: int = 0) -> Condition:
    delay = Delay(Duration(delay_ms * 10**6)) if delay_ms else None
    return Condition(rate=RateLimit(Rate(bits)), limit=limit, delay=delay)


def test_a_slow_queue_holds_ten_packets_and_a_fast_one_a_second() -> None:
    assert room(9600, 0) == 10 * FRAME
    assert room(10**7, 0) == 10**7 // 8
    assert room(10**7, SECOND // 2) == 10**7 * 3 // 16  # and what is on its way


@pytest.mark.parametrize(
    ("condition", "seconds"),
    [
        (rated(9600), 10 * FRAME * 8 / 9600),
        (rated(10**7), 1),
        (rated(10**7, delay_ms=300), 1),
        (rated(10**6, Duration(SECOND // 2)), 0.5),
        (rated(10**6, Packets(100)), 100 * FRAME * 8 / 10**6),
        (rated(10**6, Size(125_000)), 1),
        (rated(10**6, Size(125_000), delay_ms=250), 0.75),
        (rated(10**6, Packets(1), delay_ms=250), 0),
    ],
)
def test_how_long_a_packet_waits(condition: Condition, seconds: float) -> None:
    assert longest_wait(condition, condition.rate.bitrate.bits_per_second) == pytest.approx(seconds, rel=1e-3)  # type: ignore[union-attr]
    assert longest_wait(condition, None) is None


@pytest.mark.parametrize("delay_ms", [0, 200])
@pytest.mark.parametrize("bits", [10**6, 10**8])
@pytest.mark.parametrize("wait", [SECOND // 20, SECOND // 2, 3 * SECOND])
def test_a_time_is_the_same_in_both_engines(bits: int, wait: int, delay_ms: int) -> None:
    """netem counts packets of full size, the pump bytes: both hold what is on its way, and so much time at the rate."""
    condition = rated(bits, Duration(wait), delay_ms)
    wanted = bits * (wait + delay_ms * 10**6) / (8 * SECOND)
    assert params_for(condition).limit_bytes == pytest.approx(wanted, abs=1)
    assert wanted <= netem_for(condition).limit * FRAME < wanted + FRAME + 1


def test_a_time_needs_a_rate() -> None:
    with pytest.raises(UsageError) as raised:
        validate_condition(Condition(limit=Duration(SECOND)))
    assert raised.value.code == "missing-key"
    assert validate_condition(Condition(limit=Duration(SECOND), profile="3g"))


def test_explain_says_it_in_seconds() -> None:
    lines = dict(explain(rated(9600), Condition()).lines())
    assert lines["wait in a full queue up, down"] == "12.62 s, no queue"
