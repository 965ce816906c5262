"""Clearing gives back what was there, byte for byte; so does the end of a lease, and `recover` after everything of ours was killed."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from netweather.conditions import Condition, LossRandom, RateLimit
from netweather.engine import Engine
from netweather.kernel.datapath import real
from netweather.settings import Settings
from netweather.units import Percent, Rate
from tests.kernel.conftest import MakeRig
from tests.support import dumps
from tests.support.machine import SLOW
from tests.support.netns import Namespace
from tests.support.rig import Rig, delay, ports, rule, until
from tests.support.traffic import Echo, round_trip, udp_client

HOOKS = pytest.mark.parametrize("hook", ["tcx", "clsact"])
V4 = "192.0.2.2"
SETS = {
    "a delay": [rule(delay(5))],
    "a block": [rule(Condition(block="drop"), ports=ports(9))],
    "a rejection of one address": [rule(Condition(block="reject"), to=("198.51.100.1",))],
    "all of it": [
        rule(delay(5, jitter=delay(1).time), direction="egress", protocol="udp"),
        rule(Condition(loss=LossRandom(Percent.parse("1%"))), protocol="tcp"),
        rule(Condition(rate=RateLimit(Rate.parse("100mbit"))), protocol="icmp"),
        rule(Condition(block="drop"), ports=ports(9)),
    ],
}


@pytest.fixture
def dumped(rig: Rig) -> Iterator[Rig]:
    """A rig whose dumps must be the same at the end as at the beginning, with nothing of ours left."""
    before = {namespace: dumps.settled(namespace) for namespace in rig.net.namespaces}
    yield rig
    for namespace, dump in before.items():
        dumps.assert_same(dump, namespace)
    assert rig.remains() == []


def quick(namespace: Namespace) -> bool:
    """Whether an echo answers at once."""
    with udp_client(namespace, V4, 7) as connection:
        try:
            return round_trip(connection, 0.1) < 0.1
        except (TimeoutError, ConnectionRefusedError):
            return False


@pytest.mark.parametrize("what", SETS)
def test_clear_gives_everything_back(dumped: Rig, what: str) -> None:
    dumped.set(*SETS[what])
    assert dumped.shown().in_force
    assert dumped.clear() == ["default"]


def test_a_set_changes_only_what_it_says(rig: Rig) -> None:
    """One device more, and programs at both hooks: routes, addresses, qdiscs and the interface's own settings stay."""
    before = dumps.settled(rig.net.client)
    rig.set(*SETS["all of it"])
    now = dumps.dump(rig.net.client)
    seen = {name for name, text in before.items() if now[name] != text}
    assert seen == {"links", "addresses", "namespaces", "qdiscs", "bpf", "tcx egress of eth0", "tcx ingress of eth0"}
    (hooks,) = dumps.entries(now["bpf"])
    assert {(one["devname"], one["kind"]) for one in hooks["tc"]} == {("nw0", "clsact/ingress")}
    for name in ("links", "addresses", "qdiscs"):
        there = [one for one in dumps.entries(now[name]) if "nw0" not in (one.get("ifname"), one.get("dev"))]
        assert there == dumps.entries(before[name]), name
    assert {one["dev"] for one in dumps.entries(now["qdiscs"])} - {one["dev"] for one in dumps.entries(before["qdiscs"])} <= {
        "nw0"
    }


def test_clearing_twice_and_setting_again(dumped: Rig) -> None:
    for _ in range(3):
        dumped.set(*SETS["a delay"])
        dumped.set(*SETS["a block"], name="other")
        assert dumped.clear("other") == ["other"]
        assert dumped.clear() == ["default"]
        assert dumped.clear() == []


@HOOKS
def test_the_keeper_gives_everything_back_at_the_end_of_a_lease(make_rig: MakeRig, hook: str) -> None:
    with make_rig(hook=hook) as rig, Echo(rig.net.server, [7]):
        before = {namespace: dumps.settled(namespace) for namespace in rig.net.namespaces}
        begin = time.monotonic()
        rig.set(rule(Condition(block="drop"), ports=ports(7)), rule(delay(5)), lease=1)
        assert not quick(rig.net.client)
        until(lambda: quick(rig.net.client), 10, "the lease ends")
        assert time.monotonic() - begin >= 1.0
        until(lambda: not rig.folder.exists(), 20, "the keeper tidies up")
        rig.until_nothing_remains()
        for namespace, dump in before.items():
            dumps.assert_same(dump, namespace)


