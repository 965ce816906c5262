"""The scenarios that a process plays. Not here: how one is played (engine.scenario_runner), and who may (local)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, Final

from netweather.conditions.scenario import Scenario
from netweather.engine.scenario_runner import Bookmark, Player
from netweather.engine.scenario_store import PageMark, Playbook, StoredScenario
from netweather.errors import NetweatherError

LOG: Final = logging.getLogger("netweather.agent")
MOST: Final = 50
"""Scenarios that are played at a time, and as many that are over and remembered."""


class Scenarios:
    """Those of one process. Every method may be called by any thread, and may block.

    book: what the next process goes on with; without, leases end what a killed process leaves.
    """

    def __init__(self, book: Playbook | None = None) -> None:
        self.book = book
        self._players: dict[str, Player] = {}
        self._lock = threading.Lock()

    def run(self, player: Player) -> None:
        """Returns once its first moment is in force. Raises what that moment raises, scenario-running and busy."""
        self._claim(player)
        player.start()
        player.started()

    def go_on(self, player: Player) -> None:
        """The same at the start of a process, without waiting."""
        with self._lock:
            self._players[player.scenario.name] = player
        player.start()

    def bookmark(self, scenario: Scenario, asker: dict[str, Any]) -> Bookmark:
        """asker: who may go on with it."""
        return Bookmark() if self.book is None else PageMark(self.book, scenario, asker)

    def pages(self) -> list[StoredScenario]:
        """What a process before played. Those that can't be read are told in the log, and forgotten."""
        found: list[StoredScenario] = []
        if (book := self.book) is not None:
            for name in book.names():
                try:
                    found.append(book.read(name))
                except NetweatherError as error:
                    self.forget(name, error)
        return found

    def forget(self, name: str, error: Exception) -> None:
        """The scenario is not continued."""
        LOG.warning("scenario %s is not continued: %s", name, error)
        if self.book is not None:
            self.book.forget(name)

    def _claim(self, player: Player) -> None:
        """Raises scenario-running, busy."""
        name = player.scenario.name
        with self._lock:
            running = self._players.get(name)
            if running is not None and not running.progress.over:
                why = f"it belongs to {running.scenario.owner or 'nobody'}"
                raise NetweatherError(
                    "scenario-running", f"the scenario {name!r} is being played", why, "stop it first, or name another"
                )
            over = [key for key, each in self._players.items() if each.progress.over]
            if len(self._players) - len(over) >= MOST:
                raise NetweatherError("busy", f"{MOST} scenarios are being played", "that is the maximum", "wait for one to end")
            for key in over[: max(0, len(over) - MOST + 1)]:
                del self._players[key]
            self._players.pop(name, None)
            self._players[name] = player

    def stop_all(self, meant: Callable[[str], bool] = lambda owner: True, *, for_now: bool = False) -> None:
        """Stops those whose owner is meant; returns when all of it is taken back. for_now: the next process goes on with them."""
        with self._lock:
            players = [each for each in self._players.values() if meant(each.scenario.owner)]
        for each in players:
            each.stop(for_now=for_now)
        for each in players:
            each.join()

    def all(self) -> list[Player]:
        """Those that are played, and the last that were."""
        with self._lock:
            return list(self._players.values())

    def one(self, name: str) -> Player:
        """Raises NetweatherError(code="no-such-scenario")."""
        if (found := self._players.get(name)) is not None:
            return found
        raise NetweatherError(
            "no-such-scenario", f"there is no scenario {name!r}", "it was never played, or ended long ago",
            "`netweather scenario show` lists them",
        )  # fmt: skip
