"""reports/matrix.py: what a suite's outcomes on several networks say."""

from __future__ import annotations

import pytest

from netweather.errors import UsageError
from netweather.reports.matrix import Cell, Matrix, network_names

CELLS = [
    Cell("buy", "3g", "failed", 9.0),
    Cell("buy", "perfect", "passed", 1.0),
    Cell("browse", "perfect", "passed", 0.5),
    Cell("browse", "3g", "passed", 2.0),
    Cell("broken", "perfect", "failed", 0.1),
    Cell("broken", "3g", "failed", 0.1),
]


@pytest.fixture
def matrix() -> Matrix:
    return Matrix("shop", list(CELLS))


def test_order_is_tests_as_they_ran_and_the_perfect_network_first(matrix: Matrix) -> None:
    assert matrix.tests == ["buy", "browse", "broken"]
    assert matrix.networks == ["perfect", "3g"]


def test_slowdown_needs_two_that_passed(matrix: Matrix) -> None:
    assert [matrix.slowdown(cell) for cell in matrix.cells] == [None, None, None, 4.0, None, None]


def test_what_breaks_on_a_network_is_what_works_on_the_perfect_one(matrix: Matrix) -> None:
    assert matrix.broken("3g") == ["buy"]
    assert matrix.broken("perfect") == ["broken"]


def test_thresholds(matrix: Matrix) -> None:
    assert matrix.shortcomings() == ["buy on 3g: failed", "broken on perfect: failed", "broken on 3g: failed"]
    assert matrix.shortcomings(["perfect"]) == ["broken on perfect: failed"]
    assert matrix.shortcomings([], 4.0) == []
    assert matrix.shortcomings([], 3.9) == ["browse on 3g: 4.0 × as long as on the perfect network, at most 3.9 × are allowed"]


def test_an_error_counts_wherever_it_was() -> None:
    assert Matrix("shop", [Cell("buy", "3g", "error", 0.0)]).shortcomings([]) == ["buy on 3g: error"]


def test_names_of_networks() -> None:
    assert network_names("perfect, 3g,perfect") == ["perfect", "3g"]
    assert network_names(["perfect,3g", "4g"]) == ["perfect", "3g", "4g"]
    with pytest.raises(UsageError, match="3gg"):
        network_names("3gg")
    with pytest.raises(UsageError, match="names no network"):
        network_names(" , ")
