"""What of a NetworkScenario is in force when: a pure function of the time since it began. Nodes are told ahead, and act by themselves.

They are told AHEAD states at a time, so that an object is written once in so many changes, however quickly they come, and a node
that is cut off goes on with at least as many, each of which ends in its time.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from netweather.conditions.scenario_timeline import Stretch
from netweather.kubernetes.objects.scenario_objects import PodScenario, whole_ns

AHEAD: Final = 32
SLOWEST_S: Final = 1.0
"""The status follows no faster."""
_MOST_NAMES: Final = 5


@dataclass(frozen=True)
class Playing:
    """How it stands. step: the names of those that are there now; round: from 1, 0 before it began; ends: None until it is deleted."""

    started: datetime
    ends: datetime | None
    step: str
    round: int
    states: tuple[tuple[datetime, datetime, Stretch], ...]
    """(from when, until when, what): those that nodes are told of, by their beginning."""
    again: datetime | None
    """When time alone changes any of this."""

    @property
    def over(self) -> bool:
        return self.again is None


def first_moment(now: datetime) -> datetime:
    """When one begins that is new: soon, and late enough for all nodes to hear of it before."""
    return now.replace(microsecond=0) + timedelta(seconds=2)


def play(scenario: PodScenario, started: datetime, now: datetime) -> Playing:
    """How it stands now."""
    whole = whole_ns(scenario)
    ends = None if whole is None else _after(started, whole)
    if ends is not None and ends <= now:
        return Playing(started, ends, "", 0, (), None)
    passed = (now - started) // timedelta(microseconds=1) * 1000
    number, at = divmod(max(0, passed), scenario.length)
    here = [(begin, end, name) for begin, end, name in scenario.spans if begin <= at < end and passed >= 0]
    states, next_chunk = _told(scenario, number, at)
    edges = {edge for begin, end, _ in scenario.spans for edge in (begin, end) if edge > at} | {scenario.length}
    step_changes = _after(started, number * scenario.length + (min(edges) if passed >= 0 else 0))
    changes = [max(step_changes, now + timedelta(seconds=SLOWEST_S)), _after(started, next_chunk)]
    return Playing(
        started,
        ends,
        ", ".join(name for _, _, name in here[-_MOST_NAMES:]),
        number + 1 if passed >= 0 else 0,
        tuple(_cut(started, ends, states)),
        min([*changes, *([ends] if ends is not None else [])]),
    )


def _told(scenario: PodScenario, number: int, at: int) -> tuple[list[tuple[int, int, Stretch]], int]:
    """(begin, end, what) in ns since the start of the states that are told at a moment of a round, and when it will be others."""
    stretches, length = scenario.stretches, scenario.length
    count = len(stretches)

    def begin(state: int) -> int:
        return state // count * length + stretches[state % count].begin

    latest = number * count + bisect_right(stretches, at, key=lambda each: each.begin) - 1
    chunk = max(0, latest) // AHEAD
    first, last = chunk * AHEAD, (chunk + 2) * AHEAD
    found = []
    for state in range(first // count * count, last):  # also those of this round that began before, and last on
        base, stretch = state // count * length, stretches[state % count]
        if state >= first or base + stretch.end > begin(first):
            found.append((base + stretch.begin, base + stretch.end, stretch))
    return found, begin(first + AHEAD)


def _cut(
    started: datetime, ends: datetime | None, states: list[tuple[int, int, Stretch]]
) -> Iterator[tuple[datetime, datetime, Stretch]]:
    """At the end of all."""
    for begin, end, stretch in states:
        since, until = _after(started, begin), _after(started, end)
        if ends is None or since < ends:
            yield since, until if ends is None else min(until, ends), stretch


def _after(started: datetime, ns: int) -> datetime:
    return started + timedelta(microseconds=ns // 1000)
