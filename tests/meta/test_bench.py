"""tools/bench: the program as `make bench` runs it, its options, and what is left when it is interrupted."""

import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.support.machine import SLOW
from tests.support.netns import FOLDER
from tests.support.repository import ROOT
from tools.bench.bench import SECTIONS, arguments, measure
from tools.bench.figures import Row, Rows
from tools.bench.network import PREFIX
from tools.bench.report import Report
from tools.bench.rounds import Plan

BENCH = [sys.executable, "-m", "tools.bench"]


def test_options() -> None:
    assert arguments([]).only == [name for name in SECTIONS if name != "netem"]
    assert (arguments([]).rounds, arguments(["--quick"]).rounds) == (9, 3)
    options = arguments(["--only", "pump,help", "--only", "latency", "--rounds", "5"])
    assert (options.only, options.rounds, options.json) == (["pump", "help", "latency"], 5, ROOT / "build" / "bench.json")


def test_an_unknown_section_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        arguments(["--only", "pumps"])
    assert "unknown section pumps; there are pump, unmatched" in capsys.readouterr().err


def test_a_section_that_fails_does_not_end_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Plan) -> Rows:
        yield Row("broken", "first")
        raise OSError("gone")

    def whole(_: Plan) -> Rows:
        yield Row("whole", "second")

    monkeypatch.setitem(SECTIONS, "broken", broken)
    monkeypatch.setitem(SECTIONS, "whole", whole)
    report = Report({})
    measure(report, Plan(), ["broken", "whole"])
    assert [one.name for one in report.rows] == ["first", "second"]
    assert report.problems == ["broken: OSError: gone"]


@pytest.mark.root
def test_a_run_prints_a_table_and_writes_json(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    command = [*BENCH, "--only", "classifier,help", "--quick", "--rounds", "1", "--json", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=50)
    assert (done.returncode, done.stderr) == (0, "")
    assert "1,000 rules" in done.stdout
    assert "netweather --help" in done.stdout
    document = json.loads(file.read_text())
    assert document["options"] == {"rounds": 1, "quick": True, "only": ["classifier", "help"]}
    assert {one["section"] for one in document["rows"]} == {"classifier", "help"}


@pytest.mark.root
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_nothing_is_left_when_it_is_interrupted(number: signal.Signals, tmp_path: Path) -> None:
    command = [*BENCH, "--only", "latency", "--json", str(tmp_path / "bench.json")]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    deadline = time.monotonic() + 30 * SLOW
    while not list(_left_by(process.pid)) and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.7)  # somewhere in the middle: a condition is being set, or is in force
    process.send_signal(number)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert f"interrupted by {number.name}" in output
    assert list(_left_by(process.pid)) == []


def _left_by(pid: int) -> list[str]:
    """Namespaces, folders and processes that are named after a bench."""
    stem = f"{PREFIX}{pid:x}x"
    found = [str(path) for folder in (FOLDER, Path(tempfile.gettempdir())) for path in folder.glob(f"{stem}*")]
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if stem.encode() in path.read_bytes():
                found.append(path.parent.name)
        except OSError:
            continue
    return found
