"""`set --verify` through a real agent: what holds stays, what does not is as before, and nothing is left for who does not wait."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.kernel.agent.conftest import PROGRAM, RealAgent, condition
from tests.support import dumps
from tests.support.netns import Lab
from tests.support.rig import until


def words(net: Lab, *more: str) -> list[str]:
    return ["set", f"netns:{net.client.name}", "--to", f"netns:{net.server.name}", "--verify", *more]


def delays(agent: RealAgent, net: Lab) -> list[str]:
    """Of the conditions on the client."""
    with agent.client() as client:
        found = [rule.condition.delay for each in client.show([f"netns:{net.client.name}"]) for rule in each.condition.rules]
        return [str(each.time) if each else "" for each in found]


def test_what_holds_stays_with_its_evidence(agent: RealAgent, net: Lab) -> None:
    """Nothing that depends on the time of day of a busy machine: no packet gets through."""
    document = json.loads(agent.cli(*words(net, "--block", "drop", "--json")))
    (evidence,) = document["status"]["evidence"]
    assert (evidence["verdict"], evidence["name"]) == ("PASS", "default")
    assert evidence["measured"][0]["counterMoved"] > 0
    with agent.client() as client:
        assert client.show()[0].in_force


def test_what_does_not_hold_is_as_before(agent: RealAgent, net: Lab) -> None:
    """The other end loses half of all: nobody asked for that on the client."""
    with agent.client() as client:
        client.set([condition(f"netns:{net.server.name}", "lossy", loss="50%")])
    before = dumps.dump(net.client)
    text = agent.cli(*words(net, "--delay", "20ms"), code=1)
    assert "not-proved" in text
    assert "loss egress" in " ".join(text.split())
    assert delays(agent, net) == []
    until(lambda: len(agent.folders()) == 1, 15, "the client's devices are gone")
    dumps.assert_same(before, net.client)
    agent.cli("set", f"netns:{net.client.name}", "--delay", "5ms")
    agent.cli(*words(net, "--delay", "20ms"), code=1)
    assert delays(agent, net) == ["5ms"]
    assert [line["outcome"] for line in agent.audit()] == ["done", "not-proved", "done", "not-proved"]


def test_for_who_does_not_wait_nothing_stays(agent: RealAgent, net: Lab, tmp_path: Path) -> None:
    """As Ctrl-C in the foreground: the condition is in force while it is measured, and then all is as before."""
    before = dumps.dump(net.client)
    wanted = words(net, "--delay", "20ms", "--loss", "0.001%")
    with subprocess.Popen([*PROGRAM, *wanted], env=agent.environment, stdout=subprocess.DEVNULL) as command:
        until(lambda: delays(agent, net) == ["20ms"], 20, "it is in force")
        assert command.poll() is None
        command.kill()
    until(lambda: not agent.folders(), 20, "all is as before")
    dumps.assert_same(before, net.client)
    until(lambda: len(agent.audit()) == 1, 5, "the end is told")
    assert agent.audit()[0]["outcome"] == "not-proved"
