"""Traces as text."""

from __future__ import annotations

import pytest

from netweather.errors import UsageError
from netweather.lines.traces import BYTES_MAX, HEADER, ROW, parse_trace
from netweather.units import Percent, Rate

MS = 10**6


def test_mahimahi() -> None:
    trace = parse_trace("1\n5\n5\n\n# a comment\n20\n")
    assert trace.opportunities == (MS, 5 * MS, 5 * MS, 20 * MS)
    assert trace.period_ns == 20 * MS
    assert trace.mean_rate_bps == 4 * 1500 * 8 * 50
    assert len(trace.pack()) == HEADER.size + 4 * 8


def test_table() -> None:
    trace = parse_trace("time,rate,delay,loss\n0s,10mbit,40ms,\n3s,500kbit,120ms,2%\n5s,,,\n")
    first, second = trace.rows
    assert (first.rate, first.delay_ns, first.loss) == (Rate(10**7), 40 * MS, None)
    assert (second.time_ns, second.loss) == (3000 * MS, Percent(2 * 10**7))
    assert trace.period_ns == 5000 * MS
    assert trace.mean_rate_bps == 6_200_000
    assert len(trace.pack()) == HEADER.size + 2 * ROW.size


@pytest.mark.parametrize(("text", "period_ms"), [("time,delay\n0s,1ms\n", 1000), ("time,delay\n0s,1ms\n2s,3ms\n", 4000)])
def test_without_an_end_the_last_row_lasts_like_the_one_before(text: str, period_ms: int) -> None:
    assert parse_trace(text).period_ns == period_ms * MS


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "empty"),
        ("# nothing\n", "empty"),
        ("5\n1\n", "earlier"),
        ("0\n", "0"),
        ("1\nx\n", "line 2"),
        ("1\n2.5\n", "line 2"),
        ("when,rate\n0s,1mbit\n", "column"),
        ("rate\n1mbit\n", "column"),
        ("time,time\n0s,0s\n", "column"),
        ("time,rate\n", "no rows"),
        ("time,rate\n0s\n", "cells"),
        ("time,rate\n2s,1mbit\n1s,1mbit\n", "earlier"),
        ("time,rate\n0s,1mbit\n0s,\n", "no time"),
        ("9999999999999\n", "not a whole number"),
        ("99999999999\n", "104 days"),
        ("1\n" * (BYTES_MAX // 8), "MiB"),
    ],
)
def test_what_is_no_trace_is_refused(text: str, word: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_trace(text)
    assert caught.value.code == "bad-trace"
    assert word in caught.value.why
    assert caught.value.remedy


def test_units_complain_in_their_own_words() -> None:
    with pytest.raises(UsageError) as caught:
        parse_trace("time,rate\n0s,10mbps\n")
    assert caught.value.code == "bad-rate"
