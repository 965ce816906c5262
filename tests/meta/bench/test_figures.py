"""tools/bench/figures.py: intervals hold what they say they hold, and goals are judged by them."""

import json
import random

import pytest

from tools.bench.figures import Goal, Interval, Row, at_least, at_most, impossible, ranks, row


@pytest.mark.parametrize(("count", "outside"), [(1, 0), (5, 0), (6, 0), (8, 0), (9, 1), (15, 3), (36, 11)])
def test_how_many_values_are_outside(count: int, outside: int) -> None:
    rank, coverage = ranks(count)
    assert rank == outside
    assert coverage >= 0.95 or (rank == 0 and count < 6)


def test_an_interval_holds_the_true_median_as_often_as_it_says() -> None:
    generator = random.Random(1)
    runs = 4000
    held = 0
    for _ in range(runs):
        found = Interval.of([generator.expovariate(1) for _ in range(9)])
        held += found.low <= 0.6931 <= found.high
    assert held / runs == pytest.approx(ranks(9)[1], abs=0.02)


def test_fewer_values_say_their_real_probability() -> None:
    assert Interval.of([3.0, 1.0, 2.0]) == Interval(2.0, 1.0, 3.0, 3, 0.75)
    assert Interval.of([7.0]).coverage == 0.0
    with pytest.raises(ValueError, match="no values"):
        Interval.of([])


@pytest.mark.parametrize(
    ("goal", "low", "high", "verdict"),
    [
        (at_least(0.25), 0.25, 0.4, "yes"),
        (at_least(0.25), 0.2, 0.3, "open"),
        (at_least(0.25), 0.1, 0.24, "no"),
        (at_most(2), 1.2, 2.0, "yes"),
        (at_most(2), 1.9, 2.1, "open"),
        (at_most(2), 2.1, 3.0, "no"),
        (at_most(0, "figure"), 0.0, 0.0, "yes"),
    ],
)
def test_goals_are_judged_by_the_interval(goal: Goal, low: float, high: float, verdict: str) -> None:
    assert goal.judge(Interval((low + high) / 2, low, high, 9, 0.96)) == verdict


def test_ratios_are_of_the_same_round() -> None:
    drifting = row("s", "n", "x", [1.0, 2.0, 4.0], ("bare", [2.0, 4.0, 8.0]), goal=at_least(0.5))
    assert drifting.ratio == Interval(0.5, 0.5, 0.5, 3, 0.75)
    assert drifting.reached == "yes"
    assert drifting.document()["goal"] == "× ≥ 0.5"
    assert drifting.document()["values"] == {"figure": [1.0, 2.0, 4.0], "baseline": [2.0, 4.0, 8.0]}


@pytest.mark.parametrize("goal", [None, at_least(0.7), at_most(0, "figure"), at_least(250_000, "figure")])
def test_a_row_of_another_run_is_the_same(goal: Goal | None) -> None:
    made = row("s", "n", "x", [1.0, 2.0, 4.0], ("bare", [2.0, 4.0, 9.0]), goal=goal, note="what limits it")
    assert Row.read(json.loads(json.dumps(made.document()))) == made
    assert Row.read(impossible("s", "n", "no kernel").document()) == impossible("s", "n", "no kernel")


def test_rows_without_a_ratio() -> None:
    assert row("s", "n", "x", [1.0], ("bare", [2.0]), compare=False).ratio is None
    assert row("s", "n", "x", [1.0], ("bare", [0.0])).ratio is None
    assert row("s", "n", "x", [0.0], goal=at_most(0, "figure")).reached == "yes"
    assert impossible("s", "n", "no Docker").reached == "n/a"
