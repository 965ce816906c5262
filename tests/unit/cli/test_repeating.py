"""`--watch` on a terminal, and where there is none."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from netweather.cli import repeating
from netweather.cli.repeating import again_and_again
from netweather.kernel import waiting


class Looks:
    """Three times, then Ctrl-C."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.seen = 0
        patch.setattr(waiting, "pause", self.pause)

    def __call__(self) -> int:
        self.seen += 1
        return self.seen

    def pause(self, seconds: float) -> None:
        assert seconds == 1
        if self.seen == 3:
            raise KeyboardInterrupt


@pytest.mark.parametrize("drawable", [True, False])
def test_said_anew_without_a_terminal(monkeypatch: pytest.MonkeyPatch, drawable: bool) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: not drawable)
    said: list[int] = []
    again_and_again(Looks(monkeypatch), said.append, str if drawable else None)
    assert said == [1, 2, 3]


def test_drawn_over_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    made = Console(file=sys.stdout, force_terminal=True, width=40)
    monkeypatch.setattr(repeating, "console", lambda: made)
    drawn: list[Any] = []

    def draw(seen: int) -> str:
        drawn.append(seen)
        return f"look {seen}"

    again_and_again(Looks(monkeypatch), lambda seen: pytest.fail("said"), draw)
    assert drawn == [1, 2, 3]
