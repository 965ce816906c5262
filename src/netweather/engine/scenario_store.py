"""The scenarios that are being played, written down before anything of them is in force: the next agent goes on with them.

Layout: scenarios/NAME.json in the state directory. Not here: playing (playing), and who may (service.local).
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from netweather.conditions.scenario import Scenario, dump_scenario, load_scenario
from netweather.engine.scenario_runner import Bookmark, ScenarioPosition
from netweather.errors import NetweatherError
from netweather.journal import replace_text

VERSION: Final = 1


@dataclass(frozen=True)
class StoredScenario:
    """One scenario: where it stands, and who asked for it, as plain data of the agent's."""

    scenario: Scenario
    asker: dict[str, Any]
    place: ScenarioPosition


class Playbook:
    """All pages below one state directory."""

    def __init__(self, state: Path) -> None:
        self.folder = state / "scenarios"

    def names(self) -> list[str]:
        """The scenarios that have a page."""
        return sorted(path.stem for path in self.folder.glob("*.json"))

    def knows(self, name: str) -> bool:
        """Whether it has a page."""
        return self._path(name).exists()

    def read(self, name: str) -> StoredScenario:
        """Raises NetweatherError(code="broken-journal")."""
        path = self._path(name)
        try:
            document = json.loads(path.read_text())
            if document["version"] != VERSION:
                raise ValueError(f"version {document['version']}")
            return StoredScenario(
                load_scenario(document["scenario"]), dict(document["asker"]), ScenarioPosition(**document["place"])
            )
        except (OSError, ValueError, KeyError, TypeError, NetweatherError) as error:
            why = repr(error)[:200]
            raise NetweatherError("broken-journal", f"{path} cannot be read", why, "play the scenario again") from error

    def write(self, page: StoredScenario) -> None:
        """Replaces its page, so that a reader sees the old one or the new one. Raises NetweatherError(code="no-state")."""
        path = self._path(page.scenario.name)
        document = {
            "version": VERSION,
            "scenario": dump_scenario(page.scenario),
            "asker": page.asker,
            "place": asdict(page.place),
        }
        try:
            replace_text(path, json.dumps(document))
        except OSError as error:
            remedy = "name another directory in NETWEATHER_STATE"
            raise NetweatherError("no-state", f"{path.parent} cannot be written", str(error), remedy) from error

    def forget(self, name: str) -> None:
        """The scenario is over: no player goes on with it."""
        self._path(name).unlink(missing_ok=True)
        with suppress(OSError):
            self.folder.rmdir()

    def forget_all(self) -> None:
        """No scenario is gone on with; who plays one stops when it looks here next. Where nothing can be removed, it goes on."""
        for name in self.names():
            with suppress(OSError):
                self.forget(name)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.json"


@dataclass(frozen=True)
class PageMark(Bookmark):
    """The page of one scenario."""

    book: Playbook
    scenario: Scenario
    asker: dict[str, Any]

    def write(self, place: ScenarioPosition) -> None:
        self.book.write(StoredScenario(self.scenario, self.asker, place))

    def remove(self) -> None:
        self.book.forget(self.scenario.name)

    def is_removed(self) -> bool:
        return not self.book.knows(self.scenario.name)