def test_one_lease_of_two_ends(dumped: Rig) -> None:
    with Echo(dumped.net.server, [7, 8]):
        dumped.set(rule(Condition(block="drop"), ports=ports(7)), lease=1)
        dumped.set(rule(delay(200), direction="egress", ports=ports(8)), name="longer")
        until(lambda: [one.condition.name for one in dumped.engine.show(dumped.target)] == ["longer"], 20, "one is over")
        assert dumped.shown().in_force
        until(lambda: quick(dumped.net.client), 10, "what is over lets traffic pass")
        with udp_client(dumped.net.client, V4, 8) as connection:
            assert round_trip(connection) >= 0.2
        dumped.clear()


def test_a_lease_can_be_renewed(dumped: Rig) -> None:
    with Echo(dumped.net.server, [7]):
        end = time.monotonic() + 2.2
        while time.monotonic() < end:
            dumped.set(rule(Condition(block="drop"), ports=ports(7)), lease=1)
            assert not quick(dumped.net.client)
        until(lambda: quick(dumped.net.client), 10, "the last one ends")
        until(lambda: not dumped.folder.exists(), 20, "the keeper tidies up")
        dumped.until_nothing_remains()


@HOOKS
@pytest.mark.parametrize("then", ["recover", "show", "set and clear"])
def test_after_everything_was_killed_traffic_is_normal_at_the_deadline(make_rig: MakeRig, then: str, hook: str) -> None:
    """The kernel keeps the lease by itself: a block needs no process of ours, and ends all the same."""
    with make_rig(hook=hook) as rig, Echo(rig.net.server, [7]):
        before = {namespace: dumps.settled(namespace) for namespace in rig.net.namespaces}
        begin = time.monotonic()
        rig.set(rule(Condition(block="drop"), ports=ports(7)), rule(delay(50)), lease=1.5)
        rig.kill("pump", "keeper")
        assert not quick(rig.net.client)
        until(lambda: quick(rig.net.client), 10, "the lease ends")
        assert time.monotonic() - begin >= 1.5
        engine = Engine(Settings(state=rig.state))  # what another command would be, with settings of its own
        if then == "recover":
            assert [found.what for found in rig.recover(engine)] == ["default"]
        elif then == "show":
            assert engine.show() == []
        else:
            rig.set(rule(delay(5)))
            assert rig.shown().in_force
            rig.clear()
        for namespace, dump in before.items():
            dumps.assert_same(dump, namespace)
        assert rig.remains() == []


