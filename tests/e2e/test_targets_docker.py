"""References against a real Docker: what it says, what the namespaces have, and that both are of the same container."""

from __future__ import annotations

import os
import select
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from ipaddress import ip_address
from pathlib import Path

import pytest

from netweather import targets
from netweather.errors import NetweatherError
from tests.support.daemons import BUSYBOX
from tests.support.docker import IMAGE, NETWORK, Docker
from tests.support.machine import SLOW

SECOND = "nwt-second"
COMPOSE = "com.docker.compose"


@pytest.fixture(autouse=True)
def here(docker: Docker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The tests' daemon, from a folder without a compose file."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{docker.socket}")
    monkeypatch.delenv("COMPOSE_PROJECT_NAME", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def second(docker: Docker) -> Iterator[str]:
    """A second network, of IPv4 only."""
    docker("network", "create", "--internal", "--subnet", "203.0.113.0/24", SECOND)
    yield SECOND
    docker("network", "rm", SECOND)


@pytest.fixture
def resolve() -> Iterator[Callable[[str], list[targets.Target]]]:
    """targets.resolve, with everything closed at the end."""
    with ExitStack() as opened:

        def call(text: str) -> list[targets.Target]:
            found = targets.resolve(text)
            for target in found:
                opened.enter_context(target)
            return found

        yield call


Resolve = Callable[[str], list[targets.Target]]


def refused(text: str, function: Callable[[str], object] = targets.resolve) -> NetweatherError:
    with pytest.raises(NetweatherError) as caught:
        function(text)
    return caught.value


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 20 * SLOW
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def network_of(pid: int) -> tuple[int, int]:
    found = os.stat(f"/proc/{pid}/ns/net")
    return found.st_dev, found.st_ino


def test_a_container_on_several_networks(docker: Docker, second: str, resolve: Resolve) -> None:
    with docker.container() as name:
        docker("network", "connect", second, name)
        found = docker.inspect(name)
        (target,) = resolve(f"docker:{name}")
        assert (target.dev, target.ino) == network_of(found["State"]["Pid"]) == network_of(target.pid or 0)
        assert (target.name, target.pid, target.runtime) == (name, found["State"]["Pid"], "docker")
        networks = found["NetworkSettings"]["Networks"]
        known = [networks[NETWORK]["IPAddress"], networks[second]["IPAddress"], networks[NETWORK]["GlobalIPv6Address"]]
        assert target.addresses == tuple(ip_address(text) for text in known)
        peers = [peer.prefix.network_address for peer in targets.resolve_peers(f"docker:{name}")]
        assert [str(address) for address in peers if not address.is_link_local] == known
        assert any(address.is_link_local for address in peers)
        for word in (found["Id"], targets.complete(f"docker:{found['Id'][:12]}").removeprefix("docker:")):
            assert resolve(f"docker:{word}")[0].identity == target.identity
        assert resolve(f"pid:{target.pid}")[0].identity == target.identity
        assert resolve(f"netns:/proc/{target.pid}/ns/net")[0].identity == target.identity


def test_a_peer_is_also_what_docker_does_not_know(docker: Docker) -> None:
    with docker.container(options=("--cap-add", "NET_ADMIN")) as name:
        docker("exec", name, "ip", "addr", "add", "192.0.2.77/32", "dev", "eth0")
        docker("exec", name, "ip", "addr", "add", "192.0.2.78/32", "dev", "lo")
        found = [str(peer.prefix) for peer in targets.resolve_peers(f"docker:{name}")]
        assert "192.0.2.77/32" in found
        assert "192.0.2.78/32" in found
        assert f"{docker.address(name)}/32" in found
        assert sum(text.startswith("fe80") for text in found) == 1


def test_an_image_of_nothing_but_one_program(docker: Docker, tmp_path: Path, resolve: Resolve) -> None:
    with tarfile.open(tmp_path / "scratch.tar", "w") as tar:
        tar.add(BUSYBOX, "busybox")
    docker("import", str(tmp_path / "scratch.tar"), "nwt-scratch")
    docker("run", "-d", "--name", "nwt-bare", "--network", NETWORK, "nwt-scratch", "/busybox", "sleep", "infinity")
    try:
        (target,) = resolve("docker:nwt-bare")
        assert targets.resolve_peers("docker:nwt-bare")[0].prefix.network_address == ip_address(docker.address("nwt-bare"))
        assert list(targets.occupants(target)) == [target.pid]
    finally:
        docker("rm", "-f", "nwt-bare")
        docker("rmi", "nwt-scratch")


def test_containers_that_share_a_network_are_one_target(docker: Docker, resolve: Resolve) -> None:
    label = ("--label", "nwt.pod=one")
    with (
        docker.container(name="nwt-app", options=label),
        docker.container(name="nwt-sidecar", network="container:nwt-app", options=label),
        docker.container(name="nwt-other", options=label),
    ):
        pod, other = resolve("docker:label=nwt.pod=one")
        assert (pod.name, other.name) == ("nwt-app,nwt-sidecar", "nwt-other")
        assert resolve("docker:nwt-sidecar")[0].identity == pod.identity != other.identity
        assert set(targets.occupants(pod)) == {docker.inspect(name)["State"]["Pid"] for name in ("nwt-app", "nwt-sidecar")}
        assert targets.resolve_peers("docker:nwt-sidecar")[0].prefix == targets.resolve_peers("docker:nwt-app")[0].prefix


def test_the_hosts_network_is_refused(docker: Docker) -> None:
    with docker.container(network="host", options=("--label", "nwt.x=host")) as name:
        for text in (f"docker:{name}", "docker:label=nwt.x=host"):
            error = refused(text)
            assert (error.code, error.exit_code) == ("host-namespace", 1)
            assert name in error.what


def test_a_container_without_a_network_is_a_target_and_no_peer(docker: Docker, resolve: Resolve) -> None:
    with docker.container(network="none") as name:
        (target,) = resolve(f"docker:{name}")
        assert target.addresses == ()
        assert refused(f"docker:{name}", targets.resolve_peers).code == "peer-without-address"


def test_containers_that_do_not_run_are_refused_with_the_remedy(docker: Docker) -> None:
    with docker.container() as name:
        docker("pause", name)
        error = refused(f"docker:{name}")
        assert (error.code, error.remedy) == ("target-not-running", f"docker unpause {name}")
        assert str(targets.resolve_peers(f"docker:{name}")[0].prefix.network_address) == docker.address(name)
        docker("unpause", name)
        docker("kill", name)
        until(lambda: docker.inspect(name)["State"]["Status"] == "exited", "it did not stop")
        error = refused(f"docker:{name}")
        assert (error.code, error.remedy, error.exit_code) == ("target-not-running", f"docker start {name}", 1)
    docker("create", "--name", "nwt-made", IMAGE)
    try:
        error = refused("docker:nwt-made")
        assert (error.code, error.remedy) == ("target-not-running", "docker start nwt-made")
    finally:
        docker("rm", "nwt-made")


def test_unknown_names_get_the_nearest_or_the_ids_that_begin_so(docker: Docker) -> None:
    made: list[str] = []
    try:
        with docker.container(name="nwt-shop-api"):
            error = refused("docker:nwt-shop-ap")
            assert (error.code, "nwt-shop-api" in error.why) == ("unknown-target", True)
        while len({word[0] for word in made}) == len(made):
            made.append(docker("create", IMAGE))
        error = refused(f"docker:{made[-1][0]}")
        assert error.code == "unknown-target"
        assert made[-1] in error.why
    finally:
        docker("rm", *made)


def test_compose_services_by_their_labels(
    docker: Docker, tmp_path: Path, resolve: Resolve, monkeypatch: pytest.MonkeyPatch
) -> None:
    def labels(project: str) -> tuple[str, ...]:
        return ("--label", f"{COMPOSE}.project={project}", "--label", f"{COMPOSE}.service=web")

    with (
        docker.container(name="nwt-shop-web-1", options=labels("nwtshop")),
        docker.container(name="nwt-shop-web-2", options=labels("nwtshop")),
    ):
        assert [target.name for target in resolve("compose:web")] == ["nwt-shop-web-1", "nwt-shop-web-2"]
        assert len(targets.resolve_peers("compose:nwtshop/web")) == 6  # three each: both families, and link-local
        with docker.container(name="nwt-blog-web-1", options=labels("nwtblog")):
            assert refused("compose:web").code == "ambiguous-target"
            assert [target.name for target in resolve("compose:nwtblog/web")] == ["nwt-blog-web-1"]
            (tmp_path / "compose.yaml").write_text("name: nwtshop\n")
            assert len(resolve("compose:web")) == 2
        error = refused("compose:wbe")
        assert (error.code, error.why) == ("unknown-target", "similar running services: web")


def test_a_watcher_sees_the_exit_and_a_restart_is_another_target(docker: Docker, resolve: Resolve) -> None:
    with docker.container() as name:
        (target,) = resolve(f"docker:{name}")
        watched = targets.exit_descriptor(target)
        assert watched is not None
        try:
            assert targets.alive(target)
            assert not select.select([watched], [], [], 0)[0]
            docker("restart", "-t", "0", name)
            assert select.select([watched], [], [], 10)[0]
        finally:
            os.close(watched)
        assert not targets.alive(target)
        (again,) = resolve(f"docker:{name}")
        assert again.identity != target.identity  # ours is held open, so that its number can't come back
        assert targets.alive(again)


def test_a_container_that_keeps_restarting_is_never_mistaken(docker: Docker) -> None:
    """Whatever resolves is the namespace of a process of this container's: never the host's or somebody else's."""
    outcomes = set()
    with docker.container() as bystander:
        (other,) = targets.resolve(f"docker:{bystander}")
        with other:
            strangers = {other.identity, "-".join(map(str, network_of(os.getpid())))}
        with docker.container("sleep", "0.05", options=("--restart", "always")) as name:
            deadline = time.monotonic() + 3
            while time.monotonic() < deadline:
                try:
                    (target,) = targets.resolve(f"docker:{name}")
                except NetweatherError as error:
                    outcomes.add(error.code)
                else:
                    with target:
                        outcomes.add("resolved")
                        assert target.identity not in strangers
    assert outcomes <= {"resolved", "target-not-running", "target-changed"}
    assert "target-not-running" in outcomes


def test_the_list_is_of_what_can_be_named(docker: Docker, second: str) -> None:
    options = ("--label", f"{COMPOSE}.project=nwtshop", "--label", f"{COMPOSE}.service=web")
    with docker.container(options=options) as name, docker.container(network="host") as on_host:
        docker("network", "connect", second, name)
        problems: list[NetweatherError] = []
        listed = {listing.name: listing for listing in targets.list_targets(problems.append)}
        assert problems == []
        found = docker.inspect(name)
        one = listed[name]
        assert (one.reference, one.state, one.image, one.compose) == (f"docker:{name}", "running", IMAGE, "nwtshop/web")
        assert (one.id, one.pid, one.interfaces) == (found["Id"], found["State"]["Pid"], ("eth0", "eth1"))
        assert ip_address(docker.address(name)) in one.addresses
        assert ip_address(docker.address(name, second)) in one.addresses
        assert one.identity == "-".join(map(str, network_of(found["State"]["Pid"])))
        assert "cannot be a target" in listed[on_host].note


def test_looking_changes_nothing(docker: Docker) -> None:
    with docker.container() as name:
        own, descriptors = network_of(os.getpid()), len(os.listdir("/proc/self/fd"))
        before = docker("exec", name, "ip", "link")
        for target in targets.resolve(f"docker:{name}"):
            target.close()
        targets.resolve_peers(f"docker:{name}")
        targets.list_targets()
        assert docker("exec", name, "ip", "link") == before
        assert network_of(os.getpid()) == own
        assert len(os.listdir("/proc/self/fd")) == descriptors
