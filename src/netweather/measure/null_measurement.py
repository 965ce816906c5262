"""The null measurement: the same path without the condition, which shows what verify's own error is. Pure.

A figure's error is half of the interval of the difference between what was seen and the null measurement: both intervals together.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from netweather.kernel.traffic.probe_packets import ProbeResult
from netweather.measure import statistics
from netweather.measure.evidence import Figure, Null
from netweather.measure.expectation import Expected

PACKETS: Final = 100
PPS: Final = 1000.0
ECHOES: Final = 21
LEAST: Final = 11
"""Fewer have no interval."""
_SHARE_S: Final = 0.3
"""How long the packets that come in may fill a slow line, s."""


def null_count(expected: Iterable[Expected], most: int) -> int:
    """How many packets: those that arrive pass the line, too, and may not fill it."""
    times = [each.wire(each.size) for each in expected]
    return max(LEAST, min([most, *(int(_SHARE_S / each) for each in times if each)]))


def of_times(direction: str, times: Sequence[float], sent: int) -> Null:
    """From delays or round trips, s."""
    ordered = sorted(times)
    if not ordered:
        return Null(direction, None, None, sent, sent, "the peer did not answer without the condition either" if sent else "")
    return Null(
        direction, statistics.quantile(ordered, 0.5), statistics.quantile_interval(ordered, 0.5), sent, sent - len(ordered)
    )


def of_arrivals(direction: str, arrivals: ProbeResult) -> Null:
    first: dict[int, float] = {}
    for number, sent, arrived in arrivals.seen:
        first.setdefault(number, (arrived - sent) / 1e9)
    if arrivals.stepped:
        return Null(direction, None, None, why="the clock was set meanwhile")
    return of_times(direction, list(first.values()), len(arrivals.sent))


def with_errors(figures: Iterable[Figure], nulls: Iterable[Null]) -> list[Figure]:
    """The same, with what the null measurement says of delays, round trips and losses."""
    known = {null.direction: null for null in nulls if null.seen is not None}
    return [_with_error(figure, known.get(figure.direction)) for figure in figures]


def _with_error(figure: Figure, null: Null | None) -> Figure:
    if null is None or figure.seen is None:
        return figure
    if figure.name == "loss" and figure.unit == "share":
        return replace(figure, without=null.lost / null.samples)
    if figure.name in ("delay", "RTT") and figure.unit == "s" and figure.interval is not None and null.interval is not None:
        widths = [each.high - each.low for each in (figure.interval, null.interval)]
        return replace(figure, without=null.seen, error=sum(widths) / 2 if math.isfinite(sum(widths)) else None)
    return figure
