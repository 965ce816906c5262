"""reports/matrix_pages.py: what the pictures of the page show."""

from __future__ import annotations

import re
from typing import Any

from netweather.reports.matrix import Cell, Matrix
from netweather.reports.matrix_pages import HIGH, WIDE, durations, packets, seconds


def bars(svg: str, kind: str) -> list[tuple[float, float, float]]:
    """x, width and height of each."""
    found = re.findall(rf'<rect x="([0-9.]+)" y="[0-9.]+" width="([0-9.]+)" height="([0-9.]+)" class="{kind}"', svg)
    return [(float(x), float(wide), float(high)) for x, wide, high in found]


def test_packets_a_second_are_heights_over_time() -> None:
    evidence: dict[str, Any] = {"series": [[1.0, 10, 0], [2.0, 30, 5], [4.0, 50, 5]]}
    svg = packets(evidence)
    met, lost = bars(svg, "met"), bars(svg, "lost")
    assert [round(high / HIGH, 3) for _, _, high in met] == [0.5, 1.0, 0.5]
    assert [round(high / HIGH, 3) for _, _, high in lost] == [0.25]
    assert round(met[2][1] / WIDE, 2) == 0.5
    assert ">20/s<" in svg
    assert ">4 s<" in svg


def test_less_than_two_looks_are_no_picture() -> None:
    assert packets({}) == ""
    assert packets({"series": [[1.0, 10, 0]]}) == ""


def test_a_bar_is_as_long_as_the_test_took() -> None:
    svg = durations(
        Matrix("x", [Cell("a", "perfect", "passed", 1.0), Cell("a", "3g", "failed", 4.0), Cell("b", "3g", "skipped", 0.0)])
    )
    (one,), (other,) = bars(svg, "passed"), bars(svg, "failed")
    assert round(other[1] / one[1], 2) == 4
    assert bars(svg, "skipped") == []


def test_durations_are_short_for_people() -> None:
    assert [seconds(value) for value in (0.0031, 1.239, 99.0, 125.0)] == ["3 ms", "1.24 s", "99 s", "2 min 5 s"]
