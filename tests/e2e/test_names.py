"""Host names as real containers know them: by Docker's and Podman's own name servers, inside the container's network."""

from __future__ import annotations

import pytest

from netweather import targets
from netweather.targets.peersets import Peers
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
            assert [prefix.version for prefix in first] == [4, 6]
        assert next(sets) == {"docker:nwt-db": ()}  # nobody's address by now


def test_pods_ask_their_nodes_servers(containerd: Containerd, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pod's first process has no /etc/hosts: the one of a container's counts."""
    monkeypatch.setenv("CONTAINER_RUNTIME_ENDPOINT", f"unix://{containerd.socket}")
    with containerd.pod("api-0") as api:
        api.run("sh", "-c", "echo 192.0.2.66 written >> /etc/hosts")
        api.run("sh", "-c", "test -e /etc/resolv.conf || echo nameserver 192.0.2.1 > /etc/resolv.conf")
        assert texts("written", "pod:shop/api-0") == ["192.0.2.66"]
