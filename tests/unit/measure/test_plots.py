"""Pictures of evidence; and the errors when there can be none."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import matplotlib
import pytest

from netweather.errors import NetweatherError, UsageError
from netweather.measure import ConditionEvidence, Measured, plots
from netweather.measure.evidence import Series

SERIES = Series((0.1, 0.11, 0.12), (0.1, 0.11), (1, 1, 2), 1.3, ((0.1, 1e6), (0.2, 1.1e6)), 1e6)


def evidence() -> ConditionEvidence:
    return ConditionEvidence(
        "netns:a", "slow", {}, (), {}, (), (Measured(0, "", (), 3, {"egress": SERIES, "ingress": Series()}),)
    )


@pytest.mark.parametrize(("name", "begins"), [("out.svg", b"<?xml"), ("out.png", b"\x89PNG")])
def test_a_picture_is_drawn(tmp_path: Path, name: str, begins: bytes) -> None:
    plots.check(name)
    plots.draw([evidence()], str(tmp_path / name))
    assert (tmp_path / name).read_bytes().startswith(begins)


def words_of(path: Path, *evidence: ConditionEvidence) -> str:
    """An SVG's texts; drawn as texts rather than as outlines."""
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        plots.draw(evidence, str(path))
    return path.read_text()


def test_each_panel_says_what_it_shows_or_why_it_is_empty(tmp_path: Path) -> None:
    words = words_of(tmp_path / "out.svg", evidence())
    assert "netns:a: CAN&apos;T TELL" in words or "netns:a: CAN'T TELL" in words
    for each in ("slow, rule 1, egress", "one-way delay", "packets lost in a row", "asked", "seen", "Mbit/s"):
        assert each in words, each
    for each in ("no packet arrived", "no packet was lost", "no rate was requested"):
        assert words.count(each) >= 1, each


def test_nothing_measured_is_drawn_all_the_same(tmp_path: Path) -> None:
    assert "no packet arrived" in words_of(tmp_path / "out.svg", replace(evidence(), measured=()))


def test_a_slow_rate_is_told_in_its_own_unit(tmp_path: Path) -> None:
    slow = replace(SERIES, rates=((0.1, 64e3), (0.2, 63e3)), rate_asked=64e3)
    measured = (Measured(0, "", (), 3, {"egress": slow}),)
    assert "kbit/s" in words_of(tmp_path / "out.svg", replace(evidence(), measured=measured))


def test_other_endings_are_refused() -> None:
    with pytest.raises(UsageError) as caught:
        plots.check("out.pdf")
    assert caught.value.code == "bad-plot"


def test_without_matplotlib_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(NetweatherError) as caught:
        plots.check("out.svg")
    assert caught.value.code == "no-matplotlib"
    assert "netweather[plot]" in caught.value.remedy


def test_a_path_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(NetweatherError) as caught:
        plots.draw([evidence()], str(tmp_path / "no" / "out.svg"))
    assert caught.value.code == "unwritable-file"
