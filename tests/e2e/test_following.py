"""Real containers that start, restart, share a network and go: followed by selector, in force again within a second."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from netweather.conditions import NetworkCondition
from netweather.engine import Engine
from netweather.errors import NetweatherError
from netweather.service import LocalService
from netweather.settings import Settings
from netweather.targets import Gone, Started, follow
from netweather.units import Duration
from tests.support.containerd import Containerd
from tests.support.docker import Docker
from tests.support.podman import Podman
from tests.support.repository import ROOT
from tests.support.rig import SECOND, delay, rule, until

AGAIN = 1.0  # seconds from a start until the condition is in force, on a usual machine at rest
MS = 0.001


class Keeping:
    """What an agent does: whatever comes under the reference gets the condition, what goes is forgotten."""

    def __init__(self, reference: str, state: Path) -> None:
        self.engine = Engine(Settings(state=state))
        self.problems: list[NetweatherError] = []
        self.present: dict[str, str] = {}  # names by identity: what has the condition
        self.follower = follow(reference, self.problems.append)
        self._thread = threading.Thread(target=self._keep)
        self._thread.start()

    def _keep(self) -> None:
        condition = NetworkCondition(rules=(rule(delay(50), direction="egress"),), lease=Duration(60 * SECOND))
        for event in self.follower:
            if isinstance(event, Started):
                with event.target as target:
                    self.engine.set(target, condition)
                    self.present[target.identity] = target.name
            else:
                assert isinstance(event, Gone)
                self.present.pop(event.identity)

    @property
    def names(self) -> list[str]:
        return sorted(self.present.values())

    def close(self) -> None:
        self.follower.close()
        self._thread.join()
        LocalService(self.engine).clear()


@pytest.fixture
def keep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Keeping]]:
    for name in ("DOCKER_HOST", "CONTAINER_HOST", "CONTAINER_RUNTIME_ENDPOINT"):
        monkeypatch.setenv(name, "unix:///nonexistent/runtime.sock")
    with ExitStack() as stack:

        def start(reference: str) -> Keeping:
            made = Keeping(reference, tmp_path / "state")
            stack.callback(made.close)
            return made

        yield start


@contextmanager
def soon(kept: Keeping, *names: str) -> Iterator[None]:
    """From the end of the block on, these soon have the condition, and no others."""
    before = set(kept.present)
    yield
    until(
        lambda: kept.names == sorted(names) and (set(kept.present) != before or not names),
        5 * AGAIN,
        f"{names}, not {kept.names}",
    )


def is_delayed(ping: Callable[[], str]) -> None:
    """By 50 ms. Waited for: on a machine as busy as to stop the pump for half a second, packets pass meanwhile."""

    def fastest() -> float:
        times = [float(line.split("time=")[1].split()[0]) * MS for line in ping().splitlines() if "time=" in line]
        return min(times, default=0)

    until(lambda: fastest() >= 50 * MS, 20, "it is delayed")


def test_docker_by_label(docker: Docker, keep: Callable[[str], Keeping], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{docker.socket}")
    label = ("--label", "nwt.tier=web")
    kept = keep("docker:label=nwt.tier=web")
    with docker.container() as other:
        there = docker.address(other)
        with docker.container(name="nwt-one", options=label):
            until(lambda: kept.names == ["nwt-one"], 20, "what starts later gets it")
            with soon(kept, "nwt-one"):
                docker("restart", "-t", "0", "nwt-one")
            is_delayed(lambda: docker("exec", "nwt-one", "ping", "-c2", "-A", there))
            with soon(kept, "nwt-one", "nwt-two"):
                docker("run", "-d", "--name", "nwt-two", "--network", "nwt", *label, "nwt-busybox", "sleep", "infinity")
            with docker.container(name="nwt-near", network="container:nwt-two", options=label):
                docker("rm", "-f", "nwt-two")
                until(lambda: docker("ps", "-aq", "-f", "name=nwt-two") == "", 20, "it is gone")
                with soon(kept, "nwt-one", "nwt-two"):  # by then the removal was heard of: its neighbour still has the network
                    docker("restart", "-t", "0", "nwt-one")
                with soon(kept, "nwt-one"):
                    docker("rm", "-f", "nwt-near")
        until(lambda: kept.names == [], 20, "what goes is forgotten")
    assert kept.problems == []


def test_podman_by_name(podman: Podman, keep: Callable[[str], Keeping], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTAINER_HOST", f"unix://{podman.socket}")
    kept = keep("podman:nwt-one")
    with podman.container() as other, podman.container(name="nwt-one"):
        until(lambda: kept.names == ["nwt-one"], 20, "what starts later gets it")
        with soon(kept, "nwt-one"):
            podman("restart", "-t", "0", "nwt-one")
        is_delayed(lambda: podman("exec", "nwt-one", "ping", "-c2", "-A", podman.address(other)))
        with soon(kept):
            podman("rm", "-f", "-t", "0", "nwt-one")
        with podman.container(name="nwt-one"):
            until(lambda: kept.names == ["nwt-one"], 20, "another one of that name gets it")
    assert kept.problems == []


def test_pods_by_label(containerd: Containerd, keep: Callable[[str], Keeping], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTAINER_RUNTIME_ENDPOINT", f"unix://{containerd.socket}")
    kept = keep("pod:shop/label=app=web")
    with containerd.pod() as other:
        there = other.address
        pod = containerd.start_pod("web-0", labels={"app": "web"})
        with soon(kept, "shop/web-0"):
            pod.start("app")
        identity = set(kept.present)
        pod.stop("app")
        pod.start("app", attempt=1)
        is_delayed(lambda: pod.run("ping", "-c2", "-A", there))
        assert set(kept.present) == identity  # a container restarts in its pod's network, where the condition still is
        pod.remove()
        until(lambda: kept.names == [], 20, "what goes is forgotten")
        with containerd.pod("web-1", labels={"app": "web"}) as later, soon(kept, "shop/web-1"):
            pass
        assert later.name == "shop/web-1"
    assert kept.problems == []


def test_following_leaves_no_descriptor(docker: Docker, keep: Callable[[str], Keeping], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{docker.socket}")
    with docker.container(name="nwt-one") as name:
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(5):
            with follow(f"docker:{name}") as events:
                event = next(events)
                assert isinstance(event, Started)
                event.target.close()
        assert len(os.listdir("/proc/self/fd")) == before


def test_the_documented_example(docker: Docker) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "targets.md").read_text(), flags=re.DOTALL)
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", example], env=docker.environment, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    try:
        assert process.stdout
        with docker.container(name="nwt-web", options=("--label", "tier=web")):
            assert process.stdout.readline().startswith("up nwt-web ")
        assert process.stdout.readline().startswith("gone nwt-web ")
    finally:
        process.kill()
        process.communicate()
