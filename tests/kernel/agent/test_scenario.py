"""A scenario through a real agent, on real packets: what each phase does, and what is left when the agent is killed in the middle."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from netweather.conditions.scenario import load_scenario_text
from tests.kernel.agent.conftest import RealAgent
from tests.support import dumps
from tests.support.machine import SLOW
from tests.support.netns import Lab
from tests.support.repository import ROOT
from tests.support.rig import at_last, until

PATIENCE_S = 20


def rtt(net: Lab) -> float | None:
    """The least round trip of two, in ms; None when none came back."""
    text = net.client.run("ping", "-n", "-c", "2", "-i", "0.05", "-W", "1", str(net.server.v4), check=False).stdout
    found = re.search(r"= ([0-9.]+)/", text)
    return float(found[1]) if found else None


def held(agent: RealAgent, name: str) -> dict[str, object]:
    with agent.client() as client:
        status: dict[str, object] = client.scenarios(name)[0]["status"]
        return status


def write(folder: Path, net: Lab, steps: str, **spec: object) -> str:
    more = "".join(f"{key}: {value}\n" for key, value in spec.items())
    path = folder / "scenario.yaml"
    path.write_text(f"name: s\ntargets: ['netns:{net.client.name}']\n{more}steps:\n{steps}")
    return str(path)


@pytest.mark.timeout(180)
def test_each_phase_is_on_the_wire(agent: RealAgent, net: Lab, tmp_path: Path) -> None:
    """A base of 60 ms, a partition over it, the base again, and worse; held in each, so that there is time to look."""
    before = dumps.dump(net.client)
    steps = f"""
