"""Documents and back."""

from __future__ import annotations

from netweather.client import response_reader


def test_what_could_not_be_cleared() -> None:
    answer = response_reader.cleared(
        {"target": "netns:a", "cleared": [], "problem": {"code": "busy", "title": "t", "detail": "d", "remedy": "r"}}
    )
    assert answer.problem is not None
    assert str(answer.problem).startswith("t [busy]")
