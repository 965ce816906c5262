"""Conditions onto several targets: all, or none and everything as it was; over fake kernels."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from netweather import targets
from netweather.conditions import FOREVER, Condition, Delay, LossRandom, Match, NetworkCondition, Rule
from netweather.engine import Engine, Placement, opened, set_all
from netweather.errors import NetweatherError
from netweather.kernel import keeper_process, namespaces
from netweather.measure import ConditionEvidence
from netweather.results import SetResult
from netweather.settings import Settings
from netweather.targets import Target
from netweather.units import Duration, Percent
from tests.support.world import World

SET = Engine.set
DELAY = NetworkCondition(name="x", rules=(Rule(Match(), Condition(delay=Delay(Duration(10**8)))),))
LOSS = NetworkCondition(name="x", rules=(Rule(Match(), Condition(loss=LossRandom(Percent.parse("1%")))),))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World.make(tmp_path / "ns")
    monkeypatch.setattr(keeper_process, "ensure", lambda *_: None)
    monkeypatch.setattr(targets, "resolve_all", made.resolve)
    return made


@pytest.fixture
def engine(world: World, tmp_path: Path) -> Engine:
    return Engine(Settings(state=tmp_path / "state"), world.open_kernel)


@pytest.fixture
def abc(world: World) -> Iterator[tuple[Target, ...]]:
    made = tuple(world.resolve(["netns:a", "netns:b", "netns:c"]))
    yield made
    for target in made:
        target.close()


@pytest.fixture
def third_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only when it is done: planning it works."""

    def failing(self: Engine, target: Target, condition: NetworkCondition, *, dry_run: bool = False) -> SetResult:
        if target.name == "c" and not dry_run:
            raise NetweatherError("not-in-force", "the kernel does not hold what was asked", "so it is", "try again")
        return SET(self, target, condition, dry_run=dry_run)

    monkeypatch.setattr(Engine, "set", failing)


def test_all_of_them(engine: Engine, abc: tuple[Target, ...], world: World) -> None:
    (done,) = set_all(engine, [Placement(DELAY, abc)])
    assert [result.target.reference for result in done.results] == ["netns:a", "netns:b", "netns:c"]
    assert all(world.kernel(name).attached for name in "abc")


@pytest.mark.usefixtures("third_fails")
def test_one_failure_puts_all_back_as_they_were(engine: Engine, abc: tuple[Target, ...], world: World) -> None:
    """With the lease that was left, to the nanosecond, and the place in the list of rules."""
    engine.set(abc[0], replace(DELAY, lease=Duration(300 * 10**9)))
    engine.set(abc[0], replace(LOSS, name="y", lease=FOREVER))
    before = engine.active(abc[0])
    with pytest.raises(NetweatherError, match="not-in-force") as caught:
        set_all(engine, [Placement(LOSS, abc)])
    assert caught.value.what == "netns:c: the kernel does not hold what was asked"
    assert "2 targets were put back as before" in caught.value.why
    assert sorted(engine.active(abc[0]), key=lambda each: each.created) == sorted(before, key=lambda each: each.created)
    assert all(shown.in_force for shown in engine.show(abc[0]))
    assert engine.active(abc[1]) == ()
    assert world.kernel("b").attached == {}


@pytest.mark.usefixtures("third_fails")
def test_a_lease_that_ended_meanwhile_does_not_come_back(
    engine: Engine, abc: tuple[Target, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.set(abc[0], replace(DELAY, lease=Duration(10**9)))

    def late(target: Target, condition: NetworkCondition) -> tuple[ConditionEvidence, ...]:
        later = namespaces.boot_ns() + 2 * 10**9
        monkeypatch.setattr(namespaces, "boot_ns", lambda: later)
        return ()

    with pytest.raises(NetweatherError, match="not-in-force"):
        set_all(engine, [Placement(LOSS, abc)], check=late)
    assert engine.active(abc[0]) == ()


@pytest.mark.usefixtures("third_fails")
def test_what_somebody_cleared_meanwhile_stays_cleared(engine: Engine, abc: tuple[Target, ...], world: World) -> None:
    def cleared(target: Target, condition: NetworkCondition) -> tuple[ConditionEvidence, ...]:
        engine.clear(target)
        return ()

    engine.set(abc[0], DELAY)
    with pytest.raises(NetweatherError, match="not-in-force"):
        set_all(engine, [Placement(LOSS, abc)], check=cleared)
    assert world.kernel("a").attached == {}


def test_a_check_that_fails_undoes_what_it_looked_at(engine: Engine, abc: tuple[Target, ...]) -> None:
    def refuse(target: Target, condition: NetworkCondition) -> tuple[ConditionEvidence, ...]:
        raise NetweatherError("not-proved", "it does not hold")

    engine.set(abc[0], DELAY)
    with pytest.raises(NetweatherError, match="not-proved"):
        set_all(engine, [Placement(LOSS, abc[:1])], check=refuse)
    assert [each.condition.rules for each in engine.active(abc[0])] == [DELAY.rules]


def test_what_is_known_to_fail_fails_before_anybody_is_touched(engine: Engine, abc: tuple[Target, ...], world: World) -> None:
    engine.set(abc[1], replace(DELAY, owner="bob"))
    with pytest.raises(NetweatherError, match="other-owner") as caught:
        set_all(engine, [Placement(LOSS, abc)])
    assert "no target was changed" in caught.value.why
    assert world.kernel("a").attached == {}


def test_one_name_twice_on_one_target_is_refused(world: World) -> None:
    with (
        pytest.raises(NetweatherError, match="repeated-name"),
        opened([replace(each, targets=("netns:a",)) for each in (DELAY, LOSS)]),
    ):
        pass


def test_several_at_a_time_are_told_in_their_order(engine: Engine, abc: tuple[Target, ...], world: World) -> None:
    together = threading.Barrier(3, timeout=10)  # broken unless all three are under way at once

    class Meeting(Engine):
        def set(self, target: Target, condition: NetworkCondition, *, dry_run: bool = False) -> SetResult:
            together.wait()
            return super().set(target, condition, dry_run=dry_run)

    meeting = Meeting(engine.settings, world.open_kernel, at_once=3)
    (done,) = set_all(meeting, [Placement(DELAY, abc)])
    assert [result.target.name for result in done.results] == ["a", "b", "c"]
    assert all(world.kernel(name).in_force for name in "abc")


@pytest.mark.usefixtures("third_fails")
def test_several_at_a_time_are_put_back_after_a_failure(engine: Engine, abc: tuple[Target, ...], world: World) -> None:
    engine.at_once = 2
    with pytest.raises(NetweatherError, match="does not hold"):
        set_all(engine, [Placement(DELAY, abc)])
    assert not any(world.kernel(name).in_force for name in "abc")
    assert not engine.journal.identities()
