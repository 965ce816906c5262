from __future__ import annotations

import json

import pytest

from netweather.demo import command
from netweather.demo.interrupt import Interrupted
from netweather.errors import NetweatherError
from tests.unit.demo.sample import report


def test_without_root_it_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(command.os, "geteuid", lambda: 1000)
    assert command.run([]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "needs root" in said.err
    assert "sudo netweather demo" in said.err


def test_an_error_is_a_problem_in_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(command.os, "geteuid", lambda: 1000)
    assert command.run(["--json"]) == 1
    assert json.loads(capsys.readouterr().out)["code"] == "needs-root"


@pytest.fixture
def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command.os, "geteuid", lambda: 0)


@pytest.mark.usefixtures("as_root")
def test_the_exit_code_says_whether_it_showed_what_it_promises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "_show", lambda *_: report())
    assert command.run([]) == 0
    monkeypatch.setattr(command, "_show", lambda *_: report(left=["something"]))
    assert command.run([]) == 1


@pytest.mark.usefixtures("as_root")
def test_an_interrupted_demo_ends_like_every_interrupted_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise Interrupted(15)

    monkeypatch.setattr(command, "_show", interrupted)
    assert command.run([]) == 128 + 15
    assert "SIGTERM" in capsys.readouterr().err


@pytest.mark.usefixtures("as_root")
def test_errors_on_the_way_are_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(*_: object) -> None:
        raise NetweatherError("demo-failed", "the demo's shop failed", "it ended", "report it")

    monkeypatch.setattr(command, "_show", fail)
    assert command.run([]) == 1
    assert "because: it ended" in capsys.readouterr().err
