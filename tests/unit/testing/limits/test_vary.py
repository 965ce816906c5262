"""testing/limits/vary.py: ranges of a condition's words."""

from __future__ import annotations

import pytest

from netweather.errors import UsageError
from netweather.testing.limits.vary import bound, parse


def test_times_and_shares_go_in_equal_steps_rates_in_equal_ratios() -> None:
    delay, loss, rate = parse("delay=0..5s"), parse("loss=0..30%", 3), parse("rate=16mbit..1mbit", 4)
    assert [delay.text(point) for point in (0, 1, 32, 64)] == ["0s", "78ms", "2.5s", "5s"]
    assert [loss.text(point) for point in range(4)] == ["0%", "10%", "20%", "30%"]
    assert [rate.text(point) for point in range(5)] == ["16mbit", "8mbit", "4mbit", "2mbit", "1mbit"]
    assert [vary.unit for vary in (delay, loss, rate)] == ["s", "%", "bit/s"]
    assert (delay.number(64), loss.number(3), rate.number(4)) == (5, 30, 1e6)


def test_a_bound_is_a_point_on_the_way() -> None:
    assert bound(parse("delay=1s..5s"), "2s") == 16
    assert bound(parse("rate=16mbit..1mbit", 4), "4mbit") == pytest.approx(2)
    with pytest.raises(UsageError, match="not between"):
        bound(parse("delay=1s..5s"), "6s")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("delay=0", "bad-range"), ("delay", "bad-range"), ("delay=..5s", "bad-range"), ("delay=5s..5s", "bad-range"),
        ("rate=0..1mbit", "bad-range"), ("rate=1mbit..0", "bad-range"), ("delay=0..3ns", "bad-range"), ("dealy=0..5s", "unknown-word"),
        ("profile=3g..4g", "unknown-word"), ("delay=0..5", "bad-duration"), ("loss=0..30", "bad-percent"),
    ],
)  # fmt: skip
def test_what_can_not_be_varied(text: str, code: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse(text)
    assert raised.value.code == code
