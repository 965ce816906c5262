from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netweather.kubernetes.objects.scenario_objects import PodScenario, read_scenario
from netweather.kubernetes.reconcile.scenario_state import AHEAD, Playing, first_moment, play
from tests.support.objects import DELAY, scenario

START = datetime(2026, 1, 1, 12, tzinfo=UTC)


def made(**spec: Any) -> PodScenario:
    return read_scenario(scenario(**spec))


def at(found: PodScenario, seconds: float) -> Playing:
    return play(found, START, START + timedelta(seconds=seconds))


def there(playing: Playing, seconds: float) -> list[str]:
    now = START + timedelta(seconds=seconds)
    return [stretch.step for since, until, stretch in playing.states if since <= now < until]


FLAPPING = [
    {"at": "0s", "for": "100s", "name": "base", "condition": DELAY},
    {"at": "0s", "for": "100s", "name": "flap", "flap": {"on": "1s", "off": "1s"}, "condition": {"block": "drop"}},
]


@pytest.mark.parametrize(
    ("seconds", "step", "number"),
    [(-1, "", 0), (0, "slow", 1), (7, "slow, lossy", 1), (12, "lossy", 1), (15, "slow", 2), (29.9, "lossy", 2)],
)
def test_it_knows_its_step_and_round(seconds: float, step: str, number: int) -> None:
    found = at(made(repeat=2), seconds)
    assert (found.step, found.round, found.ends) == (step, number, START + timedelta(seconds=30))
    assert not found.over


def test_it_is_over_at_the_end_of_its_rounds() -> None:
    found = at(made(), 15)
    assert (found.over, found.states, found.step) == (True, (), "")


def test_every_state_ends_in_its_time_and_none_later_than_its_lease() -> None:
    found = at(made(lease="7s"), 1)
    assert [(since, until, stretch.step) for since, until, stretch in found.states] == [
        (START, START + timedelta(seconds=7), "slow"),
        (START + timedelta(seconds=5), START + timedelta(seconds=7), "lossy"),
    ]
    assert found.again == START + timedelta(seconds=5)


def test_a_new_one_begins_when_all_nodes_have_heard_of_it() -> None:
    assert first_moment(START + timedelta(seconds=0.9)) == START + timedelta(seconds=2)


def test_nodes_are_told_ahead_and_seldom() -> None:
    found = made(steps=FLAPPING, lease="untilDeleted")
    told = {tuple((since, until) for since, until, _ in at(found, n / 10).states) for n in range(5000)}
    assert len(told) <= 500 / 2 * 51 / 50 / AHEAD + 2  # one state begins each other second, and in so many of them they hear once
    for seconds in (0, 50.5, 99.9, 123.4):
        last = max(since for since, _, _ in at(found, seconds).states)
        assert last - START - timedelta(seconds=seconds) >= timedelta(seconds=AHEAD)  # so long it goes on by itself


@given(st.integers(0, 3000), st.sampled_from([1, 3, "ever"]), st.sampled_from(["", "flap"]))
def test_what_is_told_is_what_the_language_says(tenths: int, repeat: Any, kind: str) -> None:
    """At any moment the states that were told are those of the timeline, whenever they were told."""
    from netweather.conditions.scenario import load_scenario
    from netweather.conditions.scenario_timeline import timeline

    steps = FLAPPING if kind else scenario()["spec"]["steps"]
    more = {"lease": "untilDeleted"} if repeat == "ever" else {"repeat": repeat}
    found, seconds = made(steps=steps, **more), tenths / 10
    playing = at(found, seconds)
    plain = load_scenario({"name": "evening", "targets": ["docker:a"], "steps": steps})
    whole = timeline(plain, lambda _: True)
    offset = seconds * 1e9 % whole.length
    moment = [each for each in whole.moments if each.at <= offset][-1]
    wanted = [condition.name for condition in moment.conditions] if not playing.over else []
    assert sorted(f"evening.{step}" for step in there(playing, seconds)) == sorted(wanted)
    if playing.again is not None:
        later = (playing.again - START).total_seconds() - 1e-6
        if later > seconds + 1:
            assert at(found, later).states == playing.states
