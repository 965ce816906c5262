from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netweather.errors import UsageError
from netweather.units import Duration, MeanLength, Packets, Percent, Rate, Size, parse_limit

LARGEST = 2**63 - 1
whole = st.integers(0, LARGEST)
exponents = st.integers(0, 18).flatmap(lambda exponent: st.integers(0, 999).map(lambda n: min(n * 10**exponent, LARGEST)))


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("0", 0),
        ("0ms", 0),
        ("1ns", 1),
        ("250us", 250_000),
        ("250µs", 250_000),
        ("100ms", 100_000_000),
        ("1.5s", 1_500_000_000),
        (" 10M ", 600_000_000_000),
        ("1h", 3_600_000_000_000),
        ("2d", 172_800_000_000_000),
        ("0.1us", 100),
    ],
)
def test_durations(text: str, ns: int) -> None:
    assert Duration.parse(text) == Duration(ns)


@pytest.mark.parametrize(
    ("cls", "code", "text", "says"),
    [
        (Duration, "bad-duration", "100", "write 100ms or 100s"),
        (Duration, "bad-duration", "-1ms", "negative"),
        (Duration, "bad-duration", "", "a number and a unit"),
        (Duration, "bad-duration", "ms", "a number and a unit"),
        (Duration, "bad-duration", "1 ms", "a number and a unit"),
        (Duration, "bad-duration", "1e3ms", "'e3ms' is not known"),
        (Duration, "bad-duration", "1.5ns", "finer than a nanosecond"),
        (Duration, "bad-duration", "300000d", "292 years"),
        (Duration, "bad-duration", "1week", "'week' is not known"),
        (Duration, "bad-duration", "٣ms", "a number and a unit"),
        (Duration, "bad-duration", "9" * 5000 + "ms", "a number and a unit"),
        (Percent, "bad-percent", "3", "write 3%"),
        (Percent, "bad-percent", "0", "write 0%"),
        (Percent, "bad-percent", "100.1%", "0% to 100%"),
        (Percent, "bad-percent", "-1%", "from 0 to 100"),
        (Percent, "bad-percent", "0.00000001%", "smallest step"),
        (Percent, "bad-percent", "3percent", "write 3%"),
        (Percent, "bad-percent", "nan%", "from 0 to 100"),
        (Rate, "bad-rate", "10mbps", "write 10mbit for bits"),
        (Rate, "bad-rate", "10mbps", "bytes a second to tc, and bits a second to most people"),
        (Rate, "bad-rate", "10MB/s", "bytes a second to tc"),
        (Rate, "bad-rate", "5bps", "write 5bit for bits"),
        (Rate, "bad-rate", "10kibps", "write 10kbit"),
        (Rate, "bad-rate", "10", "write 10kbit or 10mbit"),
        (Rate, "bad-rate", "10mbit/s", "write 10mbit"),
        (Rate, "bad-rate", "0.5bit", "whole number of bits"),
        (Rate, "bad-rate", "99999999tbit", "that fast"),
        (Rate, "bad-rate", "fast", "a number and a unit"),
        (Size, "bad-size", "10", "unit is missing"),
        (Size, "bad-size", "10furlong", "use b, kb"),
        (Size, "bad-size", "0.5b", "whole number of bytes"),
        (Size, "bad-size", "big", "a number and a unit"),
        (Packets, "bad-packets", "10.5", "a whole number"),
        (Packets, "bad-packets", "4294967296", "not between"),
        (MeanLength, "bad-mean-length", "0.5", "from 1"),
        (MeanLength, "bad-mean-length", "5%", "from 1"),
    ],
)
def test_refusals_explain_themselves(cls: type[Duration], code: str, text: str, says: str) -> None:
    with pytest.raises(UsageError) as raised:
        cls.parse(text)
    assert raised.value.code == code
    assert says in str(raised.value)
    assert raised.value.remedy
    assert len(raised.value.what) < 200


