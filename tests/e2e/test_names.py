"""Host names as real containers know them: by Docker's and Podman's own name servers, inside the container's network."""

from __future__ import annotations

from pathlib import Path

import pytest

from netweather import targets
from netweather.conditions import Condition, Match, NetworkCondition, PortRange, Rule
from netweather.engine import Engine
from netweather.settings import Settings
from netweather.targets.peers import Peers
from tests.support.containerd import Containerd
from tests.support.docker import Docker
from tests.support.podman import Podman


def texts(word: str, reference: str) -> list[str]:
    (target,) = targets.resolve(reference)
    with target:
        return [str(peer.prefix.network_address) for peer in targets.resolve_peers(word, target)]


def test_dockers_own_names(docker: Docker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{docker.socket}")
    options = ("--network-alias", "nwt-database")
    with docker.container() as shop, docker.container(options=options) as one, docker.container(options=options) as two:
        there = [docker.inspect(name)["NetworkSettings"]["Networks"]["nwt"] for name in (one, two)]
        known = [each[key] for key in ("IPAddress", "GlobalIPv6Address") for each in there]
        assert texts("nwt-database", f"docker:{shop}") == sorted(known, key=lambda text: (":" in text, text))
        assert texts(one, f"docker:{shop}") == [there[0]["IPAddress"], there[0]["GlobalIPv6Address"]]


def test_podmans_own_names(podman: Podman, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTAINER_HOST", f"unix://{podman.socket}")
    with podman.container() as shop, podman.container() as db:
        there = podman.inspect(db)["NetworkSettings"]["Networks"]["nwt"]
        assert texts(db, f"podman:{shop}") == [there["IPAddress"], there["GlobalIPv6Address"]]


def test_a_container_as_a_peer_is_current(docker: Docker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{docker.socket}")
    with Peers(["docker:nwt-db"]) as sets:
        assert next(sets) == {"docker:nwt-db": ()}
        with docker.container(name="nwt-db"):
            first = next(sets)["docker:nwt-db"]
            assert str(first[0].network_address) == docker.address("nwt-db")
            assert [prefix.version for prefix in first if not prefix.is_link_local] == [4, 6]
        assert next(sets) == {"docker:nwt-db": ()}  # nobody's address by now


def test_pods_ask_their_nodes_servers(containerd: Containerd, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pod's first process has no /etc/hosts: the one of a container's counts."""
    monkeypatch.setenv("CONTAINER_RUNTIME_ENDPOINT", f"unix://{containerd.socket}")
    with containerd.pod("api-0") as api:
        api.run("sh", "-c", "echo 192.0.2.66 written >> /etc/hosts")
        api.run("sh", "-c", "test -e /etc/resolv.conf || echo nameserver 192.0.2.1 > /etc/resolv.conf")
        assert texts("written", "pod:shop/api-0") == ["192.0.2.66"]


def test_dockers_resolver_is_named_at_set(docker: Docker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lookups of containers' names match no condition on port 53."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{docker.socket}")
    (tmp_path / "resolv.conf").write_text("nameserver 192.0.2.53\n")
    engine = Engine(Settings(state=tmp_path / "state"))
    lookups = NetworkCondition(rules=(Rule(Match(ports=(PortRange(53, 53),)), Condition(block="drop")),))
    with docker.container() as shop, docker.container(options=("-v", f"{tmp_path}/resolv.conf:/etc/resolv.conf")) as other:
        for name, said in ((shop, True), (other, False)):
            (target,) = targets.resolve(f"docker:{name}")
            with target:
                assert ("the target's resolver is" in "; ".join(engine.set(target, lookups).notes)) is said
                if said:
                    assert docker.address(other) in docker("exec", name, "nslookup", other)
                    assert engine.show(target)[0].rules[0].packets == 0
                engine.clear(target)
