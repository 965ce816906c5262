"""pytest's reports of a matrix, collected into one: table, pages, and whether the run as a whole passes."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from netweather.reports.matrix import Cell, CellOutcome, Matrix
from netweather.reports.matrix_pages import table, write

PLACE = "network-matrix"


def note(item: pytest.Item, network: str) -> None:
    """Writes into an item which cell of the matrix it is; its reports carry it along."""
    place = {"test": _without(item.nodeid, network), "network": network}
    item.user_properties.append((PLACE, json.dumps(place)))


def _without(nodeid: str, network: str) -> str:
    """`test_shop.py::test_buy[3g-fast]` without its network: `test_shop.py::test_buy[fast]`."""
    name, bracket, rest = nodeid.partition("[")
    if not bracket:
        return nodeid
    parameters = re.sub(rf"(^|-){re.escape(network)}(-|$)", lambda m: m[1] and m[2], rest.removesuffix("]"), count=1)
    return f"{name}[{parameters}]" if parameters else name


class Collector:
    """A plugin of the process that has all reports."""

    def __init__(self, config: pytest.Config, networks: list[str]) -> None:
        self.config = config
        self.networks = networks
        self.reports: dict[tuple[str, str], list[pytest.TestReport]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        place = next((json.loads(str(value)) for name, value in report.user_properties if name == PLACE), None)
        if place is not None:
            self.reports.setdefault((place["test"], place["network"]), []).append(report)

    @property
    def matrix(self) -> Matrix:
        cells = [_cell(test, network, reports) for (test, network), reports in self.reports.items()]
        order = {name: number for number, name in enumerate(self.networks)}
        return Matrix(
            f"{self.config.rootpath.name} on {len(self.networks)} networks", sorted(cells, key=lambda c: order[c.network])
        )

    def shortcomings(self) -> list[str]:
        must_pass = self.config.getini("network_must_pass") or None
        slowdown = self.config.getini("network_max_slowdown")
        return self.matrix.shortcomings(must_pass, float(slowdown) if slowdown else None)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Thresholds decide: too slow fails a run that passed; failures where none must pass don't fail it."""
        matrix, wrong = self.matrix, self.shortcomings()
        for path in self.config.getoption("--network-report"):
            write(matrix, path, wrong)
        others = [r for reports in self._outside(session) for r in reports if r.failed]
        if wrong and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        elif not wrong and not others and matrix.cells and session.exitstatus == pytest.ExitCode.TESTS_FAILED:
            session.exitstatus = pytest.ExitCode.OK

    def _outside(self, session: pytest.Session) -> list[list[Any]]:
        """Reports of tests that are not in the matrix."""
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        failed = [*reporter.stats.get("failed", []), *reporter.stats.get("error", [])] if reporter else []
        inside = {id(report) for reports in self.reports.values() for report in reports}
        return [[report for report in failed if id(report) not in inside]]

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        from rich.console import Console

        terminalreporter.section("test × network")
        terminalreporter.ensure_newline()
        console = Console(width=None if terminalreporter.isatty else 120, no_color=not terminalreporter.hasmarkup)
        with console.capture() as captured:
            console.print(table(self.matrix))
        terminalreporter.write(captured.get())
        for each in self.shortcomings():
            terminalreporter.write_line(f"! {each}")
        for path in self.config.getoption("--network-report"):
            terminalreporter.write_line(f"written: {path}")


def _cell(test: str, network: str, reports: list[pytest.TestReport]) -> Cell:
    outcome: CellOutcome = "passed"
    for report in reports:
        if report.failed:
            theirs = report.when == "call" and not getattr(report, "netweather_error", False)
            outcome = "failed" if theirs else "error"
        elif report.skipped and outcome == "passed":
            outcome = "skipped"
    log = "\n".join(part for report in reports for part in (report.longreprtext, *(text for _, text in report.sections)) if part)
    evidence = [json.loads(str(value)) for name, value in reports[-1].user_properties if name == "network"]
    return Cell(test, network, outcome, sum(r.duration for r in reports if r.when == "call"), log, tuple(evidence))
