"""Networks that a container is connected to after its condition was set, and disconnected from: Docker's and Podman's, on real traffic."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.kernel.agent.conftest import RealAgent, condition, real_agent
from tests.support import docker as docker_support
from tests.support.docker import Docker
from tests.support.podman import Podman
from tests.support.rig import until

DELAY_MS = 300.0
SECOND = "nwt-second"


@pytest.fixture
def second(docker: Docker) -> Iterator[str]:
    docker("network", "create", "--internal", "--subnet", "203.0.113.0/24", SECOND)
    yield SECOND
    docker("network", "rm", SECOND)


@pytest.fixture
def agent(tmp_path: Path, docker: Docker) -> Iterator[RealAgent]:
    with real_agent(tmp_path / "state", DOCKER_HOST=docker.environment["DOCKER_HOST"]) as made:
        yield made


def least(report: str) -> float:
    """Of a ping's report, in ms; 0 when nothing came back."""
    times = [float(line.split("time=")[1].split()[0]) for line in report.splitlines() if "time=" in line]
    return min(times, default=0.0)


def round_trip(docker: Docker, here: str, address: str) -> float:
    return least(docker("exec", here, "ping", "-c2", "-W3", address, check=False))


def delayed(docker: Docker, here: str, address: str) -> float:
    """Waits until it is, and returns how long that took."""
    return until(lambda: round_trip(docker, here, address) >= 2 * DELAY_MS, 20, "it is delayed")


def test_a_network_that_is_connected_later_is_covered(agent: RealAgent, docker: Docker, second: str) -> None:
    with (
        docker.container() as here,
        docker.container(network=second) as far,
        docker.container() as near,
        agent.client() as client,
    ):
        client.set([condition(f"docker:{here}", delay=f"{DELAY_MS}ms")])
        there = docker.address(far, second)
        docker("network", "connect", second, here)
        until(lambda: set(client.show()[0].interfaces) == {"eth0", "eth1"}, 20, "both are covered")
        (shown,) = client.show()
        assert (shown.in_force, shown.problems) == (True, ())
        assert round_trip(docker, here, there) >= 2 * DELAY_MS
        docker("network", "disconnect", docker_support.NETWORK, here)
        until(lambda: "eth0" not in client.show()[0].interfaces, 20, "it is gone")
        assert round_trip(docker, here, there) >= 2 * DELAY_MS
        docker("network", "connect", docker_support.NETWORK, here)
        delayed(docker, here, docker.address(near))
        (shown,) = client.show()
        assert shown.in_force
        assert not [text for text in shown.problems if "came after" in text]


def test_without_any_network_meanwhile(agent: RealAgent, docker: Docker) -> None:
    with docker.container() as here, docker.container() as near, agent.client() as client:
        client.set([condition(f"docker:{here}", delay=f"{DELAY_MS}ms")])
        docker("network", "disconnect", docker_support.NETWORK, here)
        until(lambda: not client.show()[0].in_force, 20, "it says so")
        docker("network", "connect", docker_support.NETWORK, here)
        delayed(docker, here, docker.address(near))
        until(lambda: client.show()[0].in_force, 20, "it is in force again")


def test_a_rename_is_no_alarm(agent: RealAgent, docker: Docker) -> None:
    with docker.container() as here, docker.container() as near, agent.client() as client:
        client.set([condition(f"docker:{here}", delay=f"{DELAY_MS}ms")])
        inside = ["nsenter", "-n", "-t", str(docker.inspect(here)["State"]["Pid"]), "ip", "link", "set"]
        for words in (("eth0", "down"), ("eth0", "name", "lan0"), ("lan0", "up")):
            subprocess.run([*inside, *words], check=True)
        until(lambda: client.show()[0].interfaces == ("lan0",), 20, "it is followed")
        (shown,) = client.show()
        assert (shown.in_force, shown.problems) == (True, ())
        assert round_trip(docker, here, docker.address(near)) >= 2 * DELAY_MS


@contextmanager
def direct(state: Path, docker: Docker, **environment: str) -> Iterator[RealAgent]:
    """Only its command line: no agent is started."""
    made = RealAgent(state)
    made.environment |= {"DOCKER_HOST": docker.environment["DOCKER_HOST"], **environment}
    try:
        yield made
    finally:
        made.cli("clear", "--all", "--direct")


@pytest.mark.parametrize("keeper", ["", "none"], ids=["kept", "not kept"])
def test_direct_mode_covers_it_or_names_it(tmp_path: Path, docker: Docker, second: str, keeper: str) -> None:
    with (
        docker.container() as here,
        docker.container(network=second) as far,
        direct(tmp_path / "state", docker, NETWEATHER_KEEPER=keeper) as own,
    ):
        own.cli("set", f"docker:{here}", "--delay", f"{DELAY_MS}ms", "--direct")
        docker("network", "connect", second, here)
        there = docker.address(far, second)
        if not keeper:
            delayed(docker, here, there)
            assert "eth1" not in own.cli("show", "--direct")
            return
        assert 0 < round_trip(docker, here, there) < DELAY_MS
        assert "the interface eth1 came after the condition was set" in " ".join(own.cli("show", "--direct").split())
        own.cli("set", f"docker:{here}", "--delay", f"{DELAY_MS}ms", "--direct")
        assert round_trip(docker, here, there) >= 2 * DELAY_MS
        assert "came after" not in own.cli("show", "--direct")


def test_podmans_networks_are_covered_too(podman: Podman, tmp_path: Path) -> None:
    podman("network", "create", "--internal", "--subnet", "203.0.113.0/24", SECOND)
    try:
        with (
            podman.container() as here,
            podman.container(options=("--network", SECOND)) as far,
            real_agent(tmp_path / "state", CONTAINER_HOST=f"unix://{podman.socket}") as agent,
            agent.client() as client,
        ):
            client.set([condition(f"podman:{here}", delay=f"{DELAY_MS}ms")])
            there = podman.inspect(far)["NetworkSettings"]["Networks"][SECOND]["IPAddress"]
            for _ in range(2):
                podman("network", "connect", SECOND, here)
                until(
                    lambda: least(podman("exec", here, "ping", "-c2", "-W3", there, check=False)) >= 2 * DELAY_MS, 20, "delayed"
                )
                assert client.show()[0].in_force
                podman("network", "disconnect", SECOND, here)
                until(lambda: len(client.show()[0].interfaces) == 1, 20, "it is gone")
    finally:
        podman("network", "rm", "-f", SECOND, check=False)
