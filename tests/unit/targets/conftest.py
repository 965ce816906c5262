"""An engine of our own for every test that wants one, and no real Docker for any."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from netweather.errors import NetweatherError
from netweather.targets import _open_namespaces
from netweather.targets.runtimes import docker as docker_module
from tests.unit.targets import fake_cri, fake_docker


@pytest.fixture(autouse=True)
def no_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the machine's runtimes nor the caller's settings reach a unit test."""
    monkeypatch.setenv("CONTAINER_HOST", f"unix://{tmp_path}/nobody.sock")
    monkeypatch.setenv("CONTAINER_RUNTIME_ENDPOINT", f"unix://{tmp_path}/nobody.sock")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    monkeypatch.setattr(docker_module, "_PAUSE", 0)
    for name in ("COMPOSE_PROJECT_NAME", "COMPOSE_FILE", "COMPOSE_PATH_SEPARATOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[fake_docker.Engine]:
    with fake_docker.serving(tmp_path / "d.sock") as running:
        monkeypatch.setenv("DOCKER_HOST", f"unix://{running.path}")
        yield running


@pytest.fixture
def cri(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[fake_cri.Runtime]:
    with fake_cri.serving(tmp_path / "c.sock") as running:
        monkeypatch.setenv("CONTAINER_RUNTIME_ENDPOINT", f"unix://{running.path}")
        yield running


@pytest.fixture
def no_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own namespace may be a target: the fake's containers have no other."""
    monkeypatch.setattr(_open_namespaces, "host_identities", dict)


@pytest.fixture
def refused() -> Callable[[Callable[[], object]], NetweatherError]:
    """Calls, expects a NetweatherError, and sees that no descriptor was left open."""

    def call(function: Callable[[], object]) -> NetweatherError:
        before = _descriptors()
        with pytest.raises(NetweatherError) as caught:
            function()
        assert _descriptors() == before
        return caught.value

    return call


def _descriptors() -> set[str]:
    """The namespaces held open; sockets of the fake engine come and go in its own threads."""
    found = set()
    for entry in os.listdir("/proc/self/fd"):
        try:
            place = os.readlink(f"/proc/self/fd/{entry}")
        except FileNotFoundError:
            continue
        if place.startswith("net:"):
            found.add(entry)
    return found
