"""testing/limits/bisection.py: what bisection finds, and that the confidence it states is true."""

from __future__ import annotations

import math
import random

import pytest

from netweather.testing.limits.bisection import FailureLimit, Side, find


def sharp(at: int) -> FailureLimit:
    return find(lambda point: point >= at)


@pytest.mark.parametrize("at", [1, 2, 31, 32, 33, 63, 64])
def test_a_sharp_limit_is_found_between_two_neighbours(at: int) -> None:
    found = sharp(at)
    assert found.passes
    assert found.fails
    assert (found.passes.point, found.fails.point) == (at - 1, at)
    assert found.sure
    assert math.isclose(found.confidence, 1 - 2 / 2**6)
    assert len(found.trials) == 2 + 6 + 2 * 6


@pytest.mark.parametrize("confidence", [0.5, 0.75, 0.875, 0.99])
def test_a_confidence_is_reached_that_runs_reach_exactly(confidence: float) -> None:
    """Three runs of three are a p-value of 1/8, as far as floats can say so: no point is left for another."""
    found = find(lambda point: point >= 2, steps=4, confidence=confidence)
    assert found.passes
    assert found.fails
    assert (found.passes.point, found.fails.point) == (1, 2)
    assert found.sure


def test_the_range_may_end_before_the_limit() -> None:
    """Both statements are about one side, so that six runs are more than enough."""
    all_pass, all_fail = sharp(1000), sharp(0)
    assert (all_pass.fails, all_pass.passes and all_pass.passes.point) == (None, 64)
    assert (all_fail.passes, all_fail.fails and all_fail.fails.point) == (None, 0)
    assert all_pass.sure
    assert all_fail.sure


def test_what_fails_at_random_everywhere_gives_no_limit() -> None:
    """Then nothing is claimed with confidence."""
    for seed in range(20):
        chance = random.Random(seed)
        found = find(lambda point: chance.random() < 0.5)  # noqa: B023 - used at once
        assert not (found.sure and found.passes and found.fails), seed


def test_the_stated_confidence_is_kept() -> None:
    """A soft limit: the chance of failing grows from 0 to 1 around 32. In 400 searches the limit is missed at most as often as stated."""
    missed = stated = 0.0
    for seed in range(400):
        chance = random.Random(seed)
        found = find(lambda point: chance.random() < 1 / (1 + math.exp(32.5 - point)))  # noqa: B023 - used at once
        low, high = found.passes.point if found.passes else -1, found.fails.point if found.fails else 1000
        missed += not low < 32.5 < high
        stated += 1 - found.confidence
    assert missed <= stated
    assert stated / 400 <= 0.05


def test_a_point_that_is_not_confirmed_is_left_for_one_further_out() -> None:
    """The bisection is misled once: a single run passes at 40 where all others fail from 20 on."""
    seen: list[int] = []

    def fails(point: int) -> bool:
        seen.append(point)
        return point >= 20 and not (point == 32 and seen.count(32) == 1)

    found = find(fails)
    assert found.passes
    assert found.passes.point < 20
    assert found.passes.tries > 1
    assert found.confidence >= 0.95


def test_the_majority_of_repeats_decides() -> None:
    seen: list[int] = []

    def fails(point: int) -> bool:
        seen.append(point)
        return point >= 20 and not (point == 32 and seen.count(32) == 1)

    found = find(fails, repeats=3)
    assert found.passes
    assert found.passes.point == 19


def test_the_doubt_of_a_side() -> None:
    assert Side(3, False, 6, 0).doubt == pytest.approx(1 / 64)
    assert Side(3, False, 6, 1).doubt == pytest.approx(7 / 64)
    assert Side(3, True, 6, 6, tries=2).doubt == pytest.approx(2 / 64)
    assert Side(3, True).doubt == 1
    assert Side(3, False, 6, 0).share.high == pytest.approx(1 - 0.025 ** (1 / 6))
