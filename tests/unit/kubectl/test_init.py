"""The plugin's entry: its own commands, with the errors and exit codes of `netweather`."""

from __future__ import annotations

import importlib

from netweather.cli.kubectl import COMMANDS
from tests.support.fakeapi import FakeApi
from tests.unit.kubectl.conftest import Run


def test_errors_are_told_as_everywhere(run: Run, api: FakeApi) -> None:
    api.away = True
    assert "[cluster-unreachable]" in run("show").err
    found = run("show", "--json")
    assert (found.code, found.json["code"]) == (1, "cluster-unreachable")


def test_each_command_is_there_under_its_name(run: Run) -> None:
    page = run("--help").out
    for entry in COMMANDS:
        assert importlib.import_module(entry.path).command.name == entry.name
        assert f"  {entry.name} " in page
        assert f"Usage: kubectl netweather {entry.name}" in run(entry.name, "--help").out
    assert "kubectl netweather COMMAND --help" in page


def test_a_command_that_is_none(run: Run) -> None:
    done = run("shwo")
    assert (done.code, "did you mean 'show'?" in done.err) == (2, True)


def test_version(run: Run) -> None:
    assert run("--version").out.startswith("netweather ")