def test_a_pump_that_nobody_is_left_to_end_ends_by_itself(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(real, "PUMP_OUTLIVES_NS", 2 * 10**8)
    rig.set(rule(delay(5)), name="other")  # for ever
    rig.set(rule(delay(5)), lease=60)
    pump = rig.process("pump")
    rig.clear("other")
    rig.set(rule(delay(5)), lease=1)  # the same but for its lease
    assert rig.process("pump") == pump
    rig.kill("keeper")
    until(lambda: rig.process("pump") is None, 20, "the pump has ended")
    log = (rig.folder / "pump.log").read_text()
    assert log == ""


@pytest.mark.serial
def test_a_dead_pump_is_no_black_hole(dumped: Rig) -> None:
    """Within half a second of its death traffic passes as if nothing was asked; here nobody brings it back."""
    with Echo(dumped.net.server, [7]):
        dumped.set(rule(delay(300), direction="egress"))
        assert not quick(dumped.net.client)
        dumped.kill("keeper", "pump")
        until(lambda: quick(dumped.net.client), 3, "traffic flows")
        (shown,) = dumped.engine.show(dumped.target)
        assert not shown.in_force
        assert any("pump" in problem for problem in shown.problems)
        dumped.recover()


def test_the_keeper_brings_a_dead_pump_back(dumped: Rig) -> None:
    with Echo(dumped.net.server, [7]), udp_client(dumped.net.client, V4, 7) as connection:
        dumped.set(rule(delay(120), direction="egress"))
        for _ in range(3):
            killed = dumped.process("pump")
            dumped.kill("pump")
            until(lambda: answers(connection), 20, "traffic flows")
            until(lambda old=killed: dumped.process("pump") not in (None, old), 20, "the pump is back")
            until(lambda: answers(connection, at_least=0.12), 20, "and the delay")
            assert dumped.shown().in_force
        dumped.clear()


def answers(connection: object, at_least: float = 0.0) -> bool:
    """Whether an echo comes back, after so many seconds or more; one that was in a dying pump does not."""
    with contextlib.suppress(TimeoutError):
        return round_trip(connection, 0.2) >= at_least  # type: ignore[arg-type]  # a socket
    return False


def test_without_a_keeper_the_next_set_mends_everything(dumped: Rig) -> None:
    with Echo(dumped.net.server, [7]):
        dumped.set(rule(delay(300), direction="egress"))
        dumped.kill("keeper", "pump")
        dumped.set(rule(delay(300), direction="egress"))
        assert dumped.shown().in_force
        assert dumped.process("keeper")
        assert not quick(dumped.net.client)
        dumped.clear()


@pytest.mark.parametrize("device", ["nw0"])
def test_a_device_deleted_by_hand_ends_everything(dumped: Rig, device: str) -> None:
    with Echo(dumped.net.server, [7]):
        dumped.set(rule(delay(300), direction="egress"))
        dumped.net.client.run("ip", "link", "del", device)
        until(lambda: quick(dumped.net.client), 20, "traffic flows")
        until(lambda: not dumped.folder.exists(), 20, "the keeper tidies up")
        dumped.until_nothing_remains()


@HOOKS
def test_a_deleted_namespace_leaves_nothing_of_ours(make_rig: MakeRig, hook: str) -> None:
    with make_rig(hook=hook) as rig:
        rig.set(*SETS["all of it"])
        rig.target.close()
        subprocess.run(["ip", "netns", "del", rig.net.client.name], check=True)
        until(lambda: not rig.folder.exists(), 20, "the keeper tidies up")
        rig.until_nothing_remains()
        until(
            lambda: rig.net.server.run("ip", "link", "show", "eth0", check=False).returncode, 20, "the namespace itself is gone"
        )


def test_a_target_whose_process_ends_leaves_nothing_of_ours(make_rig: MakeRig) -> None:
    with process_of_its_own() as process, make_rig(reference=f"pid:{process.pid}") as rig:
        rig.set(*SETS["all of it"])
        process.kill()
        process.wait()
        until(lambda: not rig.folder.exists(), 20, "the keeper tidies up")
        rig.until_nothing_remains()


@contextlib.contextmanager
def process_of_its_own() -> Iterator[subprocess.Popen[bytes]]:
    """A process in a namespace that nothing else holds, with devices to work on: both ends of a pair."""
    script = "ip link add eth0 type veth peer name eth1 && ip link set eth0 up && echo ready && exec sleep 600"
    process = subprocess.Popen(["unshare", "--net", "sh", "-c", script], stdout=subprocess.PIPE)
    try:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_command_that_is_killed_half_way_is_undone_by_recover(make_rig: MakeRig) -> None:
    """Wherever it is killed: after each operation in turn."""
    with make_rig() as rig:
        before = dumps.settled(rig.net.client)
        steps = 0
        while killed_after(rig, steps):
            assert rig.recover() != []
            dumps.assert_same(before, rig.net.client)
            assert rig.remains() == []
            steps += 1
        assert steps >= 7
        rig.clear()
        dumps.assert_same(before, rig.net.client)


KILLED = """
import os, signal, sys
from pathlib import Path
from netweather.conditions import *
from netweather.engine import Engine
from netweather.kernel.datapath.real import RealTarget
from netweather.settings import Settings
from netweather.targets import resolve
from netweather.units import Duration
left, whole = int(sys.argv[3]), RealTarget.apply
def apply(self, operation):
    global left
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    whole(self, operation)
RealTarget.apply = apply
import netweather.conditions as c
rule = c.Rule(c.Match(), c.Condition(delay=c.Delay(Duration(5_000_000))))
Engine(Settings(state=Path(sys.argv[1]))).set(resolve(sys.argv[2])[0], c.NetworkCondition(rules=(rule,)))
"""


def killed_after(rig: Rig, steps: int) -> bool:
    """Sets a condition in another process that is killed after so many operations; whether it was."""
    command = [sys.executable, "-c", KILLED, str(rig.state), f"netns:{rig.net.client.name}", str(steps)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=30 * SLOW, check=False)
    assert result.returncode in (0, -9), result.stderr
    return result.returncode == -9


@HOOKS
def test_recover_finds_what_no_journal_knows(make_rig: MakeRig, tmp_path: Path, hook: str) -> None:
    """The state directory was lost: what is ours is recognised by its names, and by a heart that beats no more."""
    with make_rig(hook=hook) as rig:
        before = dumps.settled(rig.net.client)
        rig.set(*SETS["all of it"])
        rig.kill("keeper", "pump")
        os.rename(rig.folder, tmp_path / "lost")
        engine = Engine(Settings(state=tmp_path / "another"))
        until(lambda: [found.taken for found in rig.recover(engine)] == [True], 20, "it is taken for dead")
        subprocess.run(["umount", str(tmp_path / "lost" / "netns")], check=True)
        dumps.assert_same(before, rig.net.client)


@HOOKS
def test_recover_leaves_what_another_state_directory_keeps(make_rig: MakeRig, tmp_path: Path, hook: str) -> None:
    with make_rig(hook=hook) as rig:
        for rules in ("a delay", "a block"):
            rig.set(*SETS[rules])
            assert [found.taken for found in rig.recover(Engine(Settings(state=tmp_path / "another")))] == [False]
            assert rig.shown().in_force
            rig.clear()