def test_bare_floats_are_refused() -> None:
    for make in (Duration, Percent, Rate, Size, Packets, MeanLength):
        with pytest.raises(UsageError, match="float"):
            make(1.5)  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="bool"):
            make(True)


def test_a_negative_value_is_refused() -> None:
    with pytest.raises(UsageError, match="not between"):
        Duration(-1)
    with pytest.raises(UsageError, match="not between"):
        Percent(10**9 + 1)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Duration(0), "0s"),
        (Duration(1_500_000_000), "1.5s"),
        (Duration(90 * 10**9), "90s"),
        (Duration(600 * 10**9), "10m"),
        (Duration(5400 * 10**9), "90m"),
        (Duration(86400 * 10**9), "24h"),
        (Duration(1_234_567), "1.234567ms"),
        (Percent(0), "0%"),
        (Percent(1), "0.0000001%"),
        (Percent(10**9), "100%"),
        (Rate(0), "0bit"),
        (Rate(1_500_000), "1.5mbit"),
        (Size(0), "0b"),
        (Size(64_000), "64kb"),
        (Size(65_536), "64kib"),
        (Size(1_500), "1.5kb"),
        (Packets(1000), "1000"),
        (MeanLength(2500), "2.5"),
    ],
)
def test_texts(value: object, text: str) -> None:
    assert str(value) == text


@given(whole | exponents)
def test_durations_rates_and_sizes_parse_back(number: int) -> None:
    makers: list[Callable[[int], Duration | Rate | Size]] = [Duration, Rate, Size]
    for make in makers:
        value = make(number)
        assert type(value).parse(str(value)) == value


@given(st.integers(0, 10**9), st.integers(0, 2**32 - 1), st.integers(1000, 10**9))
def test_the_other_values_parse_back(ppb: int, count: int, thousandths: int) -> None:
    for value in (Percent(ppb), Packets(count), MeanLength(thousandths)):
        assert type(value).parse(str(value)) == value


@given(st.text(max_size=30) | st.from_regex(r"[0-9]{1,25}(\.[0-9]{1,25})?[a-z%/]{0,6}", fullmatch=True))
def test_any_text_parses_or_is_a_usage_error(text: str) -> None:
    for cls in (Duration, Percent, Rate, Size, Packets, MeanLength):
        with contextlib.suppress(UsageError):
            assert cls.parse(str(cls.parse(text))) == cls.parse(text)


@given(st.integers(0, 10**9), st.integers(1, 2**40))
def test_a_share_is_rounded_to_the_nearest(ppb: int, amount: int) -> None:
    assert abs(Percent(ppb).of(amount) * 10**9 - ppb * amount) * 2 <= 10**9


def test_netems_scale_is_met_at_both_ends() -> None:
    assert Percent(0).of(2**32 - 1) == 0
    assert Percent(10**9).of(2**32 - 1) == 2**32 - 1
    assert Percent.parse("30%").rest == Percent.parse("70%")
    assert Percent.parse("25%").fraction == 0.25


def test_values_are_ordered_and_hashable() -> None:
    assert Duration.parse("99ms") < Duration.parse("0.1s") == Duration.parse("100ms")
    assert Rate.parse("1gbit") > Rate.parse("999mbit")
    assert len({Percent.parse("1%"), Percent.parse("1.0%")}) == 1


def test_durations_add_and_divide() -> None:
    assert Duration(3) + Duration(4) == Duration(7)
    assert Duration(3) * 2 == Duration(6)
    assert Duration(7) // 2 == Duration(3)
    assert Duration.parse("1.5s").seconds == 1.5
    assert Rate.parse("12bit").bytes_per_second == 1


def test_a_limit_is_packets_bytes_or_time() -> None:
    assert parse_limit("1000") == Packets(1000)
    assert parse_limit("64kb") == Size(64_000)
    assert parse_limit("500ms") == Duration(500 * 10**6)
    with pytest.raises(UsageError, match="not a number of packets"):
        parse_limit("many")
