"""The agent and a real Docker: who restarts, or comes later under the same label, has the condition again within a second."""

from __future__ import annotations

import time
from collections.abc import Iterator
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
