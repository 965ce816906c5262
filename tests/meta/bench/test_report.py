"""tools/bench/report.py: the table says what was found, and the JSON holds all of it."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from tools.bench.figures import at_least, impossible, row
from tools.bench.report import Report, markdown, number, show, words


@pytest.fixture
def report() -> Report:
    return Report(
        {"rounds": 3},
        0.12,
        "0 of 6 measures began while others used the machine",
        [
            row("pump", "TCP", "Gbit/s", [3.0, 3.2, 3.1], ("bare veth", [10.0, 10.0, 10.0]), goal=at_least(0.25), note="a CPU"),
            impossible("commands", "sidecar", "no Docker"),
        ],
        ["latency: OSError: gone"],
    )


def test_the_table_says_it(report: Report) -> None:
    text = io.StringIO()
    show(report, Console(file=text, width=220))
    assert "3.1 (3 – 3.2) Gbit/s" in text.getvalue()
    for words_ in ("10 (10 – 10) bare veth", "0.31 (0.3 – 0.32)", "× ≥ 0.25", "yes", "a CPU", "not possible here: no Docker"):
        assert words_ in text.getvalue()
    assert "75% probability" in text.getvalue()
    assert "failed latency: OSError: gone" in text.getvalue()


def test_the_page_says_the_same(report: Report) -> None:
    page = markdown(report).splitlines()
    assert "| TCP | 3.1 (3 – 3.2) Gbit/s | 10 (10 – 10) bare veth | 0.31 (0.3 – 0.32) | × ≥ 0.25 | yes | a CPU |" in page
    assert {line.count("|") for line in page if line.startswith("|")} == {8}


def test_the_document_holds_it(report: Report, tmp_path: Path) -> None:
    report.write(tmp_path / "new" / "bench.json")
    document = json.loads((tmp_path / "new" / "bench.json").read_text())
    assert document["options"] == {"rounds": 3}
    assert document["problems"] == ["latency: OSError: gone"]
    assert document["machine"]["cpus"] >= 1
    first, second = document["rows"]
    assert first["values"]["figure"] == [3.0, 3.2, 3.1]
    assert first["ratio"]["low"] == 0.3
    assert (first["goal"], first["reached"]) == ("× ≥ 0.25", "yes")
    assert (second["figure"], second["reached"]) == (None, "n/a")


def test_numbers_are_short() -> None:
    assert [number(value) for value in (0.98765, 12.3456, 123.4, 12345.6)] == ["0.988", "12.3", "123", "12,346"]
    assert number(7.0, "packets") == "7"
    assert words(None) == "–"
