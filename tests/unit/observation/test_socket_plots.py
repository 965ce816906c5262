from __future__ import annotations

from pathlib import Path

import pytest

from netweather.errors import NetweatherError
from netweather.kernel.tracing.socket_counters import Counted
from netweather.observation.socket_plots import Drawn, draw
from tests.unit.observation.test_socket_figures import counted


def test_a_picture_names_the_calls(tmp_path: Path) -> None:
    readings = [Counted(0, {}, None, {}), counted(10**9, 3, {}, {}), counted(2 * 10**9, 9, {}, {})]
    draw([Drawn("netns:db", readings, {})], str(tmp_path / "out.svg"))
    text = (tmp_path / "out.svg").read_text()
    assert all(f"<!-- {words} -->" in text for words in ("netns:db", "sendto", "calls", "how long a call takes"))


def test_nothing_is_drawn_as_nothing(tmp_path: Path) -> None:
    draw([Drawn("netns:db", [Counted(0, {}, None, {}), Counted(10**9, {}, None, {})], {})], str(tmp_path / "out.svg"))
    assert (tmp_path / "out.svg").read_text().count("<!-- no call was counted -->") == 3


def test_a_path_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(NetweatherError, match="unwritable-file"):
        draw([Drawn("x", [Counted(0, {}, None, {})], {})], str(tmp_path / "none" / "out.svg"))
