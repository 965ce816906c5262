"""Playing a scenario: what is put and ended, in which order; held, resumed, stopped, failed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import pytest

from netweather.conditions import NetworkCondition
from netweather.conditions.scenario import load_scenario_text
from netweather.conditions.scenario_timeline import timeline
from netweather.engine.scenario_runner import Bookmark, PlacedName, Player, ScenarioPosition
from netweather.errors import NetweatherError
from netweather.wire.scenario_documents import PLAYED
from tests.support.clock import FakeClock

Call = tuple[Any, ...]


NOW = 1e6
"""Seconds of boot time at which each test begins."""


class Stage(Bookmark):
    """Remembers the calls. fails: the names whose putting fails, with a code. What happens meanwhile is said with `at`, in seconds."""

    def __init__(
        self, steps: str, place: ScenarioPosition | None = None, left: tuple[PlacedName, ...] = (), **spec: object
    ) -> None:
        more = "".join(f"{key}: {value}\n" for key, value in spec.items())
        self.calls: list[Call] = []
        self.told: list[str] = []
        self.whys: list[str] = []
        self.noted: list[ScenarioPosition | None] = []
        self.fails: dict[str, str] = {}
        self.clock = FakeClock(NOW)
        scenario = load_scenario_text(f"name: s\ntargets: [netns:a]\n{more}steps:\n{steps}")
        line = timeline(scenario)
        self.player = Player(scenario, line, self, self, place=place, left=left, clock=self.clock)

    def put(self, conditions: Sequence[NetworkCondition]) -> None:
        self._put("put", conditions)

    def renew(self, conditions: Sequence[NetworkCondition]) -> None:
        self._put("renew", conditions)

    def _put(self, how: str, conditions: Sequence[NetworkCondition]) -> None:
        for each in conditions:
            if code := self.fails.get(each.name):
                raise NetweatherError(code, "planted")
        self.calls.append((how, *sorted(each.name for each in conditions)))

    def end(self, target: str, name: str) -> None:
        self.calls.append(("end", target, name))

    def tell(self, kind: str, data: dict[str, Any]) -> None:
        self.told.append(kind)
        self.whys += [data["why"]] if "why" in data else []

    def write(self, place: ScenarioPosition) -> None:
        self.noted.append(place)

    def remove(self) -> None:
        self.noted.append(None)

    def at(self, seconds: float, action: Callable[[], object]) -> None:
        self.clock.at(NOW + seconds, action)


def test_conditions_come_and_go_and_all_is_taken_back() -> None:
    stage = Stage(
        "- {at: 0s, condition: {delay: 1ms}}\n- {at: 150ms, for: 150ms, condition: {loss: 1%}}\n"
        "- {at: 450ms, for: 50ms, condition: {loss: 2%}}"
    )
    stage.player.run()
    assert stage.calls == [
        ("put", "s.step-1"), ("put", "s.step-2"), ("end", "netns:a", "s.step-2"), ("put", "s.step-3"),
        ("end", "netns:a", "s.step-1"), ("end", "netns:a", "s.step-3"),
    ]  # fmt: skip
    assert stage.told == ["scenario-started", *["scenario-stepped"] * 4, "scenario-ended"]
    assert stage.player.progress.state == "ended"


def test_rounds() -> None:
    stage = Stage("- {at: 0s, for: 100ms, condition: {delay: 1ms}}", repeat=3, length="200ms")
    stage.player.run()
    assert stage.calls == [("put", "s.step-1"), ("end", "netns:a", "s.step-1")] * 3
    assert stage.player.progress.round == 3


def test_who_comes_late_skips_what_is_over_and_the_end_stays() -> None:
    """The machine slept, or putting took longer than a round: the time line goes by the time."""
    stage = Stage("- {at: 0s, for: 1s, condition: {delay: 1ms}}\n- {at: 2s, for: 1s, condition: {loss: 1%}}", repeat=4)

    def sleeps() -> None:
        stage.clock.time += 5

    stage.at(1.5, sleeps)
    stage.player.run()
    names = [(call[0], call[-1].removeprefix("s.step-")) for call in stage.calls]
    third_and_fourth = "put 1, end 1, put 2, put 1, end 2, end 1, put 2, end 2"
    assert ", ".join(map(" ".join, names)) == f"put 1, end 1, {third_and_fourth}"
    assert stage.clock.time == pytest.approx(NOW + 12)


def test_what_is_in_force_is_renewed_also_while_it_is_held() -> None:
    stage = Stage("- {at: 0s, condition: {delay: 1ms}}", length="1h", lease="30s")
    seen: list[tuple[str, int]] = []

    def look() -> None:
        seen.append((stage.player.progress.state, stage.calls.count(("renew", "s.step-1"))))

    stage.at(35, look)
    stage.at(36, stage.player.pause)
    stage.at(77, look)
    stage.at(78, stage.player.stop)
    stage.player.run()
    assert seen == [("playing", 3), ("paused", 7)]
    assert stage.calls[-1] == ("end", "netns:a", "s.step-1")
    assert stage.told[-1] == "scenario-stopped"


def test_held_time_does_not_pass() -> None:
    stage = Stage("- {at: 0s, condition: {delay: 1ms}}\n- {at: 300ms, for: 100ms, condition: {loss: 1%}}")

    def look() -> None:
        assert stage.player.progress.at == pytest.approx(0.1)
        assert ("put", "s.step-2") not in stage.calls
        with pytest.raises(NetweatherError, match="not-playing"):
            stage.player.pause()

    stage.at(0.1, stage.player.pause)
    stage.at(60, look)
    stage.at(70, stage.player.resume)
    stage.player.run()
    assert ("put", "s.step-2") in stage.calls
    assert stage.told[-1] == "scenario-ended"
    assert stage.clock.time == pytest.approx(NOW + 70.3)
    with pytest.raises(NetweatherError, match="not-playing"):
        stage.player.resume()


def test_a_step_that_fails_takes_everything_back() -> None:
    stage = Stage("- {at: 0s, condition: {delay: 1ms}}\n- {at: 100ms, for: 1s, condition: {loss: 1%}}")
    stage.fails = {"s.step-2": "busy"}
    with pytest.raises(NetweatherError, match="busy"):
        stage.player.run()
    assert stage.calls == [("put", "s.step-1"), ("end", "netns:a", "s.step-1")]
    progress = stage.player.progress
    assert (progress.state, progress.in_force, progress.problem and progress.problem.code) == ("failed", (), "busy")
    plain = PLAYED.write(stage.player)
    assert (plain["metadata"]["name"], plain["status"]["state"], plain["status"]["problem"]["code"]) == ("s", "failed", "busy")


@pytest.mark.parametrize(("code", "state"), [("target-not-running", "stopped"), ("busy", "failed")])
def test_a_target_that_restarts_is_no_failure_of_a_renewal(code: str, state: str) -> None:
    stage = Stage("- {at: 0s, condition: {delay: 1ms}}", length="1h", lease="30s")
    stage.at(5, lambda: stage.fails.update({"s.step-1": code}))
    stage.at(25, stage.player.stop)
    with nullcontext() if state == "stopped" else pytest.raises(NetweatherError, match=code):
        stage.player.run()
    assert stage.player.progress.state == state
    assert stage.clock.time == NOW + (25 if state == "stopped" else 10)


def test_targets_alike_are_put_together() -> None:
    stage = Stage("- {at: 0s, for: 50ms, targets: [netns:a, netns:b], condition: {delay: 1ms}}")
    stage.player.run()
    assert stage.calls == [("put", "s.step-1"), ("end", "netns:a", "s.step-1"), ("end", "netns:b", "s.step-1")]


def ago(seconds: float) -> float:
    """Seconds of boot time."""
    return NOW - seconds


TWO = "- {at: 0s, for: 1h, condition: {delay: 1ms}}\n- {at: 1h, for: 1h, condition: {loss: 1%}}"
OLD, NEW = ("netns:a", "s.step-1"), ("netns:a", "s.step-2")


@pytest.mark.parametrize(("began", "number"), [(5400, 1), (3 * 7200 + 5400, 4)])
def test_another_goes_on_at_its_time_and_ends_what_is_over(began: float, number: int) -> None:
    """What the one before left in force is put again, or ended."""
    stage = Stage(TWO, place=ScenarioPosition(1, ago(began)), left=(OLD, NEW), repeat=4)
    seen: list[tuple[int, float]] = []
    stage.at(0.5, lambda: seen.append((stage.player.progress.round, stage.player.progress.at)))
    stage.at(1, stage.player.stop)
    stage.player.run()
    assert seen == [(number, pytest.approx(5400.5))]
    assert stage.calls == [("put", "s.step-2"), ("end", *OLD), ("end", *NEW)]
    assert stage.told[0] == "scenario-resumed"
    assert stage.noted == [None]  # where it stands is what the one before noted


def test_what_was_held_is_held_again_at_the_same_place() -> None:
    stage = Stage(TWO, place=ScenarioPosition(1, ago(9000), held=ago(3600)), left=(NEW,))
    seen: list[tuple[str, float]] = []
    stage.at(60, lambda: seen.append((stage.player.progress.state, stage.player.progress.at)))
    stage.at(61, stage.player.stop)
    stage.player.run()
    assert seen == [("paused", pytest.approx(5400))]
    assert stage.told[:2] == ["scenario-resumed", "scenario-paused"]


@pytest.mark.parametrize(
    "place", [ScenarioPosition(1, ago(7300)), ScenarioPosition(1, ago(-1e6))], ids=["over", "of another boot"]
)
def test_what_is_over_meanwhile_ends_and_says_so(place: ScenarioPosition) -> None:
    stage = Stage(TWO, place=place, left=(OLD,))
    stage.player.run()
    assert stage.calls == [("end", *OLD)]
    assert (stage.told, stage.whys) == (["scenario-ended"], ["its end passed while no agent played it"])


def test_where_it_stands_is_noted_before_anything_is_put() -> None:
    stage = Stage("- {at: 0s, condition: {delay: 1ms}}", length="1h")
    stage.fails = {"s.step-1": "busy"}
    with pytest.raises(NetweatherError):
        stage.player.run()
    assert stage.noted == [ScenarioPosition(1, NOW), None]
    stage = Stage("- {at: 0s, condition: {delay: 1ms}}", length="1h")
    for seconds, action in ((1, stage.player.pause), (2, stage.player.resume), (3, stage.player.stop)):
        stage.at(seconds, action)
    stage.player.run()
    assert stage.noted == [ScenarioPosition(1, NOW), ScenarioPosition(1, NOW, NOW + 1), ScenarioPosition(1, NOW + 1), None]
