"""Time namespaces: a command, its keeper and its pump may run in one, whose clock is hours off the one that the kernel's programs read."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from netweather.kernel import namespaces
from netweather.kernel.datapath.pump_process import ProcessHandle
from tests.kernel.agent.conftest import PROGRAM, real_agent
from tests.support import dumps
from tests.support.machine import SLOW
from tests.support.rig import Rig, until
from tests.support.traffic import Echo, round_trip, udp_client

OFFSETS = [7200, -600]
"""Seconds that the namespace's clock is ahead of the host's, or behind it."""
V4 = "192.0.2.2"

pytestmark = pytest.mark.skipif(not Path("/proc/self/ns/time").exists(), reason="this kernel lacks CONFIG_TIME_NS")


def elsewhen(offset: int, *command: str) -> list[str]:
    """The command, in a time namespace of its own."""
    return ["unshare", "--time", "--kill-child", f"--boottime={offset}", f"--monotonic={max(offset, -60)}", *command]


def run(rig: Rig, offset: int, *words: str) -> str:
    environment = {**os.environ, "NETWEATHER_STATE": str(rig.state), "COLUMNS": "200"}
    command = elsewhen(offset, *PROGRAM, *words)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60 * SLOW, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def dumped(rig: Rig) -> Iterator[Rig]:
    before = {namespace: dumps.settled(namespace) for namespace in rig.net.namespaces}
    yield rig
    rig.clear()
    rig.until_nothing_remains()
    for namespace, dump in before.items():
        dumps.assert_same(dump, namespace)


def least(rig: Rig, tries: int = 5) -> float:
    """The least of several round trips: a busy machine only makes them longer."""
    with udp_client(rig.net.client, V4, 7) as connection:
        return min(round_trip(connection) for _ in range(tries))


@pytest.mark.parametrize("offset", OFFSETS)
def test_a_command_in_one_is_in_force_for_as_long_as_was_asked(dumped: Rig, offset: int) -> None:
    reference = f"netns:{dumped.net.client.name}"
    with Echo(dumped.net.server, [7]):
        begin = time.monotonic()
        run(dumped, offset, "set", reference, "--delay", "100ms", "--for", "4s", "--direct")
        assert least(dumped) >= 0.2
        until(lambda: least(dumped, 1) < 0.1, 60, "the lease ends")
        assert time.monotonic() - begin >= 4
        until(lambda: not dumped.folder.exists(), 60, "the keeper takes it away")


@pytest.mark.parametrize("offset", OFFSETS)
def test_what_the_host_has_set_is_changed_and_cleared_from_one(dumped: Rig, offset: int) -> None:
    """A pump that was started on the host goes on; one that is started there instead beats for the host."""
    reference = f"netns:{dumped.net.client.name}"
    with Echo(dumped.net.server, [7]):
        dumped.engine.set(dumped.target, condition_of(100))
        pump = dumped.process("pump")
        run(dumped, offset, "set", reference, "--delay", "150ms", "--direct")
        assert dumped.process("pump") == pump
        assert least(dumped) >= 0.3
        shown = dumped.shown()
        assert shown.in_force, shown.problems
        assert shown.remaining_ns is not None
        assert 0 < shown.remaining_ns <= 600 * 10**9
        dumped.kill("pump", "keeper")
        run(dumped, offset, "set", reference, "--delay", "100ms", "--direct")
        assert dumped.process("pump") not in (None, pump)
        assert dumped.process("keeper"), "the host knows it again by its start"
        assert least(dumped) >= 0.2
        assert dumped.shown().in_force
        assert "yes" in run(dumped, -offset // 2, "show", reference, "--direct")
        run(dumped, offset, "clear", reference, "--direct")
        until(lambda: not dumped.folder.exists(), 60, "it is taken away")


def condition_of(ms: int) -> object:
    from netweather.conditions import load

    return load({"name": "default", "lease": "1m", "rules": [{"condition": {"delay": f"{ms}ms"}}]})


def test_a_target_in_one(dumped: Rig) -> None:
    """Its processes read another clock, and nothing of ours reads it with them."""
    with Echo(dumped.net.server, [7]):
        there = dumped.net.client.start(*elsewhen(3600, "sleep", "60"))
        reference = f"pid:{there.pid}"
        run(dumped, 0, "set", reference, "--delay", "100ms", "--direct")
        assert least(dumped) >= 0.2
        run(dumped, 3600, "clear", reference, "--direct")


def test_an_agent_in_one(dumped: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.kernel.agent import conftest

    monkeypatch.setattr(conftest, "TIED", [*conftest.TIED, "unshare", "--time", "--boottime=7200"])
    with Echo(dumped.net.server, [7]), real_agent(dumped.state) as agent:
        agent.cli("set", f"netns:{dumped.net.client.name}", "--delay", "100ms", "--for", "4s")
        assert least(dumped) >= 0.2
        (shown,) = dumped.engine.show(dumped.target)
        assert shown.in_force, shown.problems
        until(lambda: least(dumped, 1) < 0.1, 60, "the lease ends")
        until(lambda: not dumped.folder.exists(), 60, "the agent takes it away")
    dumped.state.joinpath("agent.sock.lock").unlink()  # it stays, on purpose


def test_the_clock_and_a_process_are_the_hosts() -> None:
    script = "from netweather.kernel import namespaces; print(namespaces.boot_ns()); input()"
    process = subprocess.Popen(elsewhen(7200, PROGRAM[0], "-c", script), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        before = namespaces.boot_ns()
        assert process.stdout
        assert before < int(process.stdout.readline()) < namespaces.boot_ns()
        seen = ProcessHandle.of(process.pid)
        script = (
            f"from netweather.kernel.datapath.pump_process import ProcessHandle; print(ProcessHandle.of({process.pid}).start)"
        )
        told = subprocess.run(elsewhen(7200, PROGRAM[0], "-c", script), capture_output=True, text=True, check=True).stdout
        assert seen
        assert abs(int(told) - seen.start) <= 1
        process.communicate("\n")
