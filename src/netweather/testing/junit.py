"""What a command says of its own tests, in JUnit's XML: the common language of test runners. Only reads."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from netweather.errors import NetweatherError
from netweather.testing.matrix import Outcome

_ROOTS: Final = ("testsuites", "testsuite")
_HEAD: Final = re.compile(r"<\?xml[^<>]*\?>\s*\Z")


@dataclass(frozen=True)
class Case:
    """One test: its name (with its class), how it ended, seconds, and what it printed or why it failed."""

    test: str
    outcome: Outcome
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
        raise NetweatherError("bad-junit", "the log has no JUnit XML", "no document of test suites was printed whole", remedy)
    text = log[begin : end + len(f"</{word}>")]
    try:
        root = ElementTree.fromstring(text)  # it begins with its root, so that it can declare no entities that fill our memory
    except ElementTree.ParseError as error:
        remedy = "print the file as the test runner wrote it, and nothing after it"
        raise NetweatherError("bad-junit", "the log's JUnit XML can't be read", str(error), remedy) from error
    rest = _HEAD.sub("", log[:begin]) + log[end + len(f"</{word}>") :].lstrip("\n")
    return [_case(each) for each in root.iter("testcase")], rest


def _case(element: ElementTree.Element) -> Case:
    outcome: Outcome = "passed"
    kinds: dict[str, Outcome] = {"failure": "failed", "error": "failed", "skipped": "skipped"}
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
