"""The keeper's decisions, with an engine that only remembers; real ones run in tests/kernel."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from netweather import keeper as module
from netweather.conditions import Condition, NetworkCondition, Rule
from netweather.journal import Entry, Journal
from netweather.keeper import RETRY_S, TURN_S, Keeper
from netweather.kernel.datapath.spec import NEVER, LineId, RuleId
from netweather.planning.rules import Allocation, InForce
from netweather.results import TargetRef
from tests.support.clock import FakeClock


class Remembering:
    """An engine that notes what the keeper asked of it."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.asked: list[str] = []
        self.at_work = False

    def expire(self, identity: str, fd: int) -> bool:
        self.asked.append("expire")
        return True

    def end(self, identity: str, fd: int, when: Callable[[Entry], bool] = lambda entry: True) -> bool:
        """at_work: what looked broken is whole once the command that was at work has finished."""
        entry = self.journal.read(identity)
        if self.at_work or entry is None or not when(entry):
            return False
        self.asked.append("end")
        return True


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Keeper, Remembering, Entry]]:
    journal = Journal(tmp_path)
    fd = os.open("/proc/self/ns/net", os.O_RDONLY)
    status = os.fstat(fd)
    whose = TargetRef("pid:1", "one", status.st_dev, status.st_ino, os.getpid(), None, "pid")
    entry = Entry(
        whose, [InForce(NetworkCondition(rules=(Rule(condition=Condition(block="drop")),)), {}, NEVER, 1, ())], state="made"
    )
    journal.write(entry)
    engine: Any = Remembering(journal)
    monkeypatch.setattr(module, "alive", lambda *_, **__: True)
    monkeypatch.setattr(module, "covers", lambda *_: True)
    keeper = Keeper(engine, whose.identity, fd, clock=FakeClock())
    os.close(fd)
    yield keeper, engine, entry
    keeper.close()


def test_nothing_to_do(kept: tuple[Keeper, Remembering, Entry]) -> None:
    keeper, engine, _ = kept
    assert keeper.turn()
    assert engine.asked == []
    assert keeper.pause() == TURN_S


def test_a_lease_that_is_over(kept: tuple[Keeper, Remembering, Entry]) -> None:
    keeper, engine, entry = kept
    engine.journal.write(replace(entry, conditions=[replace(entry.conditions[0], deadline=keeper.clock.boot_ns())]))
    assert keeper.turn()
    assert engine.asked == ["expire"]
    assert keeper.pause() == 0


def test_a_target_that_is_gone(kept: tuple[Keeper, Remembering, Entry], monkeypatch: pytest.MonkeyPatch) -> None:
    keeper, engine, _ = kept
    monkeypatch.setattr(module, "alive", lambda *_, **__: False)
    assert not keeper.turn()
    assert engine.asked == ["end"]


def test_a_device_that_was_deleted(kept: tuple[Keeper, Remembering, Entry], monkeypatch: pytest.MonkeyPatch) -> None:
    keeper, engine, entry = kept
    engine.journal.write(replace(entry, slots=Allocation(lines={LineId(RuleId("default", 0), "egress", "eth0", "pump"): 0})))
    monkeypatch.setattr(module, "names", lambda: ["lo", "eth0"])
    monkeypatch.setattr(keeper, "_pump_is_dead", lambda _: False)
    assert keeper.turn()
    engine.at_work = True
    assert keeper.turn()
    engine.at_work = False
    assert not keeper.turn()
    assert engine.asked == ["end"]


def test_interfaces_that_came_or_left(kept: tuple[Keeper, Remembering, Entry], monkeypatch: pytest.MonkeyPatch) -> None:
    keeper, engine, _ = kept
    assert keeper.turn()
    monkeypatch.setattr(keeper, "_interfaces_changed", lambda: True)
    assert keeper.turn()
    assert engine.asked == ["expire"]


def test_a_dead_pump_is_made_good(kept: tuple[Keeper, Remembering, Entry], monkeypatch: pytest.MonkeyPatch) -> None:
    keeper, engine, _ = kept
    monkeypatch.setattr(keeper, "_pump_is_dead", lambda _: True)
    assert keeper.turn()
    assert engine.asked == ["expire"]


def test_what_a_killed_command_left_half_done_is_finished(kept: tuple[Keeper, Remembering, Entry]) -> None:
    keeper, engine, entry = kept
    engine.journal.write(replace(entry, state="making"))
    assert keeper.turn()
    assert engine.asked == []
    assert keeper.turn()
    assert engine.asked == ["expire"]


def test_what_is_cleared_lingers_for_a_while(kept: tuple[Keeper, Remembering, Entry], monkeypatch: pytest.MonkeyPatch) -> None:
    keeper, engine, entry = kept
    keeper.linger_s = 60.0
    engine.journal.write(replace(entry, conditions=[], state="unmaking"))
    for _ in range(3):
        assert keeper.turn()
        assert keeper.lingers
    assert engine.asked == []
    assert keeper.pause() == 60
    keeper.clock.pause(20)
    assert keeper.pause() == 40
    engine.journal.write(entry)  # somebody has set it again
    assert keeper.turn()
    assert not keeper.lingers
    engine.journal.write(replace(entry, conditions=[], state="unmaking"))
    keeper.linger_s = 0.0
    keeper.turn()
    assert engine.asked == ["expire"]


def test_a_failure_is_tried_again(kept: tuple[Keeper, Remembering, Entry], monkeypatch: pytest.MonkeyPatch) -> None:
    keeper, _, _ = kept
    answers: list[bool | Exception] = [OSError("planted"), True, False]

    def turn() -> bool:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(keeper, "turn", turn)
    before = keeper.clock.now()
    keeper.run()
    assert answers == []
    assert keeper.clock.now() == before + RETRY_S + TURN_S


def test_no_journal_ends_it(kept: tuple[Keeper, Remembering, Entry]) -> None:
    keeper, engine, entry = kept
    engine.journal.forget(entry.target.identity)
    assert not keeper.turn()


def test_who_came_back_meanwhile_is_not_ended(kept: tuple[Keeper, Remembering, Entry], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody lived there at the first look; then a command had the target, and at the second look somebody does."""
    keeper, engine, _ = kept
    looks = iter([False, True, False, False])
    monkeypatch.setattr(module, "alive", lambda *_, **__: next(looks))
    assert keeper.turn()
    assert engine.asked == []
    assert not keeper.turn()
    assert engine.asked == ["end"]
