"""Conditions on real containers: from an image with nothing but a static busybox, found by name and by label, peers by name."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from netweather.conditions import Condition, NetworkCondition, PortRange
from netweather.engine import Engine
from netweather.errors import NetweatherError
from netweather.service import LocalService
from netweather.settings import Settings
from netweather.targets import resolve
from tests.support.docker import Docker
from tests.support.machine import SLOW
from tests.support.rig import Rig, at_last, delay, rule, until

MS = 0.001


@pytest.fixture(autouse=True)
def here(docker: Docker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{docker.socket}")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def rig_of(tmp_path: Path) -> Iterator[Callable[[str], Rig]]:
    """A rig on a container, cleared at the end."""
    made: list[Rig] = []

    def make(reference: str) -> Rig:
        made.append(Rig(None, tmp_path / "state", reference=reference))  # type: ignore[arg-type]  # no lab: Docker's network
        return made[-1]

    yield make
    for one in made:
        one.close()


def ping(docker: Docker, name: str, there: str, count: int = 3) -> list[float]:
    """Round trips, in seconds, by the container's own busybox; none is []."""
    report = docker("exec", name, "ping", "-c", str(count), "-W", "1", "-A", there, check=False)
    return [float(line.split("time=")[1].split()[0]) * MS for line in report.splitlines() if "time=" in line]


def links(docker: Docker, name: str) -> str:
    """What the container sees of its own network, once its addresses are settled."""
    until(lambda: "tentative" not in docker("exec", name, "ip", "addr"), 20, "its addresses are usable")
    return docker("exec", name, "ip", "addr")


def test_a_container_by_name_is_delayed_and_given_back(docker: Docker, rig_of: Callable[[str], Rig]) -> None:
    with docker.container() as shop, docker.container() as other:
        there = docker.address(other)
        before = links(docker, shop)
        at_last(lambda: min(ping(docker, shop, there)), 0, 25 * MS)
        rig = rig_of(f"docker:{shop}")
        result = rig.set(rule(delay(50), direction="egress"))
        assert result.interfaces == ("eth0",)
        assert min(ping(docker, shop, there)) >= 50 * MS
        assert min(ping(docker, other, docker.address(shop))) >= 50 * MS  # the answer is its egress
        shown = rig.shown()
        assert (shown.target.name, shown.in_force, shown.unwanted_drops) == (shop, True, 0)
        rig.clear()
        at_last(lambda: min(ping(docker, shop, there)), 0, 25 * MS)
        assert links(docker, shop) == before
        assert rig.remains() == []


def test_a_condition_over_ipv6(docker: Docker, rig_of: Callable[[str], Rig]) -> None:
    with docker.container() as shop, docker.container() as other:
        there = docker.inspect(other)["NetworkSettings"]["Networks"]["nwt"]["GlobalIPv6Address"]
        rig = rig_of(f"docker:{shop}")
        rig.set(rule(delay(50), family="ipv6", direction="egress"))
        until(lambda: ping(docker, shop, there, 1), 20, "the address is usable")
        assert min(ping(docker, shop, there)) >= 50 * MS
        at_last(lambda: min(ping(docker, shop, docker.address(other))), 0, 25 * MS)


def test_several_containers_by_label(docker: Docker, tmp_path: Path) -> None:
    with (
        docker.container(options=("--label", "tier=web")) as one,
        docker.container(options=("--label", "tier=web")) as two,
        docker.container() as other,
    ):
        engine = Engine(Settings(state=tmp_path / "state"))
        targets = resolve("docker:label=tier=web")
        assert sorted(target.name for target in targets) == sorted([one, two])
        for target in targets:
            engine.set(target, NetworkCondition(rules=(rule(delay(50), direction="egress"),)))
        there = docker.address(other)
        assert min(ping(docker, one, there)) >= 50 * MS
        assert min(ping(docker, two, there)) >= 50 * MS
        assert len(engine.show()) == 2
        assert sorted(one.target for one in LocalService(engine).clear()) == sorted(target.reference for target in targets)
        at_last(lambda: min(ping(docker, one, there)), 0, 25 * MS)
        at_last(lambda: min(ping(docker, two, there)), 0, 25 * MS)
        for target in targets:
            target.close()
        assert list((tmp_path / "state").rglob("*")) == []


