"""The group of commands: the list, unknown words, and each command's page."""

from __future__ import annotations

import pytest

from netweather.cli.command_list import COMMANDS
from tests.unit.cli.conftest import Run

NAMES = [entry.name for entry in COMMANDS]


def test_the_list_has_every_command_and_fits_80_columns(run: Run) -> None:
    page = run("--help").out
    for entry in COMMANDS:
        assert f"  {entry.name} " in page
        assert entry.summary in page
    assert max(map(len, page.splitlines())) <= 80


@pytest.mark.parametrize("name", NAMES)
def test_each_page_has_examples_and_fits_80_columns(run: Run, name: str) -> None:
    page = run(name, "--help").out
    assert page.startswith(f"Usage: netweather {name}")
    assert "\nExamples:\n" in page
    assert max(map(len, page.splitlines())) <= 80
    assert run(name, "-h").out == page


@pytest.mark.parametrize(
    ("words", "code", "remedy"),
    [
        (("sett",), "unknown-command", "did you mean 'set'?"),
        (("frobnicate",), "unknown-command", "use one of agent, clear, "),
        (("--jsn",), "unknown-option", "`netweather --help`"),
        (("--verson",), "unknown-option", "did you mean --version?"),
        (("--jsn", "show"), "unknown-option", "`netweather --help`"),
    ],
)
def test_unknown_words_name_the_nearest(run: Run, words: tuple[str, ...], code: str, remedy: str) -> None:
    outcome = run(*words)
    assert outcome.code == 2
    assert f"[{code}]" in outcome.err
    assert remedy in outcome.err
    assert outcome.out == ""


def test_an_unknown_word_as_json(run: Run) -> None:
    outcome = run("sett", "--json")
    assert outcome.json["code"] == "unknown-command"
    assert outcome.err == ""
