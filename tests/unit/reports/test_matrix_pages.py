"""reports/matrix_pages.py: a matrix as table, Markdown, JUnit XML and HTML, whatever its texts hold."""

from __future__ import annotations

import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from rich.console import Console

from netweather.errors import UsageError
from netweather.reports.matrix import Cell, Matrix
from netweather.reports.matrix_pages import html, junit, markdown, plain, table, write

NASTY = "a|b <script>alert(1)</script> & \x1b[31m]]> -->"
EVIDENCE: dict[str, Any] = {
    "target": "docker:shop", "condition": "profile 3g", "inForce": True, "seconds": 1.0, "packets": 7, "dropped": 0,
}  # fmt: skip


@pytest.fixture
def matrix() -> Matrix:
    cells = [
        Cell("buy", "perfect", "passed", 1.0),
        Cell("buy", "3g", "passed", 3.0, "said", (EVIDENCE,)),
        Cell(NASTY, "perfect", "skipped", 0.0),
        Cell(NASTY, "3g", "failed", 0.25, f"first\n{NASTY}\nAssertionError: late\n"),
    ]
    return Matrix(f"shop {NASTY}", cells)


class Tags(HTMLParser):
    """What a browser would make elements of."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        self.ids += [value or "" for name, value in attrs if name == "id"]


def test_the_terminal_shows_outcome_duration_and_slowdown(matrix: Matrix) -> None:
    text = io.StringIO()
    Console(file=text, width=150).print(table(matrix))
    assert "✓ 3 s (3.0 ×)" in text.getvalue()
    assert "✗ 250 ms" in text.getvalue()


def test_markdown_is_a_table(matrix: Matrix) -> None:
    page = markdown(matrix, ["buy on 3g: too slow"])
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {4}
    assert "- buy on 3g: too slow" in page
    assert "All is well." in markdown(matrix, [])


def test_junit_has_a_suite_for_each_network(matrix: Matrix) -> None:
    root = ElementTree.fromstring(junit(matrix, []))
    assert [(s.get("name"), s.get("tests"), s.get("failures"), s.get("skipped")) for s in root] == [
        ("perfect", "2", "0", "1"),
        ("3g", "2", "1", "0"),
    ]
    (failure,) = root.iter("failure")
    assert failure.get("message") == "AssertionError: late"
    assert "3.000" in [case.get("time") for case in root.iter("testcase")]


def test_the_page_stands_alone_and_nothing_in_it_is_taken_for_html(matrix: Matrix) -> None:
    tags = Tags()
    tags.feed(html(matrix, ["buy on 3g: <b>slow</b>"]))
    assert tags.tags.count("script") == 1
    assert "b" in tags.tags  # the page's own
    assert tags.tags.count("b") == len(matrix.networks)
    assert {link for link in tags.links if not link.startswith("#cell")} == set()
    assert {link.removeprefix("#") for link in tags.links} <= set(tags.ids)
    assert tags.tags.count("rect") == 3
    assert "docker:shop: profile 3g: in force for 1.0 s; matched 7 packets" in html(matrix, [])


def test_a_file_is_what_its_name_says(matrix: Matrix, tmp_path: Path) -> None:
    for name, begin in (("a/page.html", "<!doctype html>"), ("b.md", "### "), ("c.xml", "<?xml")):
        write(matrix, tmp_path / name, [])
        assert (tmp_path / name).read_text().startswith(begin)
    with pytest.raises(UsageError, match=r"\.html, \.md or \.xml"):
        write(matrix, tmp_path / "page.pdf", [])


def test_the_same_for_programs(matrix: Matrix) -> None:
    document = json.loads(json.dumps(plain(matrix, ["buy on 3g: too slow"])))
    assert document["networks"] == ["perfect", "3g"]
    assert [(cell["outcome"], cell["slowdown"]) for cell in document["cells"]] == [
        ("passed", None), ("passed", 3.0), ("skipped", None), ("failed", None),
    ]  # fmt: skip
    assert document["cells"][1]["evidence"] == [EVIDENCE]
