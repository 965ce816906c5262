"""A scenario being played: what its time line says for now is put in force, renewed, and taken back at the end, however that comes.

The player reads the clock, compares what is wanted now with what it has set, changes that, and sleeps until the next edge. A player that
is late, or goes on for another one, does the same. It changes a Stage, so the agent and the foreground play alike.
Not here: what is in force when (conditions.scenario_timeline), and who may do it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, Protocol

from netweather.clock import CLOCK, Clock
from netweather.conditions import NetworkCondition
from netweather.conditions.scenario import Scenario
from netweather.conditions.scenario_timeline import ScenarioMoment, ScenarioTimeline
from netweather.errors import NetweatherError, reason, target_is_gone

ScenarioState = Literal["playing", "paused", "ended", "stopped", "failed"]
_NO_ROUND: Final = 1 << 62
PlacedName = tuple[str, str]
"""(target's words, condition's name)."""


class Stage(Protocol):
    """Where a scenario is played. Everything raises NetweatherError, and is called by the player's thread."""

    def put(self, conditions: Sequence[NetworkCondition]) -> None:
        """Puts conditions in force, all or none."""

    def renew(self, conditions: Sequence[NetworkCondition]) -> None:
        """The same for what is in force: its lease begins anew."""

    def end(self, target: str, name: str) -> None:
        """Ends the condition of a name on a target; that it isn't in force any more is no failure."""

    def tell(self, kind: str, data: dict[str, Any]) -> None:
        """Hears of an event, in the past tense: started, stepped, paused, resumed, and how it ended. By any thread."""


@dataclass(frozen=True)
class ScenarioProgress:
    """Where it is: seconds from the round's start, the round from 1, and what is in force: names by target."""

    state: ScenarioState
    at: float
    round: int
    in_force: tuple[PlacedName, ...]
    problem: NetweatherError | None = None
    why: str = ""
    """Of its end, when that needs telling and is no problem."""

    @property
    def over(self) -> bool:
        return self.state not in ("playing", "paused")


@dataclass(frozen=True)
class ScenarioPosition:
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


class Bookmark:
    """Where a scenario stands, for the next player. This one is lost with its process."""

    def write(self, place: ScenarioPosition) -> None:
        """Replaces what it says."""

    def remove(self) -> None:
        """The scenario is over: no player goes on with it."""

    def is_removed(self) -> bool:
        """Whether another process has removed it."""
        return False


