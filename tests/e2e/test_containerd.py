"""Containers of a real containerd by its own API: ctr's, in a namespace of their own, and a pod's."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from netweather import targets
from netweather.targets import Gone, Started, follow
from tests.support.containerd import IMAGE, Containerd
from tests.support.machine import SLOW
from tests.support.rig import Rig, delay, rule, until


@pytest.fixture
def own(containerd: Containerd, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A containerd's namespace with our image in it."""
    monkeypatch.setenv("CONTAINER_RUNTIME_ENDPOINT", f"unix://{containerd.socket}")
    containerd.ctr("-n", "nwt", "images", "import", str(containerd.socket.parent / "image.tar"))
    yield "nwt"
    containerd.ctr("-n", "nwt", "images", "rm", IMAGE)


def start(containerd: Containerd, name: str) -> None:
    group = f"/{containerd.socket.parent.name}/nwt/{name}"
    containerd.ctr(
        "-n", "nwt", "run", "-d", "--null-io", "--cgroup", group, "--label", "app=web", IMAGE, name, "sleep", "infinity"
    )


def end(containerd: Containerd, name: str) -> None:
    containerd.ctr("-n", "nwt", "tasks", "kill", "-s", "KILL", name, check=False)
    until(lambda: "RUNNING" not in containerd.ctr("-n", "nwt", "tasks", "ls"), 20, "it ended")
    containerd.ctr("-n", "nwt", "tasks", "rm", name, check=False)
    containerd.ctr("-n", "nwt", "containers", "rm", name)


def test_a_container_of_ctrs_is_found_and_followed(containerd: Containerd, own: str) -> None:
    with follow("containerd:nwt/label=app=web") as events:
        start(containerd, "shop")
        try:
            (target,) = targets.resolve("containerd:nwt/shop")
            with target:
                space = os.stat(f"/proc/{target.pid}/ns/net")
                assert (target.dev, target.ino) == (space.st_dev, space.st_ino)
                begin = time.monotonic()
                started = next(events)
                assert isinstance(started, Started)
                started.target.close()
                assert started.identity == target.identity
                assert time.monotonic() - begin < 5 * SLOW
        finally:
            end(containerd, "shop")
        assert next(events) == Gone(started.identity, "shop")


def test_a_pods_container_is_its_pod(containerd: Containerd, own: str, tmp_path: Path) -> None:
    with containerd.pod("api-0") as api, containerd.pod() as other:
        reference = f"containerd:k8s.io/{api.containers['app']}"
        rig = Rig(None, tmp_path / "state", reference=reference)  # type: ignore[arg-type]  # no lab: the pods' network
        try:
            with targets.resolve("pod:shop/api-0")[0] as pod:
                assert pod.identity == rig.target.identity
            rig.set(rule(delay(50), direction="egress"))
            there = other.address
            until(lambda: "time=5" in api.run("ping", "-c1", "-W1", there, check=False), 20, "it is delayed by 50 ms")
        finally:
            rig.close()
