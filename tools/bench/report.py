"""The table and the JSON document of a run."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tools.bench.figures import Interval, Row
from tools.natives import ROOT

VERSION = 1
COLUMNS = ("what", "figure", "baseline", "ratio", "goal", "reached", "limits, notes")
COLOURS = {"yes": "green", "no": "red", "open": "yellow", "n/a": "dim"}


@dataclass
class Report:
    """What a run found. problems: sections that failed, and why."""

    options: dict[str, Any]
    busy: float = 0.0
    quiet: str = ""
    rows: list[Row] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        return {
            "version": VERSION,
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "netweather": version("netweather"),
            "commit": _commit(),
            "machine": machine(),
            "busy_before": round(self.busy, 3),
            "quiet": self.quiet,
            "options": self.options,
            "problems": self.problems,
            "rows": [one.document() for one in self.rows],
        }

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.document(), indent=1, ensure_ascii=False) + "\n")


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    model = [
        line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")
    ]
    return {
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "cpus": os.cpu_count(),
        "model": model[0] if model else "",
        "python": platform.python_version(),
    }


def _commit() -> str:
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def number(value: float, unit: str = "") -> str:
    """Three figures, as people read them."""
    if unit in ("packets", "packets/s") or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def words(found: Interval | None, unit: str = "") -> str:
    """`3.1 (2.9 – 3.3)`"""
    if found is None:
        return "–"
    return f"{number(found.median, unit)} ({number(found.low, unit)} – {number(found.high, unit)})"


def cells(one: Row) -> tuple[str, ...]:
    """A row of the table, in the order of COLUMNS."""
    return (
        one.name,
        f"{words(one.figure, one.unit)} {one.unit if one.figure else ''}".strip(),
        f"{words(one.baseline, one.unit)} {one.beside}" if one.baseline else "",
        words(one.ratio) if one.ratio else "",
        str(one.goal or ""),
        one.reached if one.goal else "",
        one.note,
    )


def table(report: Report) -> Table:
    made = Table(title=_title(report), title_justify="left", caption=_caption(report), caption_justify="left", show_lines=False)
    for name in COLUMNS:
        made.add_column(name, overflow="fold")
    section = ""
    for one in report.rows:
        if section and one.section != section:
            made.add_section()
        section = one.section
        *first, reached, note = cells(one)
        made.add_row(*first, f"[{COLOURS[one.reached]}]{reached}[/]", f"[dim]{note}[/]")
    return made


def markdown(report: Report) -> str:
    """The table for a page."""
    lines = ["| " + " | ".join(each) + " |" for each in (COLUMNS, ["---"] * len(COLUMNS), *map(cells, report.rows))]
    return "\n".join([f"{_title(report)}.", "", *lines, "", _caption(report)]) + "\n"


def _title(report: Report) -> str:
    here = machine()
    return f"netweather {version('netweather')} ({_commit()}) on Linux {here['kernel']}, {here['cpus']} CPUs, {report.busy:.0%} busy before"


def _caption(report: Report) -> str:
    coverage = min((one.figure.coverage for one in report.rows if one.figure), default=0.0)
    text = f"Medians and the intervals that hold them with {min(coverage, 0.95):.0%} probability at least. Ratios round by round."
    return f"{text} A goal within its interval is open. {report.quiet}."


def show(report: Report, console: Console) -> None:
    """Prints the table, and what failed."""
    console.print(table(report))
    for problem in report.problems:
        console.print(f"[red]failed[/] {problem}", highlight=False)