def test_a_peer_by_its_container(docker: Docker, rig_of: Callable[[str], Rig]) -> None:
    with docker.container() as shop, docker.container() as db, docker.container() as other:
        rig = rig_of(f"docker:{shop}")
        result = rig.set(rule(delay(50), to=(f"docker:{db}",), direction="egress"))
        assert f"{docker.address(db)}/32" in result.peers[f"docker:{db}"]
        assert min(ping(docker, shop, docker.address(db))) >= 50 * MS
        at_last(lambda: min(ping(docker, shop, docker.address(other))), 0, 25 * MS)


def test_a_service_behind_a_port_is_rejected(docker: Docker, rig_of: Callable[[str], Rig]) -> None:
    with docker.container("nc", "-ll", "-p", "8080", "-e", "/bin/echo", "hello") as db, docker.container() as shop:
        there = docker.address(db)
        until(lambda: ask(docker, shop, there) == "hello", 20, "the service answers")
        rig = rig_of(f"docker:{shop}")
        rig.set(rule(Condition(block="reject"), ports=(PortRange(8080, 8080),), to=(f"docker:{db}",)))
        assert "Connection refused" in ask(docker, shop, there)
        at_last(lambda: min(ping(docker, shop, there)), 0, 25 * MS)
        rig.clear()
        assert ask(docker, shop, there) == "hello"


def ask(docker: Docker, name: str, there: str) -> str:
    return docker("exec", name, "sh", "-c", f"nc -w 2 {there} 8080 2>&1 </dev/null || true")


def test_a_container_that_is_stopped_leaves_nothing_of_ours(docker: Docker, rig_of: Callable[[str], Rig]) -> None:
    with docker.container() as shop:
        rig = rig_of(f"docker:{shop}")
        rig.set(rule(delay(50)))
        rig.target.close()
        docker("kill", shop)
        until(lambda: not rig.folder.exists(), 20, "the keeper tidies up")
        rig.until_nothing_remains()
        docker("start", shop)
        with docker.container() as other:
            at_last(lambda: min(ping(docker, shop, docker.address(other))), 0, 25 * MS)


def test_containers_that_share_a_network_are_one_target(docker: Docker, rig_of: Callable[[str], Rig]) -> None:
    with (
        docker.container() as shop,
        docker.container(network=f"container:{shop}") as sidecar,
        docker.container() as other,
    ):
        rig = rig_of(f"docker:{sidecar}")
        rig.set(rule(delay(50), direction="egress"))
        assert min(ping(docker, shop, docker.address(other))) >= 50 * MS


def test_the_hosts_network_is_refused(docker: Docker) -> None:
    """A container with --network host has no network of its own; here the host is the daemon's namespace."""
    with docker.container(network="host") as shop, pytest.raises(NetweatherError) as refused:
        resolve(f"docker:{shop}")
    assert refused.value.code == "host-namespace"


def test_the_command_line_on_a_container(docker: Docker, tmp_path: Path) -> None:
    """As a person types it, each command a process of its own."""

    def netweather(*words: str) -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).parent / "netweather"), *words]
        environment = {**docker.environment, "NETWEATHER_STATE": str(tmp_path / "state")}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30 * SLOW, check=False)

    with docker.container() as shop, docker.container() as other:
        there = docker.address(other)
        done = netweather("set", f"docker:{shop}", "--delay", "50ms", "--direction", "egress", "--for", "1m")
        assert done.returncode == 0, done.stderr
        assert min(ping(docker, shop, there)) >= 50 * MS
        assert shop in netweather("show").stdout
        assert netweather("clear", f"docker:{shop}").returncode == 0
        at_last(lambda: min(ping(docker, shop, there)), 0, 25 * MS)
        missing = netweather("set", "docker:nwt-nobody", "--delay", "50ms")
        assert missing.returncode == 1
        assert "unknown-target" in missing.stderr
