"""The program `kubectl netweather`: its commands and pages."""

from __future__ import annotations

import importlib

from netweather.cli.kubectl.plugin_app import COMMANDS
from tests.unit.kubectl.conftest import Run


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
