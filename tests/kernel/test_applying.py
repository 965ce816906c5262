"""Whoever sets at the same time waits his turn, and what fails half way leaves everything as it was."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from netweather.conditions import Condition, NetworkCondition
from netweather.engine import Engine
from netweather.errors import NetweatherError
from netweather.kernel.datapath.operations import Attach, ChangeLine, LoadClassifier, MakeLine, Operation, RemoveLine, WriteRules
from netweather.kernel.datapath.real import RealTarget
from netweather.settings import Settings
from tests.kernel.conftest import MakeRig
from tests.support import dumps
from tests.support.machine import SLOW
from tests.support.rig import Rig, at_last, delay, ports, rule
from tests.support.traffic import Echo, round_trip, udp_client

SERVER = "192.0.2.2"


def names(rig: Rig) -> list[str]:
    return sorted(shown.condition.name for shown in rig.engine.show(rig.target))


def test_sets_of_different_names_at_the_same_time_are_all_in_force(rig: Rig) -> None:
    def work(number: int) -> None:
        engine = Engine(Settings(state=rig.state))
        for turn in range(3):
            rules = (rule(delay(5 + turn), direction="egress", ports=ports(100 + number)),)
            engine.set(rig.target, NetworkCondition(name=f"n{number}", rules=rules))

    before = dumps.settled(rig.net.client)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    assert names(rig) == [f"n{number}" for number in range(6)]
    assert all(shown.in_force for shown in rig.engine.show(rig.target))
    rig.clear()
    dumps.assert_same(before, rig.net.client)
    assert rig.remains() == []


def test_sets_and_clears_of_one_name_by_several_processes(rig: Rig) -> None:
    """Each ends well, and so does the last: with the condition of one of them whole, or with nothing."""
    script = """
import sys
from pathlib import Path
from netweather.conditions import Condition, Delay, Match, NetworkCondition, Rule
from netweather.engine import Engine
from netweather.settings import Settings
from netweather.targets import resolve
from netweather.units import Duration
engine, target, ms = Engine(Settings(state=Path(sys.argv[1]))), resolve(sys.argv[2])[0], int(sys.argv[3])
for _ in range(4):
    engine.set(target, NetworkCondition(rules=(Rule(Match(), Condition(delay=Delay(Duration(ms * 1_000_000)))),)))
    engine.clear(target)
