"""The plugin as a process: its socket, its end, its answers in time, many at once, and what is left when it is killed."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import stat
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from netweather.targets import resolve
from tests.e2e.scope.conftest import Box
from tests.kernel.agent.conftest import RealAgent
from tests.support import machine
from tests.support.docker import Docker
from tests.support.rig import until
from tests.support.scope import TIMEOUT_S
from tests.support.scopeplugin import CLEAR, DROP, FAST, ID, PROGRAM, SLOW, SUMMARY, RealPlugin


def round_trip(docker: Docker, here: str, there: str) -> float:
    """The least of two, in ms."""
    address = docker.inspect(there)["NetworkSettings"]["Networks"]["nwt"]["IPAddress"]
    return float(docker("exec", here, "ping", "-c2", "-i0.2", "-W5", address).rpartition("= ")[2].split("/")[0])


def test_killed_its_conditions_stay_for_their_leases_and_the_next_one_takes_its_place(
    own_plugin: RealPlugin, docker: Docker, box: Box
) -> None:
    own_plugin.start("--for", "5m")
    with box() as here, box() as there:
        own_plugin.appeared(here)
        own_plugin.press(here, FAST)
        own_plugin.stop(signal.SIGKILL)
        assert own_plugin.socket.is_socket()  # as a killed one leaves it
        assert round_trip(docker, here, there) >= 500
        own_plugin.start()
        own_plugin.told(here, "500 ms, ", latency="500ms")
        assert int(re.findall(r"(\d+) min left", own_plugin.summary(here))[0]) < 5
        own_plugin.press(here, CLEAR)
        own_plugin.told(here, "-", latency="-")
        until(lambda: round_trip(docker, here, there) < 500, 20, "traffic is as before")


def test_its_socket(own_plugin: RealPlugin) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        own_plugin.start()
        assert list(own_plugin.probe.plugins()) == [ID]
        assert stat.S_IMODE(own_plugin.socket.parent.stat().st_mode) == 0o700
        assert own_plugin.stop(number) == 0
        assert not own_plugin.socket.parent.exists()


def test_a_second_one_of_the_same_name_is_refused(plugin: RealPlugin) -> None:
    second = subprocess.run(
        [*PROGRAM, "scope-plugin", "--root", str(plugin.probe.root)],
        env=plugin.environment, capture_output=True, text=True, timeout=60 * machine.SLOW, check=False,
    )  # fmt: skip
    assert (second.returncode, "[plugin-running]" in second.stderr) == (1, True)
    assert plugin.report()


def test_a_folder_with_something_else_in_it_is_left_alone(own_plugin: RealPlugin) -> None:
    precious = own_plugin.socket.parent / "precious"
    precious.parent.mkdir(mode=0o755)
    precious.write_text("mine")
    wrong = subprocess.run(
        [*PROGRAM, "scope-plugin", "--root", str(own_plugin.probe.root)],
        env=own_plugin.environment, capture_output=True, text=True, timeout=30 * machine.SLOW, check=False,
    )  # fmt: skip
    assert (wrong.returncode, "[cannot-listen]" in wrong.stderr) == (1, True)
    assert (precious.read_text(), stat.S_IMODE(precious.parent.stat().st_mode)) == ("mine", 0o755)


def test_an_engine_that_does_not_answer_is_the_plugins_status(own_plugin: RealPlugin) -> None:
    own_plugin.home.joinpath("no.sock").write_text("not a socket")
    own_plugin.environment["DOCKER_HOST"] = f"unix://{own_plugin.home}/no.sock"
    own_plugin.start()
    answer = own_plugin.probe.ask(ID, "GET", "/report")
    assert (answer.status, b"Docker could not be reached" in answer.body) == (500, True)


@contextmanager
def busy(plugin: RealPlugin, reference: str) -> Iterator[None]:
    """Somebody else is at work on the target: who wants to change it waits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", plugin.environment["DOCKER_HOST"])
        (target,) = resolve(reference)
    target.close()
    lock = plugin.state / "locks" / target.identity
    lock.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(fd, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(fd)


def test_answers_in_time_whatever_takes_its_time(plugin: RealPlugin, one: str) -> None:
    """T6: the probe gives up at 500 ms; what is under way then is shown by the summary."""
    with busy(plugin, f"docker:{one}"):
        pressed = [plugin.probe.press(ID, one, SLOW) for _ in range(3)]
        assert min(each.took for each in pressed) < TIMEOUT_S  # this machine may be busy, too
        for each in pressed:
            assert (each.error, each.report is not None) == ("", True)
            assert each.report
            assert each.report.values(one)[SUMMARY] == "Traffic speed: slow: being set"
        assert plugin.report().table(one)["latency"] == "-"
    plugin.told(one, "2 s, ", latency="2000ms")


@pytest.mark.timeout(120)
def test_fifty_at_once(plugin: RealPlugin, pair: list[str]) -> None:
    def ask(number: int) -> str:
        if number % 2:
            return "" if plugin.report().nodes else "empty"
        return plugin.probe.press(ID, pair[number % 4 // 2], (SLOW, FAST, DROP, CLEAR)[number // 4 % 4]).error

    with ThreadPoolExecutor(50) as pool:
        assert set(pool.map(ask, range(50))) == {""}
    for each in pair:
        until(lambda each=each: "being set" not in plugin.summary(each), 60, "all is done")
        plugin.press(each, CLEAR)
        plugin.press(each, FAST)
        assert plugin.report().table(each) == {"latency": "500ms", "pktloss": "-"}
    assert plugin.process
    assert plugin.process.poll() is None
    assert not re.search(r"Traceback|ERROR", plugin.log.read_text())


def test_through_the_agent(own_plugin: RealPlugin, docker: Docker, box: Box) -> None:
    agent = RealAgent(own_plugin.state)
    agent.environment["DOCKER_HOST"] = docker.environment["DOCKER_HOST"]
    agent.start()
    try:
        own_plugin.start()
        with box() as here:
            own_plugin.appeared(here)
            own_plugin.press(here, FAST)
            own_plugin.told(here, latency="500ms")
            (line,) = [each for each in agent.audit() if each["action"] == "set"]
            assert line["conditions"][0]["targets"] == [f"docker:{here}"]
            agent.stop()
            assert "[agent-unreachable]" in own_plugin.error(here, SLOW)
            until(lambda: "agent" in own_plugin.summary(here), 20, "it is told")
            agent.start()
            own_plugin.press(here, CLEAR)
    finally:
        agent.stop()
