"""What the connections of each rule lived through, in words: beside a condition in `show` and `verify`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from netweather.errors import NetweatherError

if TYPE_CHECKING:
    from netweather.engine import Service
    from netweather.engine.experience import Experienced, Met

Lives = dict[str, "Mapping[Met, Experienced]"]
"""By a target's reference."""


def lived(service: Service, references: Iterable[str]) -> Lives:
    """Asks for it; of a target that is gone, or whose kernel doesn't tell, there is nothing."""
    from netweather.engine.experience import experienced

    found: Lives = {}
    for reference in references:
        with suppress(NetweatherError, OSError):
            for listed in service.connections(reference):
                found[listed.target.reference] = experienced(listed.connections)
    return found


def lived_words(lives: Mapping[Met, Experienced], name: str) -> Iterator[str]:
    """A line for each rule of this condition that a connection meets: `'slow' rule 1: 3 connections, RTT 0.3 → 201 ms, …`."""
    from netweather.cli.words import bit_rate, microseconds

    for met in sorted(met for met in lives if met.condition == name):
        one = lives[met]
        parts = [f"{one.connections} connection{'s' if one.connections > 1 else ''}"]
        if one.rtt is not None:
            parts.append(f"RTT {_change(one.rtt_before, one.rtt, microseconds)}")
        parts.append(f"{one.retransmits:,} segment{'s' if one.retransmits != 1 else ''} sent again")
        if one.rate is not None:
            parts.append(f"data arrives at {_change(one.rate_before, one.rate, bit_rate)}")
        yield f"{name!r} rule {met.rule + 1}: {', '.join(parts)}"


def _change(before: float | None, now: float, words: Callable[[float], str]) -> str:
    return words(now) if before is None else f"{words(before)} → {words(now)}"
