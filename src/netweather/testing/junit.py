"""What a command says of its own tests, in JUnit's XML: the common language of test runners. Only reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from netweather.errors import NetweatherError
from netweather.testing.matrix import Outcome


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