"""
    before = dumps.settled(rig.net.client)
    command = [sys.executable, "-c", script, str(rig.state), f"netns:{rig.net.client.name}"]
    started = [subprocess.Popen([*command, str(ms)], stderr=subprocess.PIPE, text=True) for ms in (3, 6, 9)]
    for process in started:
        _, errors = process.communicate(timeout=50 * SLOW)
        assert process.returncode == 0, errors
    rig.clear()
    dumps.assert_same(before, rig.net.client)
    assert rig.remains() == []


class Planted(NetweatherError):
    """The failure that tests plant."""


@pytest.fixture
def fail_at(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """[number of the operation that fails, done or not done before it fails]; negative: none."""
    plan = [-1, 0]
    whole = RealTarget.apply
    turn = threading.local()

    def apply(self: RealTarget, operation: Operation) -> None:
        turn.count = getattr(turn, "count", -1) + 1
        if plan[0] >= 0:
            plan[0] -= 1
            if plan[0] < 0:
                if plan[1]:
                    whole(self, operation)
                raise Planted("planted", f"{type(operation).__name__} failed", "", "")
        whole(self, operation)

    monkeypatch.setattr(RealTarget, "apply", apply)
    return plan


RULES = [
    rule(delay(20), direction="egress", protocol="udp"),
    rule(delay(5), protocol="tcp", ports=ports(80)),
    rule(Condition(block="drop"), ports=ports(9)),
]


def every_failure(count: int) -> list[tuple[int, int]]:
    """Before each of so many operations, and after the last."""
    return [*((number, False) for number in range(count)), (count - 1, True)]


@pytest.mark.parametrize("hook", ["tcx", "clsact"])
def test_a_first_set_that_fails_leaves_nothing(make_rig: MakeRig, fail_at: list[int], hook: str) -> None:
    with make_rig(hook=hook) as rig:
        before = dumps.settled(rig.net.client)
        count = len(rig.engine.set(rig.target, NetworkCondition(rules=tuple(RULES)), dry_run=True).operations)
        assert count >= 8
        for failure in every_failure(count):
            fail_at[:] = failure
            with pytest.raises(Planted):
                rig.set(*RULES)
            dumps.assert_same(before, rig.net.client)
            assert rig.remains() == []
            assert rig.engine.show(rig.target) == []
        fail_at[:] = [-1, 0]
        rig.set(*RULES)
        assert rig.shown().in_force


def test_a_change_that_fails_leaves_what_was_in_force(rig: Rig, fail_at: list[int]) -> None:
    """At each operation, of which this change needs nearly every kind: other lines, and larger tables."""
    had = [rule(delay(20), direction="egress", protocol="udp"), rule(delay(5), protocol="tcp")]
    changed = [
        rule(delay(60), direction="egress"),
        rule(Condition(block="drop"), ports=ports(9)),
        *[rule(delay(7), ports=ports(500 + n)) for n in range(2)],
    ]
    with Echo(rig.net.server, [7]), udp_client(rig.net.client, SERVER, 7) as connection:
        rig.set(*had)
        operations = rig.engine.set(rig.target, NetworkCondition(rules=tuple(changed)), dry_run=True).operations
        assert {LoadClassifier, ChangeLine, MakeLine, WriteRules, Attach, RemoveLine} <= set(map(type, operations))
        for failure in every_failure(len(operations)):
            rig.clear()  # or the larger tables of the last time would still be there
            rig.set(*had)
            fail_at[:] = failure
            with pytest.raises(Planted):
                rig.set(*changed)
            shown = rig.shown()
            assert shown.problems == ()
            assert shown.in_force
            assert shown.condition.rules == tuple(had)
            at_last(lambda: round_trip(connection), 0.02, 0.06)
        rig.set(*changed)
        assert rig.shown().condition.rules == tuple(changed)
        assert min(round_trip(connection) for _ in range(3)) >= 0.06


def test_a_clear_that_fails_can_be_repeated(rig: Rig, fail_at: list[int]) -> None:
    before = dumps.settled(rig.net.client)
    for number in range(4):
        rig.set(*RULES)
        fail_at[:] = [number, False]
        with pytest.raises(Planted):
            rig.clear()
        fail_at[:] = [-1, 0]
        rig.clear()
        dumps.assert_same(before, rig.net.client)
        assert rig.remains() == []


def test_a_keeper_that_cannot_be_started_is_a_failure_too(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    from netweather.kernel import keeper_process

    def refuse(*_: object) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    before = dumps.settled(rig.net.client)
    monkeypatch.setattr(keeper_process, "ensure", refuse)
    with pytest.raises((NetweatherError, OSError)):
        rig.set(*RULES)
    dumps.assert_same(before, rig.net.client)
    assert rig.remains() == []


def test_a_dry_run_changes_nothing(rig: Rig) -> None:
    before = dumps.settled(rig.net.client)
    result = rig.engine.set(rig.target, NetworkCondition(rules=tuple(RULES)), dry_run=True)
    assert result.operations
    dumps.assert_same(before, rig.net.client)
    assert rig.remains() == []


def test_an_interface_that_comes_later_is_looked_at_from_the_next_set_on(rig: Rig) -> None:
    before = dumps.settled(rig.net.client)
    rig.set(rule(delay(20), direction="egress"))
    far = rig.net.server.name
    rig.net.client.run("ip", "link", "add", "eth1", "type", "veth", "peer", "name", "eth1p", "netns", far)
    rig.net.client.run("ip", "link", "set", "eth1", "up")
    assert rig.set(rule(delay(21), direction="egress")).interfaces == ("eth0", "eth1")
    assert rig.shown().in_force
    rig.net.client.run("ip", "link", "del", "eth1")
    assert rig.set(rule(delay(22), direction="egress")).interfaces == ("eth0",)
    assert rig.shown().in_force
    rig.clear()
    dumps.assert_same(before, rig.net.client)
