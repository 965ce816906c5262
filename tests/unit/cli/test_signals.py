"""Signals: what ends a command, with which exit code, and what a second one does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from netweather.cli import main, signals
from tests.unit.cli.conftest import Run


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_what_is_under_way_is_undone_first(run: Run, monkeypatch: pytest.MonkeyPatch, number: int, code: int) -> None:
    """Once: a second signal does not stop the undoing."""
    undone = []

    def work(words: list[str]) -> int:
        try:
            os.kill(os.getpid(), number)
            raise AssertionError("it goes on")
        except Exception:
            raise AssertionError("it is taken for a failure") from None
        finally:
            os.kill(os.getpid(), number)
            os.kill(os.getpid(), signal.SIGTERM)
            undone.append(True)

    before = {each: signal.getsignal(each) for each in signals.SIGNALS}
    monkeypatch.setattr("netweather.cli.app.run", work)
    outcome = run("show")
    assert (outcome.code, outcome.out, outcome.err, undone) == (code, "", "", [True])
    assert {each: signal.getsignal(each) for each in signals.SIGNALS} == before


def test_after_its_end_a_signal_changes_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def work(words: list[str]) -> int:
        signals.done()
        os.kill(os.getpid(), signal.SIGTERM)
        return 0

    monkeypatch.setattr("netweather.cli.app.run", work)
    assert run("show").code == 0
    signals.done()  # outside of a program it does nothing
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_what_nohup_ignores_stays_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    def work(words: list[str]) -> int:
        os.kill(os.getpid(), signal.SIGHUP)
        return 0

    monkeypatch.setattr("netweather.cli.app.run", work)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert main(["show"]) == 0
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_processes_do_not_inherit_that_signals_are_ignored() -> None:
    with signals.signals_heard(signals.stop):
        signals.ignore()
        script = "import signal; print(signal.getsignal(signal.SIGTERM) == signal.SIG_DFL)"
        assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "True\n"
