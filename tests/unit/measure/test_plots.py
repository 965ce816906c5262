"""Pictures of evidence; and the errors when there can be none."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from netweather.errors import NetweatherError, UsageError
from netweather.measure import Evidence, Measured, plots
from netweather.measure.evidence import Series

SERIES = Series((0.1, 0.11, 0.12), (0.1, 0.11), (1, 1, 2), ((0.1, 1e6), (0.2, 1.1e6)), 1e6)


def evidence() -> Evidence:
    return Evidence("netns:a", "slow", {}, (), {}, (), (Measured(0, "", (), 3, {"egress": SERIES, "ingress": Series()}),))


@pytest.mark.parametrize(("name", "begins"), [("out.svg", b"<?xml"), ("out.png", b"\x89PNG")])
def test_a_picture_is_drawn(tmp_path: Path, name: str, begins: bytes) -> None:
    plots.check(name)
    plots.draw([evidence()], str(tmp_path / name))
    assert (tmp_path / name).read_bytes().startswith(begins)


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
