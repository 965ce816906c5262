"""Recorded links as text → the bytes a pump replays, again and again.

Two forms. mahimahi's: one whole number of milliseconds a line, ascending, each a moment when 1500 bytes may pass (twice the
number: twice the bytes); it repeats after its last line.

    1
    5
    5

A table: a first line with the names of its columns, `time` and any of delay, loss, rate; then values in the units of the
condition language. Each row holds until the next; an empty cell leaves that to the condition. A last row with only a time ends
the trace; without one the last row lasts as long as the one before it (1 s when it is the only one). # begins a comment.
A rate of 0 lets nothing through. docs/traces.md says it for users.

    time,rate,delay,loss
    0s,10mbit,40ms,
    3s,500kbit,120ms,2%
    5s,,,

One that fails: "5\n1\n" is a UsageError bad-trace, because time runs backwards. `figures` says what a trace means to packets.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from netweather.conditions.contents import label_of, text_of
from netweather.conditions.estimates.effects import Effects, Spread, TraceEffects
from netweather.errors import UsageError
from netweather.units import Duration, Percent, Rate

MAGIC: Final = 0x5254574E
OPPORTUNITIES, TABLE = 1, 2
HAS_DELAY, HAS_LOSS, HAS_RATE = 1, 2, 4
HEADER: Final = struct.Struct("<IIQQ")
ROW: Final = struct.Struct("<QqQQII")
BYTES_MAX: Final = 4 << 20
MS: Final = 10**6
COLUMNS: Final = ("time", "delay", "loss", "rate")
PERIOD_MAX: Final = 2**53
ONE: Final = 2**32


@dataclass(frozen=True, slots=True)
class Row:
    """From `time_ns` on: this delay, loss and rate; None leaves it to the condition."""

    time_ns: int
    delay_ns: int | None = None
    loss: Percent | None = None
    rate: Rate | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """Either opportunities (ns) or rows, repeated every `period_ns`."""

    period_ns: int
    opportunities: tuple[int, ...] = ()
    rows: tuple[Row, ...] = ()

    def pack(self) -> bytes:
        """The bytes of pump/params.h's struct nw_trace_header and its rows."""
        kind, count = (TABLE, len(self.rows)) if self.rows else (OPPORTUNITIES, len(self.opportunities))
        head = HEADER.pack(MAGIC, kind, count, self.period_ns)
        if not self.rows:
            return head + struct.pack(f"<{count}Q", *self.opportunities)
        return head + b"".join(map(_pack_row, self.rows))

    @property
    def mean_rate_bps(self) -> int:
        """What passes on average; 0 when the trace does not say."""
        if self.opportunities:
            return len(self.opportunities) * 1500 * 8 * 10**9 // self.period_ns
        return round(sum(row.rate.bits_per_second * share for row, share in self.stretches if row.rate))

    @property
    def stretches(self) -> tuple[tuple[Row, float], ...]:
        """Each row with the share of time for which it holds; the last one holds until the first of the next period."""
        ends = [*(row.time_ns for row in self.rows[1:]), self.period_ns + self.rows[0].time_ns]
        return tuple((row, (end - row.time_ns) / self.period_ns) for row, end in zip(self.rows, ends, strict=True))

    @property
    def gaps(self) -> tuple[float, ...]:
        """The seconds between the moments when data may pass."""
        ends = [*self.opportunities[1:], self.opportunities[0] + self.period_ns]
        return tuple((end - start) / 1e9 for start, end in zip(self.opportunities, ends, strict=True))


def _pack_row(row: Row) -> bytes:
    has = (HAS_DELAY if row.delay_ns is not None else 0) | (HAS_LOSS if row.loss is not None else 0)
    has |= HAS_RATE if row.rate is not None else 0
    loss = row.loss.of(ONE) if row.loss is not None else 0
    return ROW.pack(row.time_ns, row.delay_ns or 0, row.rate.bits_per_second if row.rate else 0, loss, has, 0)


def load_trace(word: str) -> Trace:
    """A trace by its path or contents. Raises UsageError unreadable-file or bad-trace, which names it."""
    text = text_of(word, "trace")
    try:
        return parse_trace(text)
    except UsageError as error:
        raise UsageError(error.code, f"{label_of(word)} is not a trace", error.why, error.remedy) from error


def parse_trace(text: str) -> Trace:
    """Reads either form. Raises UsageError bad-trace, whose lines are numbered from 1."""
    lines = [(number, line.partition("#")[0].strip()) for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1)]
    lines = [(number, line) for number, line in lines if line]
    if not lines:
        raise _bad("it is empty")
    trace = _opportunities(lines) if lines[0][1].isdigit() else _table(lines)
    if len(trace.pack()) > BYTES_MAX:
        raise _bad(f"it is longer than {BYTES_MAX >> 20} MiB")
    if trace.period_ns > PERIOD_MAX:
        raise _bad("it is longer than 104 days")
    return trace