class Player:
    """Plays one scenario. `run` blocks; the other methods may be called by any thread.

    mark: where it stands, written before anything is put in force there, and removed when nothing is any more.
    place: where another player left it, who died; left: what is in force of that. Without, it begins.
    """

    def __init__(
        self,
        scenario: Scenario,
        timeline: ScenarioTimeline,
        stage: Stage,
        mark: Bookmark | None = None,
        *,
        place: ScenarioPosition | None = None,
        left: Iterable[PlacedName] = (),
        clock: Clock = CLOCK,
    ) -> None:
        self.scenario, self.timeline, self.clock = scenario, timeline, clock
        self._stage, self._mark, self._begins = stage, mark or Bookmark(), place is None
        self._changed = threading.Condition()
        self._place = place or ScenarioPosition(1, clock.boot())
        self._ended: ScenarioState | None = None
        self._stop = self._stop_for_now = False
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"scenario {scenario.name}", daemon=True)
        self._problem: NetweatherError | None = None
        self._held = dict.fromkeys(left, NetworkCondition())  # none that is wanted: it is put again, or ended
        self._round, self._renew_at = 1, 0.0
        self._why = ""

    @property
    def progress(self) -> ScenarioProgress:
        with self._changed:
            at = 0.0 if self._ended else self._now()[1]
            return ScenarioProgress(self._state, at, self._round, tuple(sorted(self._held)), self._problem, self._why)

    def pause(self) -> None:
        """The timeline stands still; what is in force stays so. Raises NetweatherError(code="not-playing")."""
        self._turn("playing", "paused")

    def resume(self) -> None:
        """It goes on from where it stood. Raises NetweatherError(code="not-playing")."""
        self._turn("paused", "playing")

    def stop(self, *, for_now: bool = False) -> None:
        """Ends it soon; `run` returns when the network is as it was. for_now: another player goes on with it."""
        with self._changed:
            self._stop, self._stop_for_now = True, for_now
            self._changed.notify_all()

    def start(self) -> None:
        """Runs in a thread of its own."""
        self._thread.start()

    def started(self) -> None:
        """Waits until its first moment is in force. Raises what that moment raises."""
        self._begun.wait()
        if self._problem is not None:
            raise self._problem

    def join(self) -> None:
        """Until all that it had in force is taken back."""
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        with suppress(NetweatherError, OSError):  # the stage was told
            self.run()

    def run(self) -> None:
        """Plays it to its end. Raises the NetweatherError of what could not be put in force; all is taken back then, too."""
        ended: ScenarioState = "failed"
        try:
            self._start()
            ended = self._play()
        except (NetweatherError, OSError) as error:
            self._problem = _problem(error)
            raise
        finally:
            self._finish(ended)

    # inside: the thread that runs

    @property
    def _state(self) -> ScenarioState:
        return self._ended or ("playing" if self._place.held is None else "paused")

    def _now(self) -> tuple[int, float]:
        return self._place.now(self.timeline.length / 1e9, self.clock.boot())

    def _start(self) -> None:
        """Says that it begins, or goes on."""
        number, at = self._now()
        if self._begins:
            self._stage.tell("scenario-started", {"rounds": self.scenario.repeat, "seconds": self.timeline.length / 1e9})
            self._mark.write(self._place)
        elif number > self.scenario.repeat:
            self._why = "its end passed while no agent played it"
        else:
            why = "the agent that played it before has stopped"
            self._stage.tell("scenario-resumed", {"atSeconds": round(at, 3), "round": number, "why": why})
            if self._place.held is not None:
                self._stage.tell("scenario-paused", {})

    def _play(self) -> ScenarioState:
        """Until its end, or until `stop`."""
        before: tuple[int, int] | None = None
        while True:
            with self._changed:
                number, at = self._now()
                if self._stop or number > self.scenario.repeat:
                    return "stopped" if self._stop else "ended"
                moment, until = self.timeline.at(int(at * 1e9))
                here = (number, moment.at)
                left = self._renew_at - self.clock.boot() if self._held else 3600.0
                if here == before and left > 0:
                    self.clock.wait(self._changed, left if self._place.held is not None else min(left, until / 1e9 - at))
                    continue
                self._round = number
            if here != before:
                self._become(moment)
                self._begun.set()
                before = here
            else:
                self._renew()

    def _become(self, moment: ScenarioMoment) -> None:
        wanted = {(target, each.name): replace(each, targets=(target,)) for each in moment.conditions for target in each.targets}
        new = [condition for key, condition in wanted.items() if self._held.get(key) != condition]
        over = [key for key in self._held if key not in wanted]
        if new:
            self._change(self._stage.put, new)
        with self._changed:
            self._held = {**{key: self._held[key] for key in over}, **wanted}
        for target, name in over:
            self._stage.end(target, name)
        with self._changed:
            self._held = wanted
        if new and len(new) == len(wanted):
            self._renewed()
        if new or over:
            names = {"set": sorted({each.name for each in new}), "cleared": sorted({name for _, name in over})}
            self._stage.tell("scenario-stepped", {"atSeconds": moment.at / 1e9, "round": self._round, **names})

    def _change(self, change: Callable[[Sequence[NetworkCondition]], None], conditions: list[NetworkCondition]) -> None:
        if self._mark.is_removed():  # somebody has ended everything without asking us
            self.stop()
        else:
            change(_joined(conditions))

    def _renew(self) -> None:
        try:
            self._change(self._stage.renew, list(self._held.values()))
        except NetweatherError as error:
            if not target_is_gone(error):  # a container that restarts has it again when it is back
                raise
        self._renewed()

    def _renewed(self) -> None:
        self._renew_at = self.clock.boot() + self.scenario.lease.seconds / 3

    def _finish(self, ended: ScenarioState) -> None:
        failed: NetweatherError | None = None
        for target, name in list(self._held):
            try:
                self._stage.end(target, name)
            except (NetweatherError, OSError) as error:  # the lease ends it
                failed = failed or _problem(error)
        if not self._stop_for_now:
            self._mark.remove()  # first: once it is over, another of its name may be played
        with self._changed:
            self._ended, self._held, self._problem = ended, {}, self._problem or failed
        why = str(self._problem) if self._problem else self._why
        self._stage.tell(f"scenario-{ended}", {"why": why} if why else {})
        self._begun.set()

    def _turn(self, before: ScenarioState, after: ScenarioState) -> None:
        with self._changed:
            if self._state != before:
                raise NetweatherError(
                    "not-playing",
                    f"the scenario {self.scenario.name!r} is {self._state}, not {before}",
                    "",
                    "see `netweather scenario show`",
                )
            now, place = self.clock.boot(), self._place
            self._place = replace(place, began=place.began + now - place.held) if place.held is not None else place
            self._place = replace(self._place, held=now if after == "paused" else None)
            self._mark.write(self._place)
            self._changed.notify_all()
        self._stage.tell(f"scenario-{'paused' if after == 'paused' else 'resumed'}", {})


def _problem(error: NetweatherError | OSError) -> NetweatherError:
    return error if isinstance(error, NetweatherError) else NetweatherError("kernel-refused", reason(error))


def _joined(conditions: list[NetworkCondition]) -> list[NetworkCondition]:
    """Those that differ in their target only as one, which is how they were written."""
    alike: dict[NetworkCondition, list[str]] = {}
    for each in conditions:
        alike.setdefault(replace(each, targets=()), []).extend(each.targets)
    return [replace(each, targets=tuple(targets)) for each, targets in alike.items()]


__all__ = ["Bookmark", "ScenarioPosition", "Player", "ScenarioProgress", "Stage"]
