"""The scenarios that an agent plays: a thread each, with its events and owner. Not here: how one is played (engine.scenario_runner)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from netweather.agent.principals import again, remembered
from netweather.conditions import NetworkCondition
from netweather.conditions.scenario import Scenario
from netweather.conditions.scenario_timeline import timeline
from netweather.engine import opened, set_all
from netweather.engine.scenario_runner import Key, Place, Player
from netweather.engine.scenario_store import Page, Playbook
from netweather.errors import NetweatherError
from netweather.service.callers import SET, Caller
from netweather.service.protocol import end_condition
from netweather.targets.references import can_be_target
from netweather.wire.scenario_documents import PLAYED

if TYPE_CHECKING:
    from netweather.agent.agent import Agent

LOG: Final = logging.getLogger("netweather.agent")
MOST: Final = 50
"""Scenarios that are played at a time, and as many that are over and remembered."""


AGENT: Final = Caller("agent", frozenset(), root=True, origin="the agent")


@dataclass
class _Played:
    player: Player
    who: Caller
    thread: threading.Thread | None = None

    @property
    def over(self) -> bool:
        return self.player.progress.state not in ("playing", "paused")


class Scenarios:
    """One agent's. Every method may be called by any thread, and may block."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.book = Playbook(agent.settings.state)
        self._played: dict[str, _Played] = {}
        self._lock = threading.Lock()
        self._closed = False

    def run(self, who: Caller, scenario: Scenario) -> dict[str, Any]:
        """Begins to play; returns once its first moment is in force. Raises NetweatherError, scenario-running among them."""
        owned = replace(scenario, owner=who.owner(scenario.owner))
        begun = threading.Event()
        player = self._player(who, owned, begun, None, None)
        for moment in player.timeline.moments:
            who.need_no_files(moment.conditions)
        with self.agent.audit.of(who, "scenario-run", (), name=owned.name, owner=owned.owner, reason=owned.reason):
            self._claim(owned.name, played := _Played(player, who))
            self._begin(played, begun)
            if player.timeline.moments[0].conditions:
                begun.wait()
            if (problem := player.progress.problem) is not None:
                raise problem
        return self._document(played)

    def take_over(self) -> None:
        """Goes on with what an agent before played: with what is left of its timeline, as far as who asked for it may still do so."""
        for name in self.book.names():
            try:
                page = self.book.read(name)
                who, refused = self._still(page)
                begun = threading.Event()
                player = self._player(who, page.scenario, begun, refused, page)
            except (NetweatherError, KeyError, ValueError) as error:  # also what another version wrote
                LOG.warning("scenario %s is not continued: %s", name, error)
                self.book.forget(name)
                continue
            played = _Played(player, who)
            with self._lock:
                self._played[name] = played
            with self.agent.audit.of(who, "scenario-resume", (), name=name, owner=page.scenario.owner) as line:
                line.update({} if refused is None else {"refused": refused.code})
                self._begin(played, begun)

    def _still(self, page: Page) -> tuple[Caller, NetweatherError | None]:
        """Who asked for it, as of now, or why nobody may go on with it."""
        try:
            who = again(page.asker, self.agent.tokens)
            who.need(SET)
            who.owner(page.scenario.owner)
        except NetweatherError as error:
            return AGENT, error
        return who, None

    def _left(self, scenario: Scenario) -> set[Key]:
        """What is in force of it, whoever put it there."""
        names = {each.name for moment in timeline(scenario, can_be_target).moments for each in moment.conditions}
        return {
            (words, each.condition.name)
            for identity in self.agent.engine.journal.identities()
            if (entry := self.agent.known(identity)) is not None
            for each in entry.conditions
            for words in each.condition.targets
            if each.condition.name in names and each.condition.owner == scenario.owner
        }

    def _begin(self, played: _Played, begun: threading.Event) -> None:
        name = f"scenario {played.player.scenario.name}"
        played.thread = threading.Thread(target=self._run, args=(played.player, begun), name=name, daemon=True)
        played.thread.start()

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

    def _player(  # long: the four ways in which a player meets the agent
        self,
        who: Caller,
        scenario: Scenario,
        begun: threading.Event,
        refused: NetweatherError | None,
        page: Page | None,
    ) -> Player:
        def put(conditions: Sequence[NetworkCondition], renewed: bool) -> None:
            if refused is not None:
                raise refused
            if not self.book.knows(scenario.name):  # somebody has ended everything without asking us
                player.stop()
            elif renewed:
                self._renew(who, conditions)
            else:
                self.agent.service(who).set(conditions)

        def end(target: str, name: str) -> None:
            end_condition(self.agent.service(who.unlimited), [target], name, scenario.owner)

        def tell(kind: str, data: dict[str, Any]) -> None:
            self.agent.events.publish(kind, scenario=scenario.name, owner=scenario.owner, **data)
            if kind != "scenario-started":
                begun.set()

        def note(place: Place | None) -> None:
            if place is not None:
                self.book.write(Page(scenario, remembered(who) if page is None else page.asker, place))
            elif not self._closed:
                self.book.forget(scenario.name)

        place, left = (page.place, self._left(scenario)) if page is not None else (None, ())
        player = Player(scenario, put, end, tell, note, place=place, left=left)
        return player

    def _renew(self, who: Caller, conditions: Sequence[NetworkCondition]) -> None:
        """As setting them, without a line in the log each time."""
        with opened(conditions) as wanted:
            who.need_targets([target for one in wanted for target in one.targets])
            set_all(self.agent.engine, wanted)
        for each in conditions:
            self.agent.standing.remember(each, caller=who)

    def _run(self, player: Player, begun: threading.Event) -> None:
        try:
            player.run()
        except Exception as error:
            LOG.warning("scenario %s: %s", player.scenario.name, error)
        finally:
            begun.set()

    def close(self) -> None:
        """Ends them all for now, and takes back what they have in force: the next agent goes on with them."""
        self._closed = True
        wait_for(self.stopped(AGENT, None))

    def stopped(self, who: Caller, owner: str | None) -> list[threading.Thread]:
        """Asks all to stop that are `who`'s, and this owner's unless that is None; returns the threads that do so."""
        with self._lock:
            played = list(self._played.values())
        mine = [each for each in played if who.owns(each.player.scenario.owner) and owner in (None, each.player.scenario.owner)]
        for each in mine:
            each.player.stop()
        return [each.thread for each in mine if each.thread is not None]

    # looked at, and changed

    def all(self) -> list[dict[str, Any]]:
        """The documents of those that are played, and of the last that were."""
        with self._lock:
            return [self._document(each) for each in self._played.values()]

    def one(self, name: str) -> dict[str, Any]:
        """Raises NetweatherError(code="no-such-scenario")."""
        return self._document(self._known(name))

    def pause(self, who: Caller, name: str) -> dict[str, Any]:
        """Raises NetweatherError no-such-scenario, other-owner, not-playing."""
        return self._turned(who, name, "pause")

    def resume(self, who: Caller, name: str) -> dict[str, Any]:
        """Raises NetweatherError no-such-scenario, other-owner, not-playing."""
        return self._turned(who, name, "resume")

    def stop(self, who: Caller, name: str) -> dict[str, Any]:
        """Returns when all of it is taken back. Raises NetweatherError no-such-scenario, other-owner."""
        return self._turned(who, name, "stop")

    def _turned(self, who: Caller, name: str, what: str) -> dict[str, Any]:
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
            "no-such-scenario", f"the agent has no scenario {name!r}", "it was never played, or ended long ago",
            "`netweather scenario show` lists them",
        )  # fmt: skip

    def _document(self, played: _Played) -> dict[str, Any]:
        return PLAYED.write(played.player)


def wait_for(threads: Iterable[threading.Thread]) -> None:
    """Until they have taken back what they had in force."""
    for thread in threads:
        thread.join()
