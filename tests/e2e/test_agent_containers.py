"""The agent and a real Docker: who restarts, or comes later under the same label, has the condition again within a second."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from netweather.conditions import load
from tests.kernel.agent.conftest import RealAgent, condition, real_agent
from tests.support.docker import NETWORK, Docker
from tests.support.rig import at_last, until

LABEL = "nwt.tier=web"


@pytest.fixture
def agent(tmp_path: Path, docker: Docker) -> Iterator[RealAgent]:
    with real_agent(tmp_path / "state", DOCKER_HOST=docker.environment["DOCKER_HOST"]) as made:
        yield made


def round_trip(docker: Docker, here: str, there: str) -> float:
    """The least of two, in ms."""
    text = docker("exec", here, "ping", "-c2", "-W2", docker.address(there))
    return float(text.rpartition("= ")[2].split("/")[0])


def test_restarts_and_newcomers(agent: RealAgent, docker: Docker) -> None:
    label = ("--label", LABEL)
    with docker.container() as other, docker.container(options=label) as first, agent.client() as client:
        client.set([condition(f"docker:label={LABEL}", delay="40ms")])
        assert round_trip(docker, first, other) >= 80
        docker("restart", "-t0", first)
        took = until(lambda: [each for each in client.show() if each.in_force], 20, "it has it again")
        assert round_trip(docker, first, other) >= 80
        with docker.container(options=label) as second:
            begin = time.monotonic()
            until(lambda: len([each for each in client.show() if each.in_force]) == 2, 20, "the newcomer has it")
            print(f"again {took:.2f} s after the restart, {time.monotonic() - begin:.2f} s after the start")
            assert round_trip(docker, second, other) >= 80
        until(lambda: len(client.show()) == 1, 20, "who is gone is forgotten")
        client.clear()
        docker("restart", "-t0", first)
        at_last(lambda: round_trip(docker, first, other), 0, 40)
        assert client.show() == []


def test_a_peer_with_another_address(agent: RealAgent, docker: Docker) -> None:
    with docker.container() as here, docker.container() as peer, agent.client() as client:
        rule = {"to": [f"docker:{peer}"], "condition": {"delay": "40ms"}}
        client.set([load({"name": "slow", "targets": [f"docker:{here}"], "lease": "2m", "rules": [rule]})])
        assert round_trip(docker, here, peer) >= 80
        docker("network", "disconnect", NETWORK, peer)
        docker("network", "connect", "--ip", "198.51.100.200", NETWORK, peer)
        docker("restart", "-t0", peer)
        assert docker.address(peer) == "198.51.100.200"
        until(lambda: "198.51.100.200/32" in client.show()[0].peers[f"docker:{peer}"], 20, "the other address is meant")
        assert round_trip(docker, here, peer) >= 80
        client.clear()


@pytest.mark.full
def test_many_restarts_lose_nothing(agent: RealAgent, docker: Docker) -> None:
    """Of three containers, one after the other and all at once: each has it again, keeps it, and nothing of before is shown."""
    names = ["nwt-many-1", "nwt-many-2", "nwt-many-3"]
    with ExitStack() as stack, agent.client() as client:
        for name in names:
            stack.enter_context(docker.container(name=name, options=("--label", LABEL)))
        client.set([condition(f"docker:label={LABEL}", delay="40ms", lease="30m")])
        for _ in range(10):
            for together in (names[:1], names[1:2], names[2:], names):
                docker("restart", "-t0", *together)
                spaces = {os.stat(f"/proc/{docker.inspect(name)['State']['Pid']}/ns/net").st_ino for name in names}
                until(lambda spaces=spaces: {s.target.ino for s in client.show() if s.in_force} == spaces, 20, "all have it")  # type: ignore[misc]
                # What ends a target looks at it twice, 0.2 s apart.
                stays = time.monotonic() + 1
                while time.monotonic() < stays:
                    assert {each.target.ino for each in client.show() if each.in_force} == spaces, agent.log.read_text()
        assert "device was deleted" not in agent.log.read_text()
        client.clear([f"docker:label={LABEL}"])
        assert client.show() == []
        docker("restart", "-t0", *names)
        assert client.show() == []
