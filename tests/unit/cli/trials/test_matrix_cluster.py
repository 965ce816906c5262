"""cli/trials/matrix.py: `matrix --kubernetes`, up to where a cluster is asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from netweather.cli import main
from netweather.kubernetes.objects.networktest import read_test
from netweather.reports.matrix import Cell, Matrix
from netweather.testing import cluster_run
from tests.support.objects import network_test


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "test.yaml"
    path.write_text(yaml.safe_dump(network_test(mustPass=["perfect"])))
    return path


def answering(monkeypatch: pytest.MonkeyPatch, *cells: Cell) -> list[bool]:
    """A cluster whose report has these cells; what was asked of it: to keep the test or not."""
    asked: list[bool] = []

    def run(document: dict[str, Any], tell: Callable[[dict[str, Any]], None], *, keep: bool) -> Any:
        asked.append(keep)
        tell({"network": "slow", "state": "Failed", "message": "exit code 1"})
        return read_test(document), Matrix("shop/checkout on 2 networks", list(cells))

    monkeypatch.setattr(cluster_run, "run", run)
    return asked


GOOD, BAD = Cell("checkout", "perfect", "passed", 1.0), Cell("checkout", "slow", "failed", 4.0)


@pytest.mark.parametrize(
    ("cells", "words", "code"),
    [
        ((GOOD, BAD), [], 0),  # the file says that perfect must pass
        ((GOOD, BAD), ["--must-pass", "perfect,slow"], 1),
        ((GOOD, Cell("checkout", "slow", "passed", 4.0)), ["--max-slowdown", "3"], 1),
        ((GOOD, Cell("checkout", "slow", "error", 4.0)), [], 3),
    ],
)
def test_the_exit_code_is_that_of_matrix(
    monkeypatch: pytest.MonkeyPatch, file: Path, cells: tuple[Cell, ...], words: list[str], code: int
) -> None:
    answering(monkeypatch, *cells)
    assert main(["matrix", "--kubernetes", str(file), *words]) == code


def test_it_reports_as_matrix_does(
    monkeypatch: pytest.MonkeyPatch, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = answering(monkeypatch, GOOD, BAD)
    page = tmp_path / "out.html"
    assert main(["matrix", "--kubernetes", str(file), "--keep", "--json", "--report", str(page)]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["networks"] == ["perfect", "slow"]
    assert "slow: failed: exit code 1" in printed.err
    assert "shop/checkout on 2 networks" in page.read_text()
    assert asked == [True]


def test_what_the_file_says_is_not_said_beside_it(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--profiles", "3g"], ["--to", "192.0.2.1"], ["--timeout", "1m"], ["--", "true"]):
        assert main(["matrix", "--kubernetes", str(file), *words]) == 2
        assert "the NetworkTest in the file says" in capsys.readouterr().err


def test_who_stops_it_gets_the_signal_s_code(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    def run(*_: Any, **__: Any) -> Any:
        raise cluster_run.Interrupted(2)

    monkeypatch.setattr(cluster_run, "run", run)
    assert main(["matrix", "--kubernetes", str(file)]) == 130
