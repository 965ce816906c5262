"""Traces as text."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from netweather.conditions import load_condition
from netweather.conditions.contents import with_contents
from netweather.conditions.estimates.effects import effects_of
from netweather.errors import UsageError
from netweather.lines.traces import BYTES_MAX, HEADER, ROW, figures, load_trace, parse_trace
from netweather.units import Percent, Rate
from tests.support.repository import ROOT

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
        ("time\n0s\n1s\n", "no row has"),
        ("time,rate\n0s,\n1s,\n", "no row has"),
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


@pytest.mark.parametrize("cells", ["0s,10mbps,", "3,1mbit,", "0s,1mbit,5"])
def test_a_wrong_value_is_named_with_its_line(cells: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_trace(f"time,rate,loss\n# why\n{cells}\n")
    assert (caught.value.code, "line 3: " in caught.value.why) == ("bad-trace", True), caught.value


def test_a_set_trace_keeps_the_numbers_of_its_files_lines(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("time,rate\n0s,1mbit\n1s,x\n")
    for word in (str(tmp_path / "x.csv"), with_contents(str(tmp_path / "x.csv"), "trace")):
        with pytest.raises(UsageError, match=r"x\.csv is not a trace") as caught:
            load_trace(word)
        assert caught.value.why.startswith("line 3: ")


def test_tables_as_spreadsheets_write_them() -> None:
    plain = parse_trace("time,rate\n0s,1mbit\n")
    assert parse_trace("\ufeffTime, Rate\r\n0s, 1mbit\r\n") == plain


USUAL = effects_of(load_condition({"delay": "10ms", "loss": "1%"}))


def test_what_a_table_does() -> None:
    found = figures(parse_trace("time,rate,delay,loss\n0s,10mbit,40ms,\n3s,500kbit,120ms,2%\n5s,,,\n"), USUAL)
    assert (found.rate.least, found.rate.mean, found.rate.most) == (500e3, pytest.approx(6.2e6), 10e6)
    assert (found.delay.least, found.delay.mean, found.delay.most) == (0.04, pytest.approx(0.072), 0.12)
    assert (found.loss.least, found.loss.mean, found.loss.most) == pytest.approx((0.01, 0.014, 0.02))
    assert (found.period, found.pause, found.wait) == (5, 0, 0)


def test_an_empty_rate_is_no_limit_and_one_of_0_a_pause() -> None:
    found = figures(parse_trace("time,rate\n0s,0\n1s,\n3s,0\n4s,,\n".replace(",,", ",")), USUAL)
    assert (found.rate.least, found.rate.most) == (0, math.inf)
    assert (found.pause, found.wait) == (pytest.approx(2), pytest.approx(0.5)), "1 s before the end and 1 s after it"
    never = effects_of(load_condition({})).following(figures(parse_trace("time,rate\n0s,0\n"), USUAL))
    assert never.loss == 1


def test_what_moments_do() -> None:
    found = figures(parse_trace("".join(f"{number}\n" for number in range(2, 3001, 2))), USUAL)
    assert (found.rate.least, found.rate.mean, found.rate.most) == (6e6, 6e6, 6e6)
    assert (found.period, found.pause, found.wait) == (3, pytest.approx(0.002), pytest.approx(0.001))
    paused = figures(parse_trace("500\n1000\n4000\n"), USUAL)
    assert (paused.rate.least, paused.rate.mean, paused.rate.most, paused.pause) == (0, 9000, 24e3, 3)


def examples() -> list[str]:
    """The traces of the page that describes the format."""
    return re.findall(r"```(?:csv|text)\n(.*?)```", (ROOT / "docs" / "traces.md").read_text(), re.DOTALL)


@pytest.mark.parametrize(("number", "period", "most"), [(0, 5.0, 10e6), (1, 0.05, 1.44e6)])
def test_the_pages_examples_are_traces(number: int, period: float, most: float) -> None:
    found = figures(parse_trace(examples()[number]), USUAL)
    assert (found.period, found.rate.most, len(examples())) == (period, pytest.approx(most), 2)


def test_the_pages_limits_are_ours() -> None:
    page = (ROOT / "docs" / "traces.md").read_text()
    assert f"{(BYTES_MAX - HEADER.size) // 8 // 1000},{(BYTES_MAX - HEADER.size) // 8 % 1000} moments" in page
    assert f"{(BYTES_MAX - HEADER.size) // ROW.size // 1000},{(BYTES_MAX - HEADER.size) // ROW.size % 1000} rows" in page
