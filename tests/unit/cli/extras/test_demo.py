"""`demo`: shows the report, and ends by it."""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

import pytest

from netweather.demo import display
from tests.unit.cli.conftest import Run
from tests.unit.demo.sample import report, result


@pytest.fixture(autouse=True)
def root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)


@pytest.mark.parametrize(("results", "code"), [([], 0), ([result(0)], 1)])
def test_the_report_is_printed_and_decides_the_exit_code(
    run: Run, monkeypatch: pytest.MonkeyPatch, results: list[Any], code: int
) -> None:
    found = report(results=results) if results else report()
    options: list[Any] = []
    monkeypatch.setattr(display, "run", lambda **given: options.append(given) or found)
    outcome = run("demo", "--fast", "--json")
    assert outcome.code == code
    assert json.loads(outcome.out)["ok"] is (code == 0)
    assert options == [{"fast": True, "colours": False, "quiet": True}]


def test_a_signal_ends_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(display, "run", lambda **_: os.kill(os.getpid(), signal.SIGTERM))
    outcome = run("demo")
    assert outcome.code == 128 + signal.SIGTERM
    assert "SIGTERM" in outcome.err


def test_without_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "netweather.demo", None)
    outcome = run("demo")
    assert outcome.code == 1
    assert "[no-demo]" in outcome.err


def test_root_is_needed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "[needs-root]" in run("demo").err