def _opportunities(lines: Sequence[tuple[int, str]]) -> Trace:
    times: list[int] = []
    for number, line in lines:
        if not line.isdigit() or len(line) > 12:
            raise _bad(f"line {number} is not a whole number of milliseconds: {line[:40]!r}")
        times.append(int(line) * MS)
        _check_order(times, number)
    if not times[-1]:
        raise _bad("its last time is 0, so it would repeat without a pause")
    return Trace(times[-1], opportunities=tuple(times))


def _table(lines: Sequence[tuple[int, str]]) -> Trace:
    names = [name.strip().lower() for name in lines[0][1].split(",")]
    if names.count("time") != 1 or len(set(names)) != len(names) or not set(names) <= set(COLUMNS):
        raise _bad(f"line {lines[0][0]} is neither a number of milliseconds nor column names: {lines[0][1][:40]!r}")
    rows: list[Row] = []
    for number, line in lines[1:]:
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) != len(names):
            raise _bad(f"line {number} has {len(cells)} cells, and the first line has {len(names)}")
        rows.append(_row(dict(zip(names, cells, strict=True)), number))
        _check_order([row.time_ns for row in rows[-2:]], number)
    if not rows:
        raise _bad("it has no rows")
    if all(row == Row(row.time_ns) for row in rows):
        raise _bad("no row has a delay, a loss or a rate")
    return _ended(rows)


def _row(cells: dict[str, str], number: int) -> Row:
    delay, loss, rate = (cells.get(name, "") for name in COLUMNS[1:])
    try:
        return Row(
            Duration.parse(cells["time"]).ns,
            Duration.parse(delay).ns if delay else None,
            Percent.parse(loss) if loss else None,
            Rate.parse(rate) if rate else None,
        )
    except UsageError as error:
        raise UsageError(
            "bad-trace", "the file is not a trace", f"line {number}: {error.what}: {error.why}", error.remedy
        ) from error


def _ended(rows: list[Row]) -> Trace:
    last = rows[-1]
    if len(rows) > 1 and last == Row(last.time_ns):
        rows.pop()
        period = last.time_ns
    else:
        period = last.time_ns + (last.time_ns - rows[-2].time_ns if len(rows) > 1 else 10**9)
    if period <= 0:
        raise _bad("it lasts no time at all")
    return Trace(period, rows=tuple(rows))


def _check_order(times: Sequence[int], number: int) -> None:
    if len(times) > 1 and times[-1] < times[-2]:
        raise _bad(f"line {number} is earlier than the one before it")


def follow(word: str, usual: Effects) -> TraceEffects:
    """What a trace, by its path or contents, does to packets. Raises UsageError unreadable-file, bad-trace."""
    return figures(load_trace(word), usual)


def figures(trace: Trace, usual: Effects) -> TraceEffects:
    """What a trace does to packets. usual: of the condition without it, for what the trace leaves open."""
    if trace.opportunities:
        wait = sum(gap * gap for gap in trace.gaps) / 2 / trace.period_ns * 1e9
        return TraceEffects(trace.period_ns / 1e9, _opportunities_rate(trace), Spread.same(usual.mean_delay),
                            Spread.same(usual.loss), wait, max(trace.gaps), usual.delays)  # fmt: skip
    parts = trace.stretches
    delays = [(row.delay_ns / 1e9 if row.delay_ns is not None else usual.mean_delay, share) for row, share in parts]
    losses = [(row.loss.fraction if row.loss is not None else usual.loss, share) for row, share in parts]
    rates = [(float(row.rate.bits_per_second) if row.rate is not None else usual.rate or math.inf, share) for row, share in parts]
    period = trace.period_ns / 1e9
    pauses = _pauses([(rate, share * period) for rate, share in rates])
    wait = sum(pause * pause for pause in pauses) / 2 / period
    quantiles = tuple(sorted(delay for delay, share in delays for _ in range(math.ceil(share * 256))))
    return TraceEffects(
        period, Spread.over(rates), Spread.over(delays), Spread.over(losses), wait, max(pauses, default=0.0), quantiles
    )


def _opportunities_rate(trace: Trace) -> Spread:
    """Over windows of a second, or over the whole of a shorter trace."""
    mean = trace.mean_rate_bps
    if trace.period_ns < 2 * 10**9:
        return Spread.same(mean)
    counts = [0] * (trace.period_ns // 10**9)
    for at in trace.opportunities:
        if (second := (at - 1) // 10**9) < len(counts):
            counts[max(0, second)] += 1
    return Spread(min(counts) * 12e3, mean, max(counts) * 12e3)


def _pauses(rates: Sequence[tuple[float, float]]) -> list[float]:
    """How long (s) nothing passes, each time; one that goes on over the end of the period is one."""
    found: list[float] = []
    for index, (rate, seconds) in enumerate(rates):
        if rate == 0 and index and rates[index - 1][0] == 0:
            found[-1] += seconds
        elif rate == 0:
            found.append(seconds)
    if len(found) > 1 and rates[0][0] == rates[-1][0] == 0:
        found[0] += found.pop()
    return found


def _bad(why: str) -> UsageError:
    remedy = "write mahimahi's milliseconds, one a line, or a table with the columns time, delay, loss, rate (docs/traces.md)"
    return UsageError("bad-trace", "the file is not a trace", why, remedy)
