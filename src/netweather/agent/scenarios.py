"""The scenarios that an agent plays: a thread each, with its events and owner. Not here: how one is played (engine.playing)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from netweather.agent.paths import refuse_paths
from netweather.agent.principals import Principal
from netweather.conditions import NetworkCondition
from netweather.conditions.scenario import Scenario, dump_scenario
from netweather.engine import opened, set_all
from netweather.engine.playing import Player
from netweather.errors import NetweatherError

if TYPE_CHECKING:
    from netweather.agent.agent import Agent

LOG: Final = logging.getLogger("netweather.agent")
MOST: Final = 50
"""Scenarios that are played at a time, and as many that are over and remembered."""
_OVER: Final = frozenset({"no-such-condition", "unknown-target", "target-not-running"})


@dataclass
class _Played:
    player: Player
    who: Principal
    thread: threading.Thread | None = None

    @property
    def over(self) -> bool:
        return self.player.progress.state not in ("playing", "paused")


class Scenarios:
    """One agent's. Every method may be called by any thread, and may block."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self._played: dict[str, _Played] = {}
        self._lock = threading.Lock()

    def run(self, who: Principal, scenario: Scenario) -> dict[str, Any]:
        """Begins to play; returns once its first moment is in force. Raises NetweatherError, scenario-running among them."""
        owned = replace(scenario, owner=who.owner(scenario.owner))
        begun = threading.Event()
        player = self._player(who, owned, begun)
        for moment in player.timeline.moments:
            for each in moment.conditions:
                refuse_paths(each)
        with self.agent.audit.of(who, "scenario-run", (), name=owned.name, owner=owned.owner, reason=owned.reason):
            self._claim(owned.name, played := _Played(player, who))
            played.thread = threading.Thread(target=self._run, args=(player, begun), name=f"scenario {owned.name}", daemon=True)
            played.thread.start()
            if player.timeline.moments[0].conditions:
                begun.wait()
            if (problem := player.progress.problem) is not None:
                raise problem
        return self._document(played)

    def _claim(self, name: str, played: _Played) -> None:
        with self._lock:
            running = self._played.get(name)
            if running is not None and not running.over:
                why = f"it belongs to {running.player.scenario.owner or 'nobody'}"
                raise NetweatherError(
                    "scenario-running", f"the scenario {name!r} is being played", why, "stop it first, or name another"
                )
            if sum(not each.over for each in self._played.values()) >= MOST:
                raise NetweatherError("busy", f"{MOST} scenarios are being played", "that is the most", "wait for one to end")
            over = [key for key, each in self._played.items() if each.over]
            for key in over[: max(0, len(over) - MOST + 1)]:
                del self._played[key]
            self._played.pop(name, None)
            self._played[name] = played

    def _player(self, who: Principal, scenario: Scenario, begun: threading.Event) -> Player:
        def put(conditions: Sequence[NetworkCondition], renewed: bool) -> None:
            if renewed:
                self._renew(who, conditions)
            else:
                self.agent.set(who, conditions)

        def end(target: str, name: str) -> None:
            try:
                answers = self.agent.clear(who, [target], name)
            except NetweatherError as error:
                if error.code not in _OVER:
                    raise
                return
            for each in answers:
                if isinstance(each.problem, NetweatherError) and each.problem.code not in _OVER:
                    raise each.problem

        def tell(kind: str, data: dict[str, Any]) -> None:
            self.agent.events.publish(kind, scenario=scenario.name, owner=scenario.owner, **data)
            if kind != "scenario-started":
                begun.set()

        return Player(scenario, put, end, tell)

    def _renew(self, who: Principal, conditions: Sequence[NetworkCondition]) -> None:
        """As setting them, without a line in the log each time."""
        with opened(conditions) as wanted:
            who.need_targets([target for one in wanted for target in one.targets])
            set_all(self.agent.engine, wanted)
        for each in conditions:
            self.agent.standing.remember(each)

    def _run(self, player: Player, begun: threading.Event) -> None:
        try:
            player.run()
        except Exception as error:
            LOG.warning("scenario %s: %s", player.scenario.name, error)
        finally:
            begun.set()

    def close(self) -> None:
        """Ends them all, and takes back what they have in force."""
        with self._lock:
            played = list(self._played.values())
        for each in played:
            each.player.stop()
        for each in played:
            if each.thread is not None:
                each.thread.join()

    # looked at, and changed

    def all(self) -> list[dict[str, Any]]:
        """The documents of those that are played, and of the last that were."""
        with self._lock:
            return [self._document(each) for each in self._played.values()]

    def one(self, name: str) -> dict[str, Any]:
        """Raises NetweatherError(code="no-such-scenario")."""
        return self._document(self._known(name))

    def pause(self, who: Principal, name: str) -> dict[str, Any]:
        """Raises NetweatherError no-such-scenario, other-owner, not-playing."""
        return self._turned(who, name, "pause")

    def resume(self, who: Principal, name: str) -> dict[str, Any]:
        """Raises NetweatherError no-such-scenario, other-owner, not-playing."""
        return self._turned(who, name, "resume")

    def stop(self, who: Principal, name: str) -> dict[str, Any]:
        """Returns when all of it is taken back. Raises NetweatherError no-such-scenario, other-owner."""
        return self._turned(who, name, "stop")

    def _turned(self, who: Principal, name: str, what: str) -> dict[str, Any]:
        played = self._known(name)
        if not who.owns(played.player.scenario.owner):
            raise NetweatherError(
                "other-owner", f"the scenario {name!r} belongs to {played.player.scenario.owner or 'nobody'}",
                f"you are {who.name}", f"ask its owner, or root, to {what} it",
            )  # fmt: skip
        with self.agent.audit.of(who, f"scenario-{what}", (), name=name):
            getattr(played.player, what)()
            if what == "stop" and played.thread is not None:
                played.thread.join()
        return self._document(played)

    def _known(self, name: str) -> _Played:
        with self._lock, suppress(KeyError):
            return self._played[name]
        raise NetweatherError(
            "no-such-scenario", f"there is no scenario {name!r} here", "it was never played, or long ago",
            "`netweather scenario show` lists them",
        )  # fmt: skip

    def _document(self, played: _Played) -> dict[str, Any]:
        status = {**played.player.progress.plain(), "secondsOfARound": played.player.timeline.length / 1e9}
        return {**dump_scenario(played.player.scenario), "status": status}
