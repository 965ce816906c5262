"""`demo`: hands over to netweather.demo, and says so when that is not there."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace

import pytest

from tests.unit.cli.conftest import Run


@pytest.fixture(autouse=True)
def root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)


def test_it_is_called_with_what_was_asked(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []
    module = SimpleNamespace(main=lambda arguments: seen.append(arguments) or 3)
    monkeypatch.setitem(sys.modules, "netweather.demo", module)
    assert run("demo").code == 3
    assert run("demo", "--fast", "--json").code == 3
    assert seen == [["--no-color"], ["--fast", "--json", "--no-color"]]


def test_without_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError("no", name=name)

    monkeypatch.setattr("netweather.cli.extras.demo.importlib", SimpleNamespace(import_module=missing))
    outcome = run("demo")
    assert outcome.code == 1
    assert "[no-demo]" in outcome.err


def test_root_is_needed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "[needs-root]" in run("demo").err
