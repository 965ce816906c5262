"""A real agent on real traffic: what it sets is on the wire, and what ends leaves nothing, whatever dies."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from netweather.errors import NetweatherError
from netweather.journal import Journal
from netweather.kernel.datapath.pump_process import ProcessHandle
from tests.kernel.agent.conftest import PROGRAM, RealAgent, condition
from tests.support import dumps
from tests.support.machine import SLOW
from tests.support.netns import Lab, Namespace
from tests.support.repository import ROOT
from tests.support.rig import at_last, until


def name(namespace: Namespace) -> str:
    return f"netns:{namespace.name}"


def rtt(net: Lab) -> float:
    """The least of three round trips, in ms."""
    text = net.client.run("ping", "-n", "-c", "3", "-i", "0.05", "-W", "2", str(net.server.v4)).stdout
    return float(text.rpartition("= ")[2].split("/")[0])


def test_set_is_on_the_wire_and_clear_gives_it_back(agent: RealAgent, net: Lab) -> None:
    before = dumps.dump(net.client)
    target = name(net.client)
    with agent.client() as client:
        (done,) = client.set([condition(target)])
        assert done.results[0].changed
        at_last(lambda: rtt(net), 60, 80)
        (shown,) = client.show([target])
        assert shown.in_force
        assert shown.rules[0].packets >= 6
        client.set([condition(target, delay="10ms")])
        at_last(lambda: rtt(net), 20, 40)
        (answer,) = client.clear([target], "slow")
        assert answer.names == ("slow",)
        at_last(lambda: rtt(net), 0, 15)
    agent.gone()
    dumps.assert_same(before, net.client)


def test_the_command_line_goes_through_it(agent: RealAgent, net: Lab) -> None:
    target = name(net.client)
    assert "set 'default'" in agent.cli("set", target, "--delay", "30ms", "--for", "1m", "--reason", "to see")
    at_last(lambda: rtt(net), 60, 80)
    (shown,) = json.loads(agent.cli("show", "--json"))
    assert shown["status"]["inForce"] is True
    assert "cleared 'default'" in agent.cli("clear", target)
    at_last(lambda: rtt(net), 0, 15)
    assert [line["action"] for line in agent.audit()] == ["set", "clear"]
    assert agent.audit()[0]["conditions"][0]["reason"] == "to see"


def test_direct_mode_stands_beside_it(agent: RealAgent, net: Lab) -> None:
    """One journal, one lock: what one sets, the other shows, changes and clears; and the agent keeps it."""
    target = name(net.client)
    agent.cli("set", target, "--delay", "30ms", "--for", "1m")
    agent.cli("set", target, "--delay", "10ms", "--for", "1m", "--direct")
    at_last(lambda: rtt(net), 20, 40)
    assert json.loads(agent.cli("show", "--json"))[0]["spec"]["rules"][0]["condition"]["delay"]["time"] == "10ms"
    (identity,) = agent.folders()
    assert "agent" in (agent.state / "targets" / identity / "keeper.pid").read_text()
    agent.cli("clear", target, "--direct")
    agent.gone()
    assert agent.process
    assert agent.process.poll() is None
    agent.cli("set", target, "--delay", "30ms", "--for", "1m", "--direct")
    assert agent.cli("clear", target) == f"cleared 'default' on {target}\n"
    agent.gone()


def test_a_lease_ends_in_time(agent: RealAgent, net: Lab) -> None:
    before = dumps.dump(net.client)
    with agent.client() as client:
        client.set([condition(name(net.client), lease="1s", block="drop")])
        assert client.show()
    agent.gone()
    at_last(lambda: rtt(net), 0, 15)
    dumps.assert_same(before, net.client)


def test_a_dead_pump_is_started_again(agent: RealAgent, net: Lab) -> None:
    with agent.client() as client:
        client.set([condition(name(net.client))])
        (folder,) = (agent.state / "targets").iterdir()
        pid, start = map(int, (folder / "pump.pid").read_text().split())
        ProcessHandle(pid, start).signal(signal.SIGKILL)
        until(lambda: not ProcessHandle(pid, start).alive, 20, "it is dead")
        until(lambda: client.show()[0].in_force, 20, "another runs")
        assert rtt(net) >= 60


def test_a_restart_goes_on_with_the_time_that_is_left(agent: RealAgent, net: Lab) -> None:
    with agent.client() as client:
        client.set([condition(name(net.client), lease="10m"), condition(name(net.server), "short", lease="1s")])
        assert agent.process
    assert agent.stop() == 0
    assert rtt(net) >= 60  # the kernel goes on without it
    until(lambda: rtt(net) < 80, 20, "the short one has ended, by the kernel alone")
    agent.start()
    with agent.client() as client:
        (shown,) = client.show()
        assert shown.in_force
        assert shown.remaining_ns is not None
        assert 400e9 < shown.remaining_ns < 600e9
        at_last(lambda: rtt(net), 60, 80)
        client.clear()
    at_last(lambda: rtt(net), 0, 15)


def test_after_sigkill_direct_mode_clears_everything(agent: RealAgent, net: Lab) -> None:
    before = dumps.dump(net.client)
    with agent.client() as client:
        client.set([condition(name(net.client), block="drop")])
    agent.stop(signal.SIGKILL)
    agent.cli("clear", "--all")
    at_last(lambda: rtt(net), 0, 15)
    dumps.assert_same(before, net.client)


def test_a_namespace_whose_process_died_ends_cleanly(agent: RealAgent, net: Lab) -> None:
    """The liveness-probe trap: the process that was named dies, its namespace lives, and the condition ends all the same."""
    sleeper = net.client.start("sleep", "60")
    until(lambda: net.client.run("ip", "netns", "pids", net.client.name).stdout.strip(), 20, "it runs inside")
    pid = net.client.run("ip", "netns", "pids", net.client.name).stdout.split()[0]
    before = dumps.dump(net.client)
    with net.server.start("sleep", "60"), agent.client() as client:
        client.set([condition(f"pid:{pid}", lease="8s")])
        stays = net.client.start("sleep", "60")
        sleeper.kill()
        sleeper.wait()
        assert client.show()[0].in_force
        agent.gone()
        stays.kill()
        stays.wait()
        net.server.stop()
    at_last(lambda: rtt(net), 0, 15)
    dumps.assert_same(before, net.client)


def test_events_are_heard(agent: RealAgent, net: Lab) -> None:
    command = ["curl", "-sN", "--max-time", "20", "--unix-socket", str(agent.settings.socket), "http://agent/v1/events"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as curl:
        assert curl.stdout
        assert curl.stdout.readline().startswith(":")
        with agent.client() as client:
            client.set([condition(name(net.client), lease="1s")])
        kinds: list[str] = []
        net.client.run("ping", "-q", "-c3", "-i0.01", str(net.server.v4))
        for line in curl.stdout:
            kinds += [line.split()[1]] if line.startswith("event:") else []
            if "condition-ended" in kinds:
                told = next(text for text in curl.stdout if text.startswith("data:"))
                break
        curl.kill()
    assert kinds == ["condition-set", "condition-ended"]
    assert json.loads(told.removeprefix("data:"))["counters"]["packets"] >= 3


def test_two_agents_do_not_run_on_one_socket(agent: RealAgent) -> None:
    done = subprocess.run(
        [*PROGRAM, "agent"], env=agent.environment, capture_output=True, text=True, timeout=30 * SLOW, check=False
    )
    assert done.returncode == 1
    assert "[agent-running]" in done.stderr


def test_others_than_root_are_kept_out(agent: RealAgent) -> None:
    assert agent.settings.socket.stat().st_mode & 0o007 == 0


def test_an_agent_that_is_named_must_answer(agent: RealAgent, net: Lab) -> None:
    agent.environment["NETWEATHER_AGENT"] = "unix:///run/nowhere.sock"
    assert "[agent-unreachable]" in agent.cli("show", code=1)
    del agent.environment["NETWEATHER_AGENT"]
    with pytest.raises(NetweatherError) as wrong, agent.client() as client:
        client.clear(name="none")
    assert wrong.value.code == "no-such-condition"


SESSION = """
import sys, time
from pathlib import Path
from tests.kernel.agent.conftest import condition, real_agent
with real_agent(Path(sys.argv[1])) as agent, agent.client() as client:
    client.set([condition(sys.argv[2], lease="1h")])
    print("ready", agent.process.pid, flush=True)
    time.sleep(600)
"""


def test_a_session_of_tests_that_is_killed_leaves_nothing_of_its_agent(net: Lab, tmp_path: Path) -> None:
    before = dumps.dump(net.client)
    words = [sys.executable, "-c", SESSION, str(tmp_path / "state"), name(net.client)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT) as session:
        assert session.stdout
        agent = ProcessHandle.of(int(session.stdout.readline().split()[1]))
        assert agent
        session.kill()
    until(lambda: not agent.alive and Journal(tmp_path / "state").identities() == [], 30, "all is taken away")
    dumps.assert_same(before, net.client)
