"""What the connections of each rule lived through, in words: beside a condition in `show` and `verify`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netweather.engine.experience import Experienced


def lived_words(name: str, lived: Sequence[Experienced | None]) -> Iterator[str]:
    """A line for each rule of a condition that a connection meets: `'slow' rule 1: 3 connections, RTT 0.3 → 201 ms, …`."""
    from netweather.cli.words import bit_rate, microseconds

    for number, one in enumerate(lived, 1):
        if one is None:
            continue
        parts = [f"{one.connections} connection{'s' if one.connections > 1 else ''}"]
        if one.rtt is not None:
            parts.append(f"RTT {_change(one.rtt_before, one.rtt, microseconds)}")
        parts.append(f"{one.retransmits:,} segment{'s' if one.retransmits != 1 else ''} retransmitted")
        if one.rate is not None:
            parts.append(f"delivery rate {_change(one.rate_before, one.rate, bit_rate)}")
        if one.goodput is not None:
            parts.append(f"goodput since {bit_rate(one.goodput)}")
        yield f"{name!r} rule {number}: {', '.join(parts)}"


def _change(before: float | None, now: float, words: Callable[[float], str]) -> str:
    return words(now) if before is None else f"{words(before)} → {words(now)}"
