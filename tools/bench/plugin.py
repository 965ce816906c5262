"""The pytest plugin: what a mark costs a test beyond one without, through a running agent."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from xml.etree import ElementTree

from tools.bench.agent import PATIENCE_S, running
from tools.bench.figures import Rows, at_most, row
from tools.bench.network import Net, network
from tools.bench.rounds import Plan, interleaved

SECTION = "plugin"
TESTS = 40
SUITE = """
import pytest

@pytest.mark.parametrize("number", range({count}))
class TestAll:
    def test_plain(self, number): pass

    @pytest.mark.network(target={target!r}, delay="10ms", allow_unmatched=True)
    def test_marked(self, number): pass
"""


def run(plan: Plan) -> Rows:
    """Marked and plain tests take turns in one run of pytest; a round is one run."""
    with network() as net, running(net.state), tempfile.TemporaryDirectory(prefix="netweather-bench-") as folder:
        count = 4 if plan.quick else TESTS
        Path(folder, "test_it.py").write_text(SUITE.format(count=count, target=net.reference))
        beyond = interleaved(plan, "a mark", {"mark": lambda: _beyond(net, Path(folder))})["mark"]
    note = "set-up, call and teardown of a test that does nothing: medians of one run of pytest"
    yield row(SECTION, "a marked test beyond a plain one", "ms", beyond, goal=at_most(50, "figure"), note=note)


def _beyond(net: Net, folder: Path) -> float:
    """ms, of the medians."""
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--junit-xml=out.xml"]
    words += ["-o", "junit_duration_report=total", "--rootdir", str(folder), "test_it.py"]
    environment = {**os.environ, "NETWEATHER_STATE": str(net.state), "PYTEST_ADDOPTS": ""}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE_S * 5, check=False)
    if done.returncode:
        raise RuntimeError(f"the tests failed: {done.stdout[-2000:]}")
    times: dict[str, list[float]] = {"plain": [], "marked": []}
    for case in ElementTree.parse(folder / "out.xml").iter("testcase"):
        name = str(case.get("name"))
        times["marked" if "marked" in name else "plain"].append(float(case.get("time") or 0) * 1000)
    return median(times["marked"]) - median(times["plain"])
