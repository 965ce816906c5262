"""testing/limits/limit_search.py: a limit in the command's own terms. The statistics are limits', the networks trials'."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from netweather.errors import NetweatherError
from netweather.reports.outcomes import Trial
from netweather.testing.limits import limit_search
from netweather.testing.limits.limit_search import FoundLimit, LimitRun, Search
from netweather.testing.limits.vary import parse
from netweather.testing.trials import TrialNetwork
from netweather.units import Duration

PLACE: Any = None


def searched(
    monkeypatch: pytest.MonkeyPatch, passes: Callable[[float], bool], tell: Callable[[LimitRun], None] = lambda run: None
) -> FoundLimit:
    def trial(place: object, wanted: TrialNetwork, command: object, *, patience: float | None) -> Trial:
        assert wanted.words["to"] == "db"
        seconds = Duration.parse(wanted.words["delay"]).seconds
        return Trial(0 if passes(seconds) else 1, seconds, "")

    monkeypatch.setattr(limit_search, "trial", trial)
    return Search(PLACE, ("buy", "a b"), parse("delay=0..6.4s"), {"to": "db"}).run(tell)


def test_what_was_found_is_told_with_its_confidence(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[LimitRun] = []
    found = searched(monkeypatch, lambda seconds: seconds < 2.05, told.append)
    lines = found.sentences()
    assert lines[0] == "buy 'a b' passes up to delay 2s, and fails from 2.1s on"
    assert "confidence 96.9 %" in lines[1]
    assert lines[2] == "  at delay 2s: 0 of 6 runs failed (95 % interval: 0 to 46 %)"
    assert [run.number for run in told] == list(range(1, len(told) + 1))
    assert (found.reaches(20), found.reaches(21)) == (True, False)
    plain = json.loads(json.dumps(found.plain()))
    assert (plain["passes"]["value"], plain["fails"]["value"], plain["sure"]) == ("2s", "2.1s", True)
    assert len(plain["runs"]) == len(told)


def test_the_ends_of_the_range(monkeypatch: pytest.MonkeyPatch) -> None:
    assert searched(monkeypatch, lambda seconds: True).sentences()[0] == "buy 'a b' passes up to delay 6.4s, the bad end"
    assert searched(monkeypatch, lambda seconds: False).sentences()[0] == "buy 'a b' fails at the good end already, delay 0s"


def test_what_fails_irregularly_has_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = iter(range(1000))
    found = searched(monkeypatch, lambda seconds: next(turns) % 2 == 0)
    assert not found.limit.sure
    assert "too irregularly" in found.sentences()[0]


def test_a_network_that_was_not_as_declared_ends_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limit_search, "trial", lambda *_, **__: Trial(0, 1, "", problem="no packet met it"))
    with pytest.raises(NetweatherError, match="no packet met it"):
        Search(PLACE, ("buy",), parse("delay=0..5s"), {}).run()


@pytest.mark.parametrize("name", ["limit.svg", "limit.png"])
def test_the_picture(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    found = searched(monkeypatch, lambda seconds: seconds < 2.05)
    limit_search.draw(found, str(tmp_path / name))
    data = (tmp_path / name).read_bytes()
    assert data.startswith(b"\x89PNG" if name.endswith("png") else b"<?xml")
    with pytest.raises(NetweatherError, match="can't be written"):
        limit_search.draw(found, str(tmp_path / "nowhere" / name))
