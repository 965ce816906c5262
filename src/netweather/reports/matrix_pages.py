"""A matrix for people and machines: a table for the terminal, Markdown for a CI summary, JUnit XML, and one HTML page.

The page stands alone: no script, style, font or picture from elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from netweather.errors import UsageError
from netweather.reports.matrix import PERFECT, Cell, Matrix
from netweather.reports.network_evidence import told

if TYPE_CHECKING:
    from rich.table import Table

COLOURS = {"passed": "green", "failed": "bold red", "error": "bold yellow", "skipped": "dim"}
FOLDER = Path(__file__).parent
LOG = 20_000
"""Characters of a cell's log that a page keeps; its end matters most."""


def write(matrix: Matrix, path: Path, shortcomings: list[str]) -> None:
    """Writes the matrix as its name says: .html, .md, .xml (JUnit). Raises UsageError(code="unknown-report")."""
    made = kind_of(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(made(matrix, shortcomings))


def kind_of(path: Path) -> Callable[[Matrix, list[str]], str]:
    """What writes a report of this name. Raises UsageError(code="unknown-report")."""
    made = {".html": html, ".md": markdown, ".xml": junit}.get(path.suffix)
    if made is None:
        what = f"{path} can't be written: a report ends in .html, .md or .xml"
        raise UsageError("unknown-report", what, "the suffix decides the format", "call it networks.html")
    return made


def plain(matrix: Matrix, shortcomings: list[str]) -> dict[str, Any]:
    """For JSON."""
    cells = [
        {
            "test": cell.test,
            "network": cell.network,
            "outcome": cell.outcome,
            "seconds": round(cell.seconds, 3),
            "slowdown": None if (slowdown := matrix.slowdown(cell)) is None else round(slowdown, 3),
            "evidence": list(cell.evidence),
        }
        for cell in matrix.cells
    ]
    return {"title": matrix.title, "networks": matrix.networks, "cells": cells, "shortcomings": shortcomings}


def table(matrix: Matrix) -> Table:
    """For the terminal."""
    from rich.table import Table
    from rich.text import Text

    made = Table(title=matrix.title, title_justify="left")
    made.add_column("test", overflow="fold")
    for network in matrix.networks:
        made.add_column(network)
    for test in matrix.tests:
        cells = [matrix.cell(test, network) for network in matrix.networks]
        made.add_row(test, *[Text(text(matrix, cell), COLOURS[cell.outcome] if cell else "") for cell in cells])
    return made


def markdown(matrix: Matrix, shortcomings: list[str]) -> str:
    """For a CI's summary."""
    rows = [["test", *matrix.networks], ["---"] * (1 + len(matrix.networks))]
    rows += [[_cell(test), *[text(matrix, matrix.cell(test, n)) for n in matrix.networks]] for test in matrix.tests]
    lines = [f"### {matrix.title}", "", *("| " + " | ".join(row) + " |" for row in rows), ""]
    lines += [f"- {each}" for each in shortcomings] or ["All is well."]
    return "\n".join(lines) + "\n"


def _cell(words: str) -> str:
    return f"`{words}`".replace("|", "\\|")


def junit(matrix: Matrix, shortcomings: list[str]) -> str:
    """JUnit XML: a suite for each network; times in seconds; the evidence as properties."""
    root = ElementTree.Element("testsuites", name=_clean(matrix.title))
    for network in matrix.networks:
        cells = [cell for cell in matrix.cells if cell.network == network]
        count = {kind: str(sum(cell.outcome == kind for cell in cells)) for kind in MARKS}
        suite = ElementTree.SubElement(
            root, "testsuite", name=network, tests=str(len(cells)), failures=count["failed"], errors=count["error"],
            skipped=count["skipped"], time=f"{sum(cell.seconds for cell in cells):.3f}",
        )  # fmt: skip
        for cell in cells:
            _junit_case(suite, cell)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _junit_case(suite: ElementTree.Element, cell: Cell) -> None:
    case = ElementTree.SubElement(suite, "testcase", name=_clean(cell.test), classname=cell.network, time=f"{cell.seconds:.3f}")
    if cell.evidence:
        properties = ElementTree.SubElement(case, "properties")
        for evidence in cell.evidence:
            ElementTree.SubElement(properties, "property", name="network", value=_clean(told(evidence)))
    log = _clean(cell.log[-LOG:])
    if cell.outcome != "passed":
        part = {"failed": "failure", "error": "error", "skipped": "skipped"}[cell.outcome]
        ElementTree.SubElement(case, part, message=_last(log)).text = log
    elif log:
        ElementTree.SubElement(case, "system-out").text = log


def _clean(words: str) -> str:
    """XML has no control characters, not even escaped ones."""
    return "".join(c if c.isprintable() or c in "\n\t" else "�" for c in words)


def _last(log: str) -> str:
    lines = [line for line in log.splitlines() if line.strip()]
    return lines[-1].strip()[:200] if lines else ""


# the page


def html(matrix: Matrix, shortcomings: list[str]) -> str:
    """One page with everything: outcome and duration of each test on each network, a plot, the evidence and the logs."""
    verdict = "".join(f"<li>{escape(each)}</li>" for each in shortcomings)
    parts = {
        "title": escape(matrix.title),
        "verdict": f"<ul class=bad>{verdict}</ul>" if verdict else "<p class=good>All is well.</p>",
        "summary": "".join(_summary(matrix)),
        "head": "".join(f"<th scope=col>{escape(name)}</th>" for name in matrix.networks),
        "rows": "".join(_row(matrix, test) for test in matrix.tests),
        "plot": durations(matrix),
        "details": "".join(_details(matrix, cell) for cell in matrix.cells),
    }
    page = (FOLDER / "page.html").read_text()
    for name, part in parts.items():
        page = page.replace(f"<!-- {name} -->", part)
    return page


def _summary(matrix: Matrix) -> Iterator[str]:
    for network in matrix.networks:
        cells = [cell for cell in matrix.cells if cell.network == network]
        passed = sum(cell.outcome == "passed" for cell in cells)
        broken = len(matrix.broken(network))
        skipped = sum(cell.outcome == "skipped" for cell in cells)
        words = f"{broken} that pass{'es' if broken == 1 else ''} on the perfect one" if broken and network != PERFECT else ""
        words = f"breaks {words}" if words else f"{skipped} skipped" if skipped else ""
        kind = "passed" if passed + skipped == len(cells) else "failed"
        yield f"<li class={kind}><b>{escape(network)}</b> {passed} of {len(cells)} pass <i>{words}</i></li>"


def _row(matrix: Matrix, test: str) -> str:
    cells = []
    for network in matrix.networks:
        cell = matrix.cell(test, network)
        if cell is None:
            cells.append("<td></td>")
            continue
        place = matrix.cells.index(cell)
        order = f"{list(MARKS).index(cell.outcome)}{cell.seconds:012.3f}"
        label = escape(text(matrix, cell))
        cells.append(f'<td class={cell.outcome} data-order="{order}"><a href="#cell{place}">{label}</a></td>')
    return f"<tr><th scope=row>{escape(test)}</th>{''.join(cells)}</tr>"


def _details(matrix: Matrix, cell: Cell) -> str:
    evidence = "".join(f"<li>{escape(told(each))}{packets(each)}</li>" for each in cell.evidence)
    log = escape(cell.log[-LOG:]) or "(nothing was printed)"
    opened = " open" if cell.outcome in ("failed", "error") else ""
    title = f"{escape(cell.test)} on {escape(cell.network)}: {cell.outcome}, {seconds(cell.seconds)}"
    body = f"<ul>{evidence or '<li>the unchanged network</li>'}</ul><pre>{log}</pre>"
    return f'<details id="cell{matrix.cells.index(cell)}" class={cell.outcome}{opened}><summary>{title}</summary>{body}</details>'


# pictures of the page, as SVG

MARKS = {"passed": "✓", "failed": "✗", "error": "!", "skipped": "–"}
BAR, GAP, LEFT, WIDTH = 14, 10, 150, 640
HIGH, WIDE, EDGE = 70, 560, 46
"""Of a picture of packets: the plot itself, and the room for its labels."""


def seconds(value: float) -> str:
    """`3 ms`, `1.24 s`, `2 min 5 s`"""
    if value < 1:
        return f"{value * 1000:.0f} ms"
    return f"{value:.3g} s" if value < 100 else f"{value // 60:.0f} min {value % 60:.0f} s"


def text(matrix: Matrix, cell: Cell | None) -> str:
    """A cell in a few characters: `✓ 1.24 s (3.1 ×)`"""
    if cell is None:
        return ""
    slowdown = matrix.slowdown(cell)
    times = f" ({slowdown:.1f} ×)" if slowdown is not None else ""
    return f"{MARKS[cell.outcome]} {seconds(cell.seconds)}{times}" if cell.outcome != "skipped" else MARKS["skipped"]


def durations(matrix: Matrix) -> str:
    """How long each test took, a bar for each network."""
    longest = max((cell.seconds for cell in matrix.cells), default=0.0) or 1.0
    marks, y = [], 0
    for test in matrix.tests:
        y += GAP + BAR
        marks.append(f'<text x="0" y="{y}" class="test">{escape(test)}</text>')
        for network in matrix.networks:
            cell = matrix.cell(test, network)
            if cell is None or cell.outcome == "skipped":
                continue
            y += BAR + 2
            long = max(1.0, cell.seconds / longest * WIDTH)
            marks.append(
                f'<text x="{LEFT - 8}" y="{y}" text-anchor="end">{escape(network)}</text>'
                f'<rect x="{LEFT}" y="{y - BAR + 3}" width="{long:.1f}" height="{BAR - 2}" class="{cell.outcome}"/>'
                f'<text x="{LEFT + long + 6:.1f}" y="{y}">{escape(text(matrix, cell))}</text>'
            )
    size = f"0 0 {LEFT + WIDTH + 130} {y + GAP}"
    return f'<svg viewBox="{size}" role="img" aria-label="how long each test took">{"".join(marks)}</svg>'


def packets(evidence: dict[str, Any]) -> str:
    """Packets a second that met a condition, and those of them that it dropped; "" when it was looked at less than twice."""
    series = [(0.0, 0, 0), *((float(at), int(met), int(lost)) for at, met, lost in evidence.get("series", ()))]
    steps = [
        (start, end, max(0, met - before) / (end - start), max(0, lost - lost_before) / (end - start))
        for (start, before, lost_before), (end, met, lost) in pairwise(series)
        if end - start > 0.001
    ]
    if len(steps) < 2:
        return ""
    whole, most = steps[-1][1], max(max(rate for _, _, rate, _ in steps), 1e-9)
    bars = "".join(_bar(step, whole, most) for step in steps)
    labels = (
        f'<text x="{EDGE - 6}" y="10" text-anchor="end">{most:.0f}/s</text>'
        f'<text x="{EDGE - 6}" y="{HIGH}" text-anchor="end">0</text>'
        f'<text x="{EDGE}" y="{HIGH + 14}">0 s</text>'
        f'<text x="{EDGE + WIDE}" y="{HIGH + 14}" text-anchor="end">{seconds(whole)}</text>'
        f'<text x="{EDGE + WIDE / 2}" y="{HIGH + 14}" text-anchor="middle">packets a second'
        f'<tspan class="lost"> and dropped ones</tspan></text>'
    )
    axis = f'<path d="M{EDGE} 0V{HIGH}H{EDGE + WIDE}" class="axis"/>'
    size = f"0 0 {EDGE + WIDE + 4} {HIGH + 18}"
    return f'<svg class="packets" viewBox="{size}" role="img" aria-label="packets over time">{bars}{axis}{labels}</svg>'


def _bar(step: tuple[float, float, float, float], whole: float, most: float) -> str:
    start, end, met, lost = step
    x, wide = EDGE + start / whole * WIDE, max(0.6, (end - start) / whole * WIDE - 0.4)
    drawn = ""
    for rate, kind in ((met, "met"), (lost, "lost")):
        high = rate / most * HIGH
        if high > 0:
            drawn += f'<rect x="{x:.1f}" y="{HIGH - high:.1f}" width="{wide:.1f}" height="{high:.1f}" class="{kind}"/>'
    return drawn
