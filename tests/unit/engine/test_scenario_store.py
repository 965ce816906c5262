"""Pages of scenarios: written, read, forgotten, and broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from netweather.conditions.scenario import load_scenario_text
from netweather.engine.scenario_runner import ScenarioPosition
from netweather.engine.scenario_store import Playbook, StoredScenario
from netweather.errors import NetweatherError

PAGE = StoredScenario(
    load_scenario_text(
        "name: evening.1\ntargets: [netns:a]\nowner: me\nlength: 1h\nsteps:\n- {at: 0s, condition: {delay: 1ms}, flap: {on: 1s, off: 2s}}"
    ),
    {"token": "ci"},
    ScenarioPosition(2, 1234.5, 1300.25),
)


@pytest.fixture
def book(tmp_path: Path) -> Playbook:
    return Playbook(tmp_path / "state")


def test_what_is_written_is_read(book: Playbook) -> None:
    assert (book.names(), book.knows("evening.1")) == ([], False)
    book.write(PAGE)
    assert (book.names(), book.knows("evening.1")) == (["evening.1"], True)
    assert Playbook(book.folder.parent).read("evening.1") == PAGE
    assert book.folder.stat().st_mode & 0o077 == 0


def test_what_is_forgotten_leaves_nothing(book: Playbook) -> None:
    book.write(PAGE)
    book.forget("evening.1")
    book.forget("evening.1")
    assert not book.folder.exists()
    book.write(PAGE)
    book.forget_all()
    assert book.names() == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 2}', '{"version": 1, "scenario": {}, "asker": {}, "place": {}}'])
def test_a_broken_page(book: Playbook, text: str) -> None:
    book.write(PAGE)
    (book.folder / "evening.1.json").write_text(text)
    with pytest.raises(NetweatherError, match="broken-journal"):
        book.read("evening.1")


def test_what_can_not_be_written(book: Playbook) -> None:
    book.folder.parent.mkdir()
    book.folder.write_text("no folder")
    with pytest.raises(NetweatherError, match="no-state"):
        book.write(PAGE)
