"""Containers and pods of a real Podman: found, delayed on real traffic, followed, given back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from netweather import targets
from netweather.errors import NetweatherError
from tests.support.docker import IMAGE
from tests.support.podman import Podman
from tests.support.rig import Rig, at_last, delay, rule, until

MS = 0.001


@pytest.fixture(autouse=True)
def here(podman: Podman, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTAINER_HOST", f"unix://{podman.socket}")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    monkeypatch.setenv("CONTAINER_RUNTIME_ENDPOINT", "unix:///nonexistent/cri.sock")


@pytest.fixture
def rig_of(tmp_path: Path) -> Iterator[Callable[[str], Rig]]:
    """A rig on a container, cleared at the end."""
    with ExitStack() as stack:

        def make(reference: str) -> Rig:
            made = Rig(None, tmp_path / "state", reference=reference)  # type: ignore[arg-type]  # no lab: Podman's network
            stack.callback(made.close)
            return made

        yield make


def ping(podman: Podman, name: str, there: str, count: int = 3) -> list[float]:
    """Round trips, in seconds, by the container's own busybox; none is []."""
    report = podman("exec", name, "ping", "-c", str(count), "-W", "1", "-A", there, check=False)
    return [float(line.split("time=")[1].split()[0]) * MS for line in report.splitlines() if "time=" in line]


def delayed(podman: Podman, name: str, there: str) -> bool:
    """By 50 ms, once. Waited for: on a machine as busy as to stop the pump for half a second, packets pass meanwhile."""
    until(lambda: min(ping(podman, name, there), default=0) >= 50 * MS, 20, "it is delayed")
    return min(ping(podman, name, there)) < 95 * MS


def closed(text: str) -> list[targets.Target]:
    found = targets.resolve(text)
    for target in found:
        target.close()
    return found


def test_a_container_is_delayed_and_given_back(podman: Podman, rig_of: Callable[[str], Rig]) -> None:
    with podman.container(name="nwt-shop") as shop, podman.container() as other:
        there = podman.address(other)
        at_last(lambda: min(ping(podman, shop, there)), 0, 25 * MS)
        rig = rig_of("podman:nwt-shop")
        rig.set(rule(delay(50), to=(f"podman:{other}",), direction="egress"))
        assert delayed(podman, shop, there)
        assert (rig.shown().target.name, rig.shown().in_force) == ("nwt-shop", True)
        rig.clear()
        at_last(lambda: min(ping(podman, shop, there)), 0, 25 * MS)
        assert rig.remains() == []


def test_a_pod_is_one_target_whichever_of_it_is_named(podman: Podman, rig_of: Callable[[str], Rig]) -> None:
    with podman.pod("nwt-pod") as pod, podman.container() as other:
        for name in ("nwt-app", "nwt-sidecar"):
            podman("run", "-d", "--pod", pod, "--name", name, IMAGE, "sleep", "infinity")
        words = ("podman:nwt-pod", "podman:nwt-app", targets.complete(f"podman:{podman.inspect('nwt-sidecar')['Id'][:12]}"))
        found = [target for word in words for target in closed(word)]
        assert len({target.identity for target in found}) == 1
        assert [target.name for target in found] == ["nwt-pod", "nwt-app", "nwt-sidecar"]
        rig = rig_of("podman:nwt-pod")
        rig.set(rule(delay(50), direction="egress"))
        podman("restart", "-t", "0", "nwt-app")  # the pod's network stays
        there = podman.address(other)
        assert all(delayed(podman, name, there) for name in ("nwt-app", "nwt-sidecar"))


def test_names_ids_labels_and_what_cannot_be_a_target(podman: Podman) -> None:
    options = ("--network", "nwt", "--label", "tier=web")
    with (
        podman.container(options=options) as one,
        podman.container(options=options) as two,
        podman.container(options=("--network", "host")) as on_host,
    ):
        assert sorted(target.name for target in closed("podman:label=tier=web")) == sorted([one, two])
        assert closed(f"podman:{podman.inspect(one)['Id']}")[0].identity == closed(f"podman:{one}")[0].identity
        for word, code in (("podman:nwt-nobody", "unknown-target"), (f"podman:{on_host}", "host-namespace")):
            with pytest.raises(NetweatherError) as caught:
                targets.resolve(word)
            assert caught.value.code == code
        listed = {listing.reference: listing for listing in targets.list_targets()}
        assert listed[f"podman:{one}"].interfaces == ("eth0",)
        podman("pause", one)
        with pytest.raises(NetweatherError) as caught:
            targets.resolve(f"podman:{one}")
        assert caught.value.remedy == f"podman unpause {one}"
        podman("unpause", one)
