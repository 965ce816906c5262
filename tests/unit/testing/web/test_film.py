from __future__ import annotations

import pytest

from netweather.testing.web.film import Film, Frame


@pytest.fixture
def film() -> Film:
    return Film([Frame(10.0, b"page"), Frame(11.0, b"page"), Frame(13.5, b"wait"), Frame(14.0, b"wait"), Frame(16.0, b"done")])


def test_a_picture_that_is_the_same_is_no_change(film: Film) -> None:
    assert film.changes(10.5) == [13.5, 16.0]
    assert film.changes(13.5) == [16.0]
    assert film.changes(9.0) == [10.0, 13.5, 16.0]


def test_feedback_and_waiting(film: Film) -> None:
    assert film.first_feedback(11.5) == 2.0
    assert film.first_feedback(11.5, 13.0) is None
    assert film.longest_still(11.5, 17.0) == 2.5
    assert film.longest_still(11.5, 20.0) == 4.0
    assert film.longest_still(16.5, 18.0) == 1.5


def test_what_it_looked_like_at_a_time(film: Film) -> None:
    assert film.at(9.9) is None
    assert film.strip(10.0, [0, 3.4, 3.5, 60]) == [film.frames[0], film.frames[1], film.frames[2], film.frames[4]]
