"""A scenario being played: its moments put in force in time, renewed meanwhile, and taken back at the end, however that comes.

Works through two calls that put and end conditions, so the agent and the foreground play alike. Not here: what is in force when
(conditions.scenario_timeline), and who may do it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from netweather.clock import CLOCK, Clock
from netweather.conditions import NetworkCondition
from netweather.conditions.scenario import Scenario
from netweather.conditions.scenario_timeline import Moment, timeline
from netweather.errors import NetweatherError, reason, target_is_gone
from netweather.targets.references import can_be_target

State = Literal["playing", "paused", "ended", "stopped", "failed"]
_NO_ROUND: Final = 1 << 62
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
    why: str = ""
    """Of its end, when that needs telling and is no problem."""


@dataclass(frozen=True)
class Place:
    """Where a scenario stands: in a round (from 1) that began then, held since then or going on (None); in seconds of boot time.

    It holds whoever dies: boot time goes on.
    """

    round: int
    began: float
    held: float | None = None

    def now(self, length: float, boot_s: float) -> tuple[int, float]:
        """(the round, seconds from its start) at a boot time, with rounds of this length. One that began later is of another boot."""
        passed = (self.held if self.held is not None else boot_s) - self.began
        if passed < 0:
            return _NO_ROUND, 0.0
        rounds, at = divmod(passed, length)
        return self.round + int(rounds), at


class _Stopped(Exception):
    """Somebody asked to end it."""


class Player:
    """Plays one scenario. `run` blocks; the other methods may be called by any thread.

    tell: told of what happens, in the past tense: started, stepped, paused, resumed, and how it ended.
    note: told where it stands before anything is put in force there, and None when nothing is any more.
    place: where another player left it, who died; left: what is in force of that. Without, it begins.
    Raises UsageError for a scenario that makes no sense.
    """

    def __init__(
        self,
        scenario: Scenario,
        put: Put,
        end: End,
        tell: Callable[[str, dict[str, Any]], None] = lambda kind, data: None,
        note: Callable[[Place | None], None] = lambda place: None,
        *,
        place: Place | None = None,
        left: Iterable[Key] = (),
        clock: Clock = CLOCK,
    ) -> None:
        self.clock = clock
        self.scenario, self.timeline = scenario, timeline(scenario, can_be_target)
        self._put, self._end, self._tell, self._note, self._left_at = put, end, tell, note, place
        self._changed = threading.Condition()
        self._state: State = "playing"
        self._stop = False
        self._problem: NetweatherError | None = None
        self._held = dict.fromkeys(left, NetworkCondition())  # none that is wanted: it is put again, or ended
        self._round, self._begin, self._paused_at = 1, 0.0, 0.0
        self._renew_at = 0.0
        self._why = ""

    @property
    def progress(self) -> Progress:
        with self._changed:
            now = self._paused_at if self._state == "paused" else self.clock.boot()
            at = max(0.0, now - self._begin) if self._begin and self._state in ("playing", "paused") else 0.0
            return Progress(self._state, at, self._round, tuple(sorted(self._held)), self._problem, self._why)

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
        first = self._start()
        try:
            for number in range(first, self.scenario.repeat + 1):
                self._play(number)
            ended = "ended"
        except _Stopped:
            ended = "stopped"
        except NetweatherError as error:
            self._problem = error
            raise
        finally:
            self._finish(ended)

    # inside: the thread that runs

    def _start(self) -> int:
        """Says that it begins, or goes on; returns the round with which."""
        if self._left_at is None:
            self._tell("scenario-started", {"rounds": self.scenario.repeat, "seconds": self.timeline.length / 1e9})
            return 1
        number, at = self._left_at.now(self.timeline.length / 1e9, self.clock.boot())
        if number > self.scenario.repeat:
            self._why = "its end passed while no agent played it"
        else:
            self._begin, self._round = self.clock.boot() - at, number
            self._tell(
                "scenario-resumed",
                {"atSeconds": round(at, 3), "round": number, "why": "the agent that played it before has stopped"},
            )
        return number

    def _play(self, number: int) -> None:
        moments, going_on = self.timeline.moments, self._left_at
        with self._changed:
            if going_on is None:  # rounds follow each other without a gap, unless one took longer than it should
                self._begin = (
                    max(self._begin + self.timeline.length / 1e9, self.clock.boot() - 1.0) if self._begin else self.clock.boot()
                )
            self._round, self._left_at = number, None
            self._note(Place(number, self._begin, self._begin + self._position() / 1e9 if going_on and going_on.held else None))
        for index, moment in enumerate(moments):
            self._until(moment.at)
            late = index + 1 < len(moments) and self._position() >= moments[index + 1].at
            if not late:  # what is over already is not put in force
                self._become(moment)
                if going_on is not None and going_on.held is not None:
                    self._turn("playing", "paused")
                going_on = None
        self._until(self.timeline.length)

    def _position(self) -> float:
        return (self.clock.boot() - self._begin) * 1e9

    def _until(self, position: int) -> None:
        """Waits for a place in the round, and renews meanwhile. Raises _Stopped."""
        while True:
            with self._changed:
                if self._stop:
                    raise _Stopped
                left = (position - self._position()) / 1e9
                if self._state == "playing" and left <= 0:
                    return
                until_renewed = max(0.0, self._renew_at - self.clock.boot()) if self._held else 3600.0
                self.clock.wait(self._changed, until_renewed if self._state == "paused" else min(left, until_renewed))
            if self._held and self.clock.boot() >= self._renew_at:
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
            if not target_is_gone(error):  # a container that restarts has it again when it is back
                raise
        self._renewed()

    def _renewed(self) -> None:
        self._renew_at = self.clock.boot() + self.scenario.lease.seconds / 3

    def _finish(self, ended: State) -> None:
        failed: NetweatherError | None = None
        for target, name in list(self._held):
            try:
                self._end(target, name)
            except (NetweatherError, OSError) as error:  # the lease ends it
                failed = failed or (
                    error if isinstance(error, NetweatherError) else NetweatherError("kernel-refused", reason(error))
                )
        self._note(None)  # first: once it is over, another of its name may be played
        with self._changed:
            self._state, self._held, self._problem = ended, {}, self._problem or failed
        why = str(self._problem) if self._problem else self._why
        self._tell(f"scenario-{ended}", {"why": why} if why else {})

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
                self._paused_at = self.clock.boot()
            else:
                self._begin += self.clock.boot() - self._paused_at
            self._state = after
            self._note(Place(self._round, self._begin, self._paused_at if after == "paused" else None))
            self._changed.notify_all()
        self._tell(f"scenario-{'paused' if after == 'paused' else 'resumed'}", {})


def _joined(conditions: list[NetworkCondition]) -> list[NetworkCondition]:
    """Those that differ in their target only as one, which is how they were written."""
    alike: dict[NetworkCondition, list[str]] = {}
    for each in conditions:
        alike.setdefault(replace(each, targets=()), []).extend(each.targets)
    return [replace(each, targets=tuple(targets)) for each, targets in alike.items()]


__all__ = ["Place", "Player", "Progress"]
