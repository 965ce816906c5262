from __future__ import annotations

from tools.picture import PICTURE, sent_about


def test_an_unanswered_ping_lies_between_its_neighbours() -> None:
    assert sent_about(3, {1: 1.0, 2: 2.0, 4: 3.0}) == 2.5


def test_the_picture_is_there() -> None:
    assert "<svg" in PICTURE.read_text()[:1000]
