"""A scenario being played: its moments put in force in time, renewed meanwhile, and taken back at the end, however that comes.

Works through two calls that put and end conditions, so the agent and the foreground play alike. Not here: what is in force when
(conditions.timeline), and who may do it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from netweather.conditions import NetworkCondition
from netweather.conditions.scenario import Scenario
from netweather.conditions.timeline import Moment, timeline
from netweather.errors import NetweatherError
from netweather.targets.references import can_be_target

State = Literal["playing", "paused", "ended", "stopped", "failed"]
_GONE: Final = frozenset({"unknown-target", "target-not-running"})
Key = tuple[str, str]
"""(target's words, condition's name)."""
Put = Callable[[Sequence[NetworkCondition], bool], None]
"""Puts conditions in force, all or none; True: they are, and are only renewed."""
End = Callable[[str, str], None]
"""Ends the condition of a name on a target; that it isn't in force any more is no failure."""


@dataclass(frozen=True)
class Progress:
    """Where it is: seconds from the round's start, the round from 1, and what is in force: names by target."""

    state: State
    at: float
    round: int
    in_force: tuple[Key, ...]
    problem: NetweatherError | None = None

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        held = [{"target": target, "name": name} for target, name in self.in_force]
        document = {"state": self.state, "atSeconds": round(self.at, 3), "round": self.round, "inForce": held}
        return {**document, "problem": self.problem.as_problem()} if self.problem else document


class _Stopped(Exception):
    """Somebody asked to end it."""


class Player:
    """Plays one scenario. `run` blocks; the other methods may be called by any thread.

    tell: told of what happens, in the past tense: started, stepped, paused, resumed, and how it ended.
    Raises UsageError for a scenario that makes no sense.
    """

    def __init__(
        self, scenario: Scenario, put: Put, end: End, tell: Callable[[str, dict[str, Any]], None] = lambda kind, data: None
    ) -> None:
        self.scenario, self.timeline = scenario, timeline(scenario, can_be_target)
        self._put, self._end, self._tell = put, end, tell
        self._changed = threading.Condition()
        self._state: State = "playing"
        self._stop = False
        self._problem: NetweatherError | None = None
        self._held: dict[Key, NetworkCondition] = {}
        self._round, self._begin, self._paused_at = 1, 0.0, 0.0
        self._renew_at = 0.0

    @property
    def progress(self) -> Progress:
        with self._changed:
            now = self._paused_at if self._state == "paused" else time.monotonic()
            at = max(0.0, now - self._begin) if self._begin and self._state in ("playing", "paused") else 0.0
            return Progress(self._state, at, self._round, tuple(sorted(self._held)), self._problem)

    def pause(self) -> None:
        """The timeline stands still; what is in force stays so. Raises NetweatherError(code="not-playing")."""
        self._turn("playing", "paused")

    def resume(self) -> None:
        """It goes on from where it stood. Raises NetweatherError(code="not-playing")."""
        self._turn("paused", "playing")

    def stop(self) -> None:
        """Ends it soon; `run` returns when the network is as it was."""
        with self._changed:
            self._stop = True
            self._changed.notify_all()

    def run(self) -> None:
        """Plays it to its end. Raises the NetweatherError of what could not be put in force; all is taken back then, too."""
        ended: State = "failed"
        self._tell("scenario-started", {"rounds": self.scenario.repeat, "seconds": self.timeline.length / 1e9})
        try:
            for number in range(self.scenario.repeat):
                self._play(number + 1)
            ended = "ended"
        except _Stopped:
            ended = "stopped"
        except NetweatherError as error:
            self._problem = error
            raise
        finally:
            self._finish(ended)

    # inside: the thread that runs

    def _play(self, number: int) -> None:
        moments, now = self.timeline.moments, time.monotonic()
        with self._changed:
            # Rounds follow each other without a gap, unless one took longer than it should.
            self._begin = max(self._begin + self.timeline.length / 1e9, now - 1.0) if self._begin else now
            self._round = number
        for index, moment in enumerate(moments):
            self._until(moment.at)
            late = index + 1 < len(moments) and self._position() >= moments[index + 1].at
            if not late:  # what is over already is not put in force
                self._become(moment)
        self._until(self.timeline.length)

    def _position(self) -> float:
        return (time.monotonic() - self._begin) * 1e9

    def _until(self, position: int) -> None:
        """Waits for a place in the round, and renews meanwhile. Raises _Stopped."""
        while True:
            with self._changed:
                if self._stop:
                    raise _Stopped
                left = (position - self._position()) / 1e9
                if self._state == "playing" and left <= 0:
                    return
                until_renewed = max(0.0, self._renew_at - time.monotonic()) if self._held else 3600.0
                self._changed.wait(until_renewed if self._state == "paused" else min(left, until_renewed))
            if self._held and time.monotonic() >= self._renew_at:
                self._renew()

    def _become(self, moment: Moment) -> None:
        wanted = {(target, each.name): replace(each, targets=(target,)) for each in moment.conditions for target in each.targets}
        new = [condition for key, condition in wanted.items() if self._held.get(key) != condition]
        over = [key for key in self._held if key not in wanted]
        if new:
            self._put(_joined(new), False)
        with self._changed:
            self._held = {**{key: self._held[key] for key in over}, **wanted}
        for target, name in over:
            self._end(target, name)
        with self._changed:
            self._held = wanted
        if new and len(new) == len(wanted):
            self._renewed()
        if new or over:
            names = {"set": sorted({each.name for each in new}), "cleared": sorted({name for _, name in over})}
            self._tell("scenario-stepped", {"atSeconds": moment.at / 1e9, "round": self._round, **names})

    def _renew(self) -> None:
        try:
            self._put(_joined(list(self._held.values())), True)
        except NetweatherError as error:
            if error.code not in _GONE:  # a container that restarts has it again when it is back
                raise
        self._renewed()

    def _renewed(self) -> None:
        self._renew_at = time.monotonic() + self.scenario.lease.seconds / 3

    def _finish(self, ended: State) -> None:
        failed: NetweatherError | None = None
        for target, name in list(self._held):
            try:
                self._end(target, name)
            except NetweatherError as error:  # the lease ends it
                failed = failed or error
        with self._changed:
            self._state, self._held, self._problem = ended, {}, self._problem or failed
        why = {"why": str(self._problem)} if self._problem else {}
        self._tell(f"scenario-{ended}", why)

    def _turn(self, before: State, after: State) -> None:
        with self._changed:
            if self._state != before:
                raise NetweatherError(
                    "not-playing",
                    f"the scenario {self.scenario.name!r} is {self._state}, not {before}",
                    "",
                    "see `netweather scenario show`",
                )
            if after == "paused":
                self._paused_at = time.monotonic()
            else:
                self._begin += time.monotonic() - self._paused_at
            self._state = after
            self._changed.notify_all()
        self._tell(f"scenario-{'paused' if after == 'paused' else 'resumed'}", {})


def _joined(conditions: list[NetworkCondition]) -> list[NetworkCondition]:
    """Those that differ in their target only as one, which is how they were written."""
    alike: dict[NetworkCondition, list[str]] = {}
    for each in conditions:
        alike.setdefault(replace(each, targets=()), []).extend(each.targets)
    return [replace(each, targets=tuple(targets)) for each, targets in alike.items()]


__all__ = ["Player", "Progress"]
