"""What one run of a command says: the command itself as a test, or each of the tests that it tells of. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

from netweather.errors import NetweatherError
from netweather.reports.matrix import Cell, CellOutcome


@dataclass(frozen=True)
class Trial:
    """code: as a shell has it; None when it took too long and was killed. problem: why its network can't be believed, or ""."""

    code: int | None
    seconds: float
    output: str
    evidence: tuple[dict[str, Any], ...] = ()
    problem: str = ""

    @property
    def passed(self) -> bool:
        return self.code == 0


def cells_of(name: str, network: str, done: Trial, cases: Sequence[Case] = ()) -> list[Cell]:
    """A row for each case that it tells of, and one for itself when it tells of none, or its own end isn't explained by them."""
    cells = [
        Cell(case.test, network, "error" if done.problem else case.outcome, case.seconds, case.log, done.evidence)
        for case in cases
    ]
    failed = any(cell.outcome in ("failed", "error") for cell in cells)
    if not cells or (done.code != 0 and not failed):  # what it says of its tests is not all that went wrong
        cells.append(_whole(name, network, done))
    return cells


def _whole(name: str, network: str, done: Trial) -> Cell:
    """The command itself, as a test."""
    outcome: CellOutcome = "passed" if done.passed else "failed"
    log = done.output
    if done.problem:
        outcome, log = "error", f"{log}\n{done.problem}"
    if done.code is None:
        log += f"\nit was killed after {done.seconds:.1f} s"
    elif done.code:
        log += f"\nexit code {done.code}"
    return Cell(name, network, outcome, done.seconds, log, done.evidence)


_ROOTS: Final = ("testsuites", "testsuite")
_HEAD: Final = re.compile(r"<\?xml[^<>]*\?>\s*\Z")


@dataclass(frozen=True)
class Case:
    """One test: its name (with its class), how it ended, seconds, and what it printed or why it failed."""

    test: str
    outcome: CellOutcome
    seconds: float
    log: str


def read(path: Path) -> list[Case]:
    """The tests in a file. Raises NetweatherError(code="bad-junit")."""
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError) as error:
        why, remedy = str(error), "have COMMAND write its JUnit XML there (pytest --junit-xml=FILE, gotestsum --junitfile FILE …)"
        raise NetweatherError("bad-junit", f"{path} can't be read as JUnit XML", why, remedy) from error
    return [_case(each) for each in root.iter("testcase")]


def find(log: str) -> tuple[list[Case], str]:
    """The tests of the last JUnit document that a log has, and the log without it. Raises NetweatherError(code="bad-junit")."""
    end = max(log.rfind(f"</{word}>") for word in _ROOTS)
    word = next((word for word in _ROOTS if end >= 0 and log.startswith(f"</{word}>", end)), "")
    begin = log.rfind(f"<{word}", 0, end) if word == "testsuites" else log.find("<testsuite") if word else -1
    if begin < 0:
        remedy = "print it at the Job's end: pytest --junit-xml=/tmp/out.xml; code=$?; cat /tmp/out.xml; exit $code"
        raise NetweatherError("bad-junit", "the log has no JUnit XML", "no complete document of test suites was printed", remedy)
    text = log[begin : end + len(f"</{word}>")]
    try:
        root = ElementTree.fromstring(text)  # it begins with its root, so that it can declare no entities that fill our memory
    except ElementTree.ParseError as error:
        remedy = "print the file as the test runner wrote it, and nothing after it"
        raise NetweatherError("bad-junit", "the log's JUnit XML can't be read", str(error), remedy) from error
    rest = _HEAD.sub("", log[:begin]) + log[end + len(f"</{word}>") :].lstrip("\n")
    return [_case(each) for each in root.iter("testcase")], rest


def _case(element: ElementTree.Element) -> Case:
    outcome: CellOutcome = "passed"
    kinds: dict[str, CellOutcome] = {"failure": "failed", "error": "failed", "skipped": "skipped"}
    parts = []
    for child in element:
        if child.tag in kinds:
            outcome = kinds[child.tag] if outcome != "failed" else outcome
            parts.append("\n".join(text for text in (child.get("message"), child.text) if text))
        elif child.tag in ("system-out", "system-err") and child.text:
            parts.append(child.text)
    names = [name for name in (element.get("classname"), element.get("name")) if name]
    return Case(
        " ".join(names) or "(a test without a name)", outcome, _seconds(element.get("time")), "\n".join(filter(None, parts))
    )


def _seconds(text: str | None) -> float:
    try:
        return max(0.0, float((text or "0").replace(",", "")))
    except ValueError:
        return 0.0
