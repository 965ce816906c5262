"""What became of each test, written while the session runs: whoever ends the session in the middle still has what was done.

    pytest -p tests.support.outcomes --outcomes FILE --seconds 240
    read(text_of_FILE).failed

FILE gets one JSON object a line: first the tests in their order, then each one's outcome. After --seconds no further test starts.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest


@dataclass
class Outcomes:
    """Names of tests; failed: with what was said; skipped: with the reason; seconds: of those that ended."""

    collected: list[str] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def not_run(self) -> list[str]:
        """Never started, or ended before their end."""
        known = {*self.passed, *self.failed, *self.skipped}
        return [test for test in self.collected if test not in known]

    def __str__(self) -> str:
        counts = {"passed": self.passed, "failed": self.failed, "skipped": self.skipped, "not run": self.not_run}
        return ", ".join(f"{len(tests)} {what}" for what, tests in counts.items())


def read(text: str) -> Outcomes:
    """The outcomes in a file's text; a last line that was not written to its end does not count."""
    found = Outcomes()
    for line in text.splitlines(keepends=True):
        if not line.endswith("\n"):
            break
        each: dict[str, Any] = json.loads(line)
        if "collected" in each:
            found.collected = each["collected"]
            continue
        test, outcome, said = each["test"], each["outcome"], each["said"]
        found.seconds[test] = found.seconds.get(test, 0.0) + each["seconds"]
        if outcome == "failed":
            found.failed[test] = said
        elif outcome == "skipped":
            found.skipped[test] = said
        elif test not in found.failed:
            found.passed.append(test)
    return found


def skip_reason(report: pytest.TestReport) -> str:
    """The reason of a skipped test, in one line and without pytest's own "Skipped: "."""
    said = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
    return " ".join(said.removeprefix("Skipped: ").split())


class Writer:
    """The plugin itself."""

    def __init__(self, file: Path, seconds: float) -> None:
        self._file, self._end = file, time.monotonic() + seconds

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._write({"collected": [item.nodeid for item in session.items]})

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        if time.monotonic() < self._end:
            return None
        item.session.shouldstop = "the time for all tests is over"
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test has one line: of its call when that says it all, else of the phase that failed or was skipped."""
        if report.outcome not in ("passed", "failed", "skipped") or (report.when != "call" and report.passed):
            return  # a rerun, or a phase that went well
        said = skip_reason(report) if report.skipped else report.longreprtext
        self._write({"test": report.nodeid, "outcome": report.outcome, "said": said, "seconds": round(report.duration, 2)})

    def _write(self, line: dict[str, object]) -> None:
        with self._file.open("a") as file:
            file.write(json.dumps(line) + "\n")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--outcomes", type=Path, help="append what becomes of each test to this file")
    parser.addoption("--seconds", type=float, default=float("inf"), help="start no test after that")


def pytest_configure(config: pytest.Config) -> None:
    if file := config.getoption("--outcomes"):
        config.pluginmanager.register(Writer(file, config.getoption("--seconds")))
