"""The plugin's entry: its own commands, with the errors and exit codes of `netweather`."""

from __future__ import annotations

from tests.support.fakeapi import FakeApi
from tests.unit.kubectl.conftest import Run


def test_errors_are_told_as_everywhere(run: Run, api: FakeApi) -> None:
    api.away = True
    assert "[cluster-unreachable]" in run("show").err
    found = run("show", "--json")
    assert (found.code, found.json["code"]) == (1, "cluster-unreachable")
