"""Pods of a real containerd, through CRI: found by name, id and label, delayed on real traffic, and one target for all containers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from ipaddress import ip_address
from pathlib import Path

import pytest

from netweather import targets
from netweather.errors import NetweatherError
from tests.support.containerd import Containerd, Pod
from tests.support.rig import Rig, at_last, delay, rule, until

MS = 0.001


@pytest.fixture(autouse=True)
def here(containerd: Containerd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTAINER_RUNTIME_ENDPOINT", f"unix://{containerd.socket}")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")


@pytest.fixture
def rig_of(tmp_path: Path) -> Iterator[Callable[[str], Rig]]:
    """A rig on a pod, cleared at the end."""
    with ExitStack() as stack:

        def make(reference: str) -> Rig:
            made = Rig(None, tmp_path / "state", reference=reference)  # type: ignore[arg-type]  # no lab: the pods' network
            stack.callback(made.close)
            return made

        yield make


def ping(pod: Pod, there: str, count: int = 3, container: str = "") -> list[float]:
    """Round trips, in seconds, by the pod's own busybox; none is []."""
    report = pod.run("ping", "-c", str(count), "-W", "1", "-A", there, container=container, check=False)
    return [float(line.split("time=")[1].split()[0]) * MS for line in report.splitlines() if "time=" in line]


def delayed(pod: Pod, there: str, container: str = "") -> bool:
    """By 50 ms, once. Waited for: on a machine as busy as to stop the pump for half a second, packets pass meanwhile."""
    until(lambda: min(ping(pod, there, container=container), default=0) >= 50 * MS, 20, "it is delayed")
    return min(ping(pod, there, container=container)) < 95 * MS


def refused(text: str) -> NetweatherError:
    with pytest.raises(NetweatherError) as caught:
        targets.resolve(text)
    return caught.value


def closed(text: str) -> list[targets.Target]:
    found = targets.resolve(text)
    for target in found:
        target.close()
    return found


def test_a_pod_is_delayed_and_given_back(containerd: Containerd, rig_of: Callable[[str], Rig]) -> None:
    with containerd.pod("api-0") as api, containerd.pod() as other:
        at_last(lambda: min(ping(api, other.address)), 0, 25 * MS)
        rig = rig_of("pod:shop/api-0")
        result = rig.set(rule(delay(50), direction="egress"))
        assert result.interfaces == ("eth0",)
        assert delayed(api, other.address)
        assert delayed(other, api.address)  # the answer is its egress
        assert (rig.shown().target.name, rig.shown().in_force) == ("shop/api-0", True)
        rig.clear()
        at_last(lambda: min(ping(api, other.address)), 0, 25 * MS)
        assert rig.remains() == []


def test_several_containers_of_a_pod_are_one_target_with_one_rule_set(
    containerd: Containerd, rig_of: Callable[[str], Rig]
) -> None:
    with containerd.pod("api-0", containers=("app", "sidecar")) as api, containerd.pod() as other:
        words = (
            "pod:shop/api-0",
            f"cri:{api.containers['app']}",
            targets.complete(f"cri:{api.containers['sidecar'][:13]}"),
            targets.complete(f"cri:{api.id[:13]}"),
        )
        found = [target for word in words for target in closed(word)]
        assert len({target.identity for target in found}) == 1
        assert {target.name for target in found} == {"shop/api-0"}
        assert len([closed_one for closed_one in targets.resolve_all(words) if closed_one.close() is None]) == 1
        rig = rig_of(words[1])
        rig.set(rule(delay(50), direction="egress"))
        again = rig_of(words[2])
        again.engine = rig.engine
        assert not again.set(rule(delay(50), direction="egress")).changed  # the same rule set, found through the other container
        for container in ("app", "sidecar"):
            assert delayed(api, other.address, container)


def test_a_condition_outlives_the_restart_of_a_container_and_ends_after_it(
    containerd: Containerd, rig_of: Callable[[str], Rig]
) -> None:
    """The liveness-probe trap: the process that was named dies, its namespace lives, and the condition must still end."""
    with containerd.pod("api-0") as api, containerd.pod() as other:
        rig = rig_of(f"cri:{api.containers['app']}")
        rig.set(rule(delay(50), direction="egress"))
        api.stop("app")
        api.start("app", attempt=1)
        assert rig.shown().in_force
        assert delayed(api, other.address)
        (again,) = targets.resolve(f"cri:{api.containers['app']}")
        with again:
            assert again.identity == rig.target.identity
        rig.clear()
        at_last(lambda: min(ping(api, other.address)), 0, 25 * MS)


def test_pods_by_label_and_as_peers(containerd: Containerd) -> None:
    with (
        containerd.pod("web-0", labels={"app": "web"}) as web,
        containerd.pod("web-1", labels={"app": "web"}),
        containerd.pod("web-2", "other", labels={"app": "web"}),
        containerd.pod("db-0", labels={"app": "db"}),
    ):
        assert [target.name for target in closed("pod:shop/label=app=web")] == ["shop/web-0", "shop/web-1"]
        assert [target.name for target in closed("cri:label=app=web")] == ["other/web-2", "shop/web-0", "shop/web-1"]
        peers = [peer.prefix.network_address for peer in targets.resolve_peers("pod:shop/web-0")]
        assert peers[0] == ip_address(web.address)
        assert [address.version for address in peers if not address.is_link_local] == [4, 6]


def test_what_cannot_be_a_target_says_why(containerd: Containerd) -> None:
    with containerd.pod("api-0"), containerd.pod("node-agent", on_host=True, containers=()):
        error = refused("pod:shop/api-1")
        assert (error.code, "shop/api-0" in error.why) == ("unknown-target", True)
        assert refused("pod:shop/node-agent").code == "host-namespace"
        assert refused("cri:0000000000").code == "unknown-target"
        listed = {listing.reference: listing for listing in targets.list_targets() if listing.runtime == "pod"}
        assert set(listed) == {"pod:shop/api-0", "pod:shop/node-agent"}
        assert listed["pod:shop/api-0"].interfaces == ("eth0",)
        assert listed["pod:shop/api-0"].note == ""
    error = refused("pod:shop/api-0")
    assert error.code == "unknown-target"


def test_looking_changes_nothing(containerd: Containerd) -> None:
    with containerd.pod("api-0") as api:
        before, descriptors = api.run("ip", "link"), len(os.listdir("/proc/self/fd"))
        for _ in range(5):
            closed("pod:shop/api-0")
            targets.resolve_peers("pod:shop/api-0")
        assert api.run("ip", "link") == before
        until(lambda: len(os.listdir("/proc/self/fd")) <= descriptors, 20, "every descriptor is closed")
