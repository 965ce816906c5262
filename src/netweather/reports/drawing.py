"""Small pictures for the matrix's page, as SVG: how long each test took, and what met a condition over time. Pure."""

from __future__ import annotations

from html import escape
from itertools import pairwise
from typing import Any

from netweather.reports.matrix import Cell, Matrix

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
