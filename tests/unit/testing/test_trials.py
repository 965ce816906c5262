"""testing/trials.py: what a command's runs are in the matrix. What puts networks in force has tests of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from netweather.reports.matrix import Cell
from netweather.reports.outcomes import Trial
from netweather.testing import trials
from netweather.testing.trials import Comparison, TrialNetwork

EVIDENCE: dict[str, Any] = {"target": "docker:shop", "packets": 7}
PLACE: Any = None


def compared(
    monkeypatch: pytest.MonkeyPatch, done: Trial, junit: Path | None = None, written: str = "", networks: Sequence[str] = ("3g",)
) -> tuple[list[Cell], list[TrialNetwork]]:
    asked: list[TrialNetwork] = []

    def trial(place: object, wanted: TrialNetwork, command: Sequence[str], *, patience: float | None) -> Trial:
        asked.append(wanted)
        if junit is not None and written:
            assert not junit.exists()
            junit.write_text(written)
        return done

    monkeypatch.setattr(trials, "trial", trial)
    matrix = Comparison(PLACE, ("/usr/bin/buy", "-x"), {"to": "db"}, junit).run(networks)
    assert matrix.title.startswith("/usr/bin/buy -x on ")
    return matrix.cells, asked


def test_the_command_itself_is_a_test(monkeypatch: pytest.MonkeyPatch) -> None:
    cells, asked = compared(monkeypatch, Trial(0, 1.5, "said", (EVIDENCE,)), networks=("perfect", "3g"))
    assert cells == [Cell("buy", name, "passed", 1.5, "said", (EVIDENCE,)) for name in ("perfect", "3g")]
    assert asked == [TrialNetwork("perfect", None, {}, bad=False), TrialNetwork("3g", "3g", {"to": "db"})]


@pytest.mark.parametrize(
    ("done", "outcome", "log"),
    [
        (Trial(3, 1, "said"), "failed", "said\nexit code 3"),
        (Trial(None, 9, "said"), "failed", "said\nit was killed after 9.0 s"),
        (Trial(0, 1, "said", problem="no packet met it"), "error", "said\nno packet met it"),
    ],
)
def test_how_it_ended(monkeypatch: pytest.MonkeyPatch, done: Trial, outcome: str, log: str) -> None:
    ((cell,), _) = compared(monkeypatch, done)
    assert (cell.outcome, cell.log) == (outcome, log)


GOOD = '<testsuite><testcase name="a" time="1"/><testcase name="b" time="2">{}</testcase></testsuite>'


def test_its_own_tests_are_rows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    junit = tmp_path / "out.xml"
    cells, _ = compared(monkeypatch, Trial(1, 5, ""), junit, GOOD.format("<failure/>"), networks=("perfect", "3g"))
    assert [(cell.test, cell.network, cell.outcome) for cell in cells] == [
        ("a", "perfect", "passed"), ("b", "perfect", "failed"), ("a", "3g", "passed"), ("b", "3g", "failed"),
    ]  # fmt: skip


def test_a_failure_that_its_tests_do_not_tell_is_a_row_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cells, _ = compared(monkeypatch, Trial(1, 5, "broken"), tmp_path / "out.xml", GOOD.format(""))
    assert [(cell.test, cell.outcome) for cell in cells] == [("a", "passed"), ("b", "passed"), ("buy", "failed")]


def test_a_network_that_was_not_as_declared_makes_all_of_them_errors(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cells, _ = compared(monkeypatch, Trial(0, 5, "", problem="it was gone"), tmp_path / "out.xml", GOOD.format(""))
    assert {cell.outcome for cell in cells} == {"error"}


def test_what_was_written_before_does_not_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "out.xml").write_text(GOOD.format(""))
    ((cell,), _) = compared(monkeypatch, Trial(0, 5, "said"), tmp_path / "out.xml")
    assert (cell.test, cell.outcome) == ("buy", "passed")
    assert "can't be read as JUnit XML" in cell.log