- {{at: 0s, name: base, condition: {{rtt: 60ms}}}}
- {{at: 2s, for: 2s, name: apart, partition: [['netns:{net.client.name}'], ['{net.server.v4}']]}}
- {{at: 6s, for: 2s, name: worse, condition: {{rtt: 160ms}}}}
"""
    file = write(tmp_path, net, steps, length="8500ms", repeat=100)
    assert "+ s.apart" in agent.cli("scenario", "check", file)
    agent.cli("scenario", "run", file)
    phases: list[tuple[set[str], Callable[[float | None], bool]]] = [
        ({"base"}, lambda ms: ms is not None and 60 <= ms < 150),
        ({"base", "apart"}, lambda ms: ms is None),
        ({"base"}, lambda ms: ms is not None and 60 <= ms < 150),
        ({"base", "worse"}, lambda ms: ms is not None and ms >= 160),
    ]
    for names, right in phases:
        until(lambda names=names: holding(agent, names), 60, f"{names} come")  # type: ignore[misc]  # a lambda's default
        assert right(rtt(net)), names
        with agent.client() as client:
            client.turn_scenario("s", "resume")
    agent.cli("scenario", "stop", "s")
    at_last(lambda: rtt(net), 0, 60)
    until(lambda: agent.folders() == [], 20, "nothing of the targets is left")
    dumps.assert_same(before, net.client)


def holding(agent: RealAgent, names: set[str]) -> bool:
    """Holds the scenario while exactly these steps are in force; on a busy machine they may be over already, until the next round."""
    if phase(agent) != names:
        return False
    with agent.client() as client:
        client.turn_scenario("s", "pause")
        if phase(agent) == names:
            return True
        client.turn_scenario("s", "resume")
    return False


def phase(agent: RealAgent) -> set[str]:
    """The names of the steps in force."""
    now = held(agent, "s")["inForce"]
    assert isinstance(now, list)
    return {each["name"].removeprefix("s.") for each in now}


@pytest.mark.timeout(180)
def test_killed_in_the_middle_it_is_over_at_the_lease_and_the_next_goes_on(agent: RealAgent, net: Lab, tmp_path: Path) -> None:
    before = dumps.dump(net.client)
    file = write(tmp_path, net, "- {at: 0s, name: cut, condition: {block: drop}}", length="10m", lease="3s")
    agent.cli("scenario", "run", file)
    assert rtt(net) is None
    until(lambda: float(str(held(agent, "s")["atSeconds"])) > 4, PATIENCE_S, "it is renewed beyond its lease")
    assert rtt(net) is None
    agent.stop(signal.SIGKILL)
    took = until(lambda: rtt(net) is not None, PATIENCE_S, "the lease ends it")
    assert took < 3 + 5 * SLOW  # the lease, and what a busy machine takes to ping
    agent.start()
    until(lambda: rtt(net) is None, PATIENCE_S, "the next agent goes on")
    assert held(agent, "s")["state"] == "playing"
    assert float(str(held(agent, "s")["atSeconds"])) > 4 + took
    agent.cli("scenario", "stop", "s")
    assert rtt(net) is not None
    until(lambda: agent.folders() == [], PATIENCE_S, "nothing of the targets is left")
    dumps.assert_same(before, net.client)


@pytest.mark.timeout(180)
def test_what_changes_while_no_agent_lives_is_so_afterwards(agent: RealAgent, net: Lab, tmp_path: Path) -> None:
    """One goes on with its next step; the other's end has passed, while its condition is still in force."""
    before = dumps.dump(net.server)
    steps = "- {at: 0s, for: 3s, name: early, condition: {block: drop}}\n- {at: 3s, name: late, condition: {rtt: 60ms}}"
    agent.cli("scenario", "run", write(tmp_path, net, steps, length="10m"))
    step = "{at: 0s, for: 3s, condition: {mtu: 1400}}"
    with agent.client() as client:
        client.run_scenario(load_scenario_text(f"name: brief\ntargets: ['netns:{net.server.name}']\nsteps: [{step}]"))
    began = time.monotonic()
    agent.stop(signal.SIGKILL)
    until(lambda: time.monotonic() > began + 3.5, PATIENCE_S, "both have passed a moment")
    assert rtt(net) is None  # leased, and nobody is there to change it
    agent.start()
    until(lambda: phase(agent) == {"late"}, PATIENCE_S, "the next step")
    at_last(lambda: rtt(net), 60, 150)
    until(lambda: held(agent, "brief")["state"] == "ended", PATIENCE_S, "the other ends")
    assert "while no agent played it" in str(held(agent, "brief")["why"])
    until(lambda: len(agent.folders()) == 1, PATIENCE_S, "nothing of the other is left")
    dumps.assert_same(before, net.server)


@pytest.mark.timeout(180)
def test_an_agent_that_ends_takes_it_back_until_the_next(agent: RealAgent, net: Lab, tmp_path: Path) -> None:
    agent.cli("scenario", "run", write(tmp_path, net, "- {at: 0s, condition: {block: drop}}", length="10m"))
    assert rtt(net) is None
    assert agent.stop() == 0
    assert rtt(net) is not None
    agent.start()
    until(lambda: rtt(net) is None, PATIENCE_S, "the next agent goes on")
    agent.stop(signal.SIGKILL)
    agent.cli("clear", "--all")  # the global stop works without an agent, and what is cleared doesn't come back
    assert rtt(net) is not None
    agent.start()
    assert json.loads(agent.cli("scenario", "show", "--json")) == []
    assert rtt(net) is not None


@pytest.mark.timeout(180)
def test_the_pages_scenario_and_commands(agent: RealAgent, net: Lab, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "scenarios.md").read_text()
    text = page.split("```yaml\n")[1].split("```")[0]
    for word, name in (("docker:shop", net.client.name), ("docker:db", net.server.name)):
        text = text.replace(word, f"netns:{name}")
    path = tmp_path / "evening.yaml"
    path.write_text(text)
    commands = page.split("```sh\n")[1].split("```")[0].splitlines()
    assert [command.split()[2] for command in commands] == ["check", "run", "show", "pause", "resume", "stop"]
    for command in commands:
        assert agent.cli(*command.replace("evening.yaml", str(path)).split()[1:]), command
    at_last(lambda: rtt(net), 0, 30)
