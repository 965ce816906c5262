"""The engine over the FakeKernel: no root, no processes; the journal is real files."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import Mock

import pytest

from netweather.conditions import FOREVER, Condition, LossRandom, Match, NetworkCondition, PortRange, Rule, profiles, validation
from netweather.engine import Engine, core, engine_choice, recovery
from netweather.engine.transaction import Placement, set_all
from netweather.errors import NetweatherError
from netweather.kernel import namespace_search, namespaces
from netweather.kernel.datapath.fake import FakeKernel, FakeTarget
from netweather.kernel.datapath.operations import Operation, WriteRules
from netweather.lines import pump_line
from netweather.service import LocalService
from netweather.settings import Settings
from netweather.units import Duration, Percent
from tests.support.world import World
from tests.unit.engine.conftest import Bench, condition


def names(bench: Bench) -> list[str]:
    return [shown.condition.name for shown in bench.engine.show(bench.target)]


def test_set_puts_it_in_force_and_show_says_so(bench: Bench) -> None:
    result = bench.engine.set(bench.target, condition())
    assert result.changed
    assert result.interfaces == ("eth0",)
    (shown,) = bench.engine.show(bench.target)
    assert shown.in_force
    assert shown.problems == ()
    assert shown.remaining_ns is not None
    assert 0 < shown.remaining_ns <= 600 * 10**9
    assert bench.kernel.lines.keys() == {0}


def test_the_same_twice_is_no_change(bench: Bench) -> None:
    bench.set()
    assert not bench.engine.set(bench.target, condition()).changed
    assert names(bench) == ["default"]


def test_a_changed_condition_counts_from_nothing_and_its_neighbours_go_on(bench: Bench) -> None:
    bench.set(name="a")
    bench.set(Rule(Match(ports=(PortRange(80, 80),)), Condition(block="drop")), name="b")

    def counted() -> dict[str, int]:
        return {shown.condition.name: sum(rule.packets for rule in shown.rules) for shown in bench.engine.show(bench.target)}

    bench.kernel.counters = dict.fromkeys(range(8), (5, 500, 0))
    bench.set(name="a")
    before = counted()
    assert before["a"] == before["b"] > 0
    bench.set(Rule(Match(direction="egress"), Condition(block="drop")), name="a")
    assert counted() == {"a": 0, "b": before["b"]}


def test_forever_has_no_end(bench: Bench) -> None:
    bench.set(lease=FOREVER)
    assert bench.engine.show(bench.target)[0].remaining_ns is None


def test_names_stand_side_by_side_and_end_one_by_one(bench: Bench) -> None:
    bench.set(name="a")
    bench.set(Rule(Match(ports=(PortRange(80, 80),)), Condition(block="drop")), name="b")
    assert names(bench) == ["a", "b"]
    assert bench.engine.clear(bench.target, "a") == ["a"]
    assert names(bench) == ["b"]
    assert bench.kernel.lines == {}
    assert not bench.kernel.port


def test_overlaps_are_told(bench: Bench) -> None:
    bench.set(name="a")
    result = bench.engine.set(bench.target, condition(name="b"))
    assert any("'a' comes before 'b'" in note for note in result.notes)


def test_clear_leaves_nothing(bench: Bench, tmp_path: Path) -> None:
    bench.set()
    assert bench.engine.clear(bench.target) == ["default"]
    assert bench.kernel == FakeKernel()
    assert not list((tmp_path / "state").rglob("*.json"))
    assert bench.engine.clear(bench.target) == []


def test_clear_names_what_is_there(bench: Bench) -> None:
    bench.set()
    with pytest.raises(NetweatherError, match="no-such-condition") as caught:
        bench.engine.clear(bench.target, "other")
    assert "default" in caught.value.why


def test_clear_all_goes_on_after_a_failure(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World.make(tmp_path / "ns")
    engine = Engine(Settings(state=tmp_path / "many"), world.open_kernel)
    for reference in ("netns:a", "netns:b"):
        with world.resolve([reference])[0] as target:
            engine.set(target, condition())
    whole = FakeTarget.apply

    def failing(self: FakeTarget, operation: Operation) -> None:
        if self.kernel is world.kernel("b"):
            raise OSError(5, "planted")
        whole(self, operation)

    monkeypatch.setattr(FakeTarget, "apply", failing)
    answers = {each.target: each for each in LocalService(engine).clear()}
    assert answers["netns:a"].names == ("default",)
    assert str(answers["netns:b"].problem) == "[Errno 5] planted"
    assert [name for name in "ab" if world.kernel(name).attached] == ["b"]
    monkeypatch.setattr(FakeTarget, "apply", whole)
    assert LocalService(engine).clear() == []
    assert not world.kernel("b").attached


def test_clear_all_needs_no_journal_that_can_be_read(bench: Bench) -> None:
    bench.set()
    (bench.engine.journal.directory(bench.target.identity) / "journal.json").write_text("{")
    assert [each.problem for each in LocalService(bench.engine).clear()] == [None]
    assert bench.kernel == FakeKernel()
    assert bench.engine.journal.identities() == []


def test_files_and_own_profiles_are_needed_only_when_it_is_set(bench: Bench, tmp_path: Path) -> None:
    """Afterwards it is changed, shown, put back and cleared without them, and the lines are what they were."""
    files = {"up.trace": "1\n5\n", "own.yaml": "office: {up: {delay: 5ms}, down: {delay: 6ms}}\n"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    bench.engine.settings = replace(bench.engine.settings, profiles=(tmp_path / "own.yaml",))
    bench.set(
        Rule(Match(ports=(PortRange(80, 80),)), Condition(trace=str(tmp_path / "up.trace"))),
        Rule(Match(), Condition(profile="office")),
    )
    lines = dict(bench.kernel.lines)
    assert len(lines) == 4
    for name in files:
        (tmp_path / name).unlink()
    bench.set(Rule(Match(ports=(PortRange(9, 9),)), Condition(block="drop")), name="other")
    assert all(shown.in_force for shown in bench.engine.show(bench.target))
    bench.engine.clear(bench.target, "other")
    assert bench.engine.expire(bench.target.identity, bench.target.netns_fd)
    assert bench.kernel.lines == lines
    bench.engine.clear(bench.target)
    assert bench.kernel == FakeKernel()
    with pytest.raises(NetweatherError, match="unreadable-file"):
        bench.set(Rule(Match(), Condition(trace=str(tmp_path / "up.trace"))))


def test_another_owners_name_is_refused(bench: Bench) -> None:
    bench.set(owner="alice")
    with pytest.raises(NetweatherError, match="other-owner"):
        bench.set(owner="bob")
    assert bench.engine.show(bench.target)[0].condition.owner == "alice"


def test_a_dry_run_changes_nothing(bench: Bench) -> None:
    result = bench.engine.set(bench.target, condition(), dry_run=True)
    assert any(isinstance(operation, WriteRules) for operation in result.operations)
    assert bench.kernel == FakeKernel()
    assert names(bench) == []


def test_a_profile_is_two_rules_and_one_line_of_counters(bench: Bench) -> None:
    bench.set(Rule(Match(), Condition(profile="3g")))
    (shown,) = bench.engine.show(bench.target)
    assert len(shown.rules) == 1
    assert len(bench.kernel.lines) == 2
    bench.kernel.counters = {0: (3, 300, 0)}
    assert bench.engine.show(bench.target)[0].rules[0].packets == 3


@pytest.mark.parametrize("fails_at", range(7))
def test_a_failure_in_the_middle_leaves_what_was_before(bench: Bench, monkeypatch: pytest.MonkeyPatch, fails_at: int) -> None:
    bench.set(Rule(Match(ports=(PortRange(80, 80),)), Condition(block="drop")), name="before")
    seen = 0
    whole = FakeTarget.apply

    def failing(self: FakeTarget, operation: Operation) -> None:
        nonlocal seen
        seen += 1
        if seen == fails_at + 1:
            raise OSError(5, "planted")
        whole(self, operation)

    monkeypatch.setattr(FakeTarget, "apply", failing)
    try:
        bench.set(name="after")
    except OSError:
        assert names(bench) == ["before"]
        assert bench.kernel.lines == {}
    else:
        assert seen <= fails_at
    monkeypatch.setattr(FakeTarget, "apply", whole)
    assert bench.engine.clear(bench.target)
    assert bench.kernel == FakeKernel()


def test_what_was_broken_behind_our_back_is_told(bench: Bench) -> None:
    bench.set()
    bench.kernel.attached.clear()
    bench.kernel.pump = False
    (shown,) = bench.engine.show(bench.target)
    assert not shown.in_force
    assert any("not attached to eth0" in problem for problem in shown.problems)


def test_an_ended_lease_is_swept_by_any_command(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.set(lease=Duration(10**9))
    later = namespaces.boot_ns() + 2 * 10**9
    monkeypatch.setattr(namespaces, "boot_ns", lambda: later)
    assert names(bench) == []
    assert bench.kernel == FakeKernel()


def test_recover_takes_away_what_nobody_keeps(bench: Bench) -> None:
    bench.set()
    assert [r.what for r in recovery.sweep(bench.engine, orphans=True)] == ["default"]
    assert bench.kernel == FakeKernel()


def test_what_another_state_directory_keeps_is_left_alone(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.set()
    status = os.fstat(bench.target.netns_fd)
    monkeypatch.setattr(recovery, "every_namespace", lambda _: [("path", status.st_dev, status.st_ino, bench.target.netns_fd)])
    monkeypatch.setattr(recovery, "pause", looks := Mock())
    other = Engine(Settings(state=tmp_path / "other"), bench.engine.open_kernel)
    assert [r.taken for r in other.recover()] == [False]
    assert bench.engine.show(bench.target)[0].in_force
    looks.assert_not_called()
    bench.kernel.pump = False
    looks.side_effect = lambda seconds: setattr(bench.kernel, "pump", True)  # it was being set, or its keeper mended it
    assert [r.taken for r in other.recover()] == [False]
    assert bench.engine.show(bench.target)[0].in_force
    bench.kernel.pump = False
    looks.side_effect = None
    assert [r.taken for r in other.recover()] == [True]
    assert bench.kernel == FakeKernel()
    bench.set()
    bench.kernel.pump = False
    looks.reset_mock()
    assert [r.taken for r in other.recover(force=["path"])] == [True]
    looks.assert_not_called()


def test_a_broken_journal_is_told_and_recovered_from(bench: Bench) -> None:
    bench.set()
    (bench.engine.journal.directory(bench.target.identity) / "journal.json").write_text("{")
    with pytest.raises(NetweatherError, match="broken-journal"):
        bench.engine.show(bench.target)
    assert recovery.sweep(bench.engine, orphans=True)
    assert bench.kernel == FakeKernel()


def test_what_no_engine_can_do_is_refused_before_anything(bench: Bench) -> None:
    with pytest.raises(NetweatherError, match="engine-cannot"):
        bench.set(engine="netem")
    assert bench.kernel == FakeKernel()


def test_a_target_without_interfaces_is_told(bench: Bench) -> None:
    bench.kernel.interfaces = {}
    with pytest.raises(NetweatherError, match="no-interfaces"):
        bench.set()


def test_the_keeper_expires_what_is_due(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.set(name="short", lease=Duration(10**9))
    bench.set(Rule(Match(), Condition(loss=LossRandom(Percent.parse("1%")))), name="long")
    later = namespaces.boot_ns() + 2 * 10**9
    monkeypatch.setattr(namespaces, "boot_ns", lambda: later)
    assert bench.engine.expire(bench.target.identity, bench.target.netns_fd)
    assert names(bench) == ["long"]
    bench.engine.end(bench.target.identity, bench.target.netns_fd)
    assert bench.kernel == FakeKernel()


def test_conditions_that_stay_the_same_are_not_written_again(bench: Bench) -> None:
    assert not bench.engine.rewrite(bench.target, lambda conditions: conditions)
    bench.set(name="a")
    (before,) = bench.engine.active(bench.target)
    assert not bench.engine.rewrite(bench.target, list)
    assert bench.engine.rewrite(bench.target, lambda conditions: [replace(each, created=each.created + 1) for each in conditions])
    assert bench.engine.active(bench.target) == (replace(before, created=before.created + 1),)


def test_one_target_is_swept_alone(bench: Bench) -> None:
    bench.set(name="a", lease=Duration(1))
    assert [(each.what, each.taken) for each in bench.engine.sweep_known(bench.target.identity)] == [("a", True)]
    assert bench.engine.sweep_known(bench.target.identity) == []
    assert bench.kernel == FakeKernel()


def test_show_does_not_fail_for_a_target_that_another_command_changes(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """It shows what the journal says of it, and says so; a running lease or a sweep is not waited for either."""
    monkeypatch.setattr(core, "SHOW_PATIENCE_S", 0.01)
    bench.set()
    with bench.engine.journal.locked(bench.target.identity):
        for target in (bench.target, None):
            (shown,) = bench.engine.show(target)
            assert shown.condition.name == "default"
            assert not shown.in_force
            assert "busy" in shown.problems[0]
    (shown,) = bench.engine.show(bench.target)
    assert shown.in_force


def test_a_namespace_that_got_the_inode_of_another_starts_anew(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody was there to end what was in force in the one that is gone; its journal is still there."""
    monkeypatch.setattr(namespaces, "quick_cookie", lambda fd: bench.kernel.cookie)
    monkeypatch.setattr(namespace_search, "is_another", lambda fd, cookie: cookie != bench.kernel.cookie)
    bench.kernel.cookie = 7
    bench.set(name="old")
    assert names(bench) == ["old"]
    bench.kernel.__dict__.update(FakeKernel(cookie=8).__dict__)
    assert bench.engine.active(bench.target) == ()
    assert bench.engine.show() == []
    bench.set(name="new")
    assert names(bench) == ["new"]
    entry = bench.engine.journal.read(bench.target.identity)
    assert entry is not None
    assert entry.target.cookie == 8


def test_clear_has_nothing_to_end_where_another_had_the_inode(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespace_search, "is_another", lambda fd, cookie: cookie != bench.kernel.cookie)
    bench.kernel.cookie = 7
    bench.set(name="old")
    bench.kernel.__dict__.update(FakeKernel(cookie=8).__dict__)
    assert bench.engine.clear(bench.target) == []
    assert bench.engine.journal.identities() == []


def test_without_a_cookie_the_inode_must_do(bench: Bench) -> None:
    """Kernels before 5.14 have none, and journals of an earlier version."""
    bench.set(name="one")
    bench.kernel.cookie = 8
    bench.set(name="two")
    assert names(bench) == ["one", "two"]


def calls(monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str) -> list[Any]:
    """The first argument of each call of a function, from now on."""
    seen: list[Any] = []
    function = getattr(module, name)

    def counted(*arguments: Any, **named: Any) -> Any:
        seen.append(arguments[0])
        return function(*arguments, **named)

    monkeypatch.setattr(module, name, counted)
    return seen


def test_a_set_validates_expands_and_chooses_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """And `show` never expands or chooses, and validates what it reads from the journal."""
    checked, found = calls(monkeypatch, validation, "check_types"), calls(monkeypatch, profiles, "find_profile")
    chosen, compiled = calls(monkeypatch, engine_choice, "choose"), calls(monkeypatch, pump_line, "line_parameters")
    wanted = condition(Rule(Match(), Condition(profile="3g")), engine="pump")
    set_all(bench.engine, [Placement(wanted, (bench.target,))])
    assert [each for each in checked if isinstance(each, NetworkCondition)] == [wanted]
    assert found == ["3g"]
    assert (len(chosen), len(set(chosen))) == (2, 2)  # what is sent, and what is received
    assert compiled == chosen
    for each in (checked, found, chosen, compiled):
        each.clear()
    (shown,) = Engine(bench.engine.settings, lambda *_: FakeTarget(bench.kernel)).show(bench.target)
    assert shown.condition == wanted
    assert shown.engines == ("engine pump",)
    assert len([each for each in checked if isinstance(each, NetworkCondition)]) == 1
    assert (found, chosen) == ([], [])
    assert len(compiled) == 2
