from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from netweather.errors import NetweatherError
from netweather.targets.model import Target
from netweather.targets.references import parse
from netweather.targets.runtimes.podman import RUNTIME, PodmanApi
from tests.unit.targets.fake_docker import Engine

POD = "cd" * 32
Refused = Callable[[Callable[[], object]], NetweatherError]


@pytest.fixture
def podman(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.delenv("DOCKER_HOST")
    monkeypatch.setenv("CONTAINER_HOST", f"unix://{engine.path}")
    return engine


def open_all(text: str) -> list[Target]:
    found = RUNTIME.open(parse(text))
    for target in found:
        target.close()
    return found


def test_containers_by_name_and_label(podman: Engine) -> None:
    podman.add("a", labels={"tier": "web"})
    podman.add("b", labels={"tier": "web"})
    assert [(target.name, target.runtime) for target in open_all("podman:label=tier=web")] == [("a", "podman"), ("b", "podman")]
    assert open_all("podman:a")[0].pid == os.getpid()


def test_a_pods_name_is_its_infra_container(podman: Engine) -> None:
    infra = podman.add("1234-infra")
    podman.pods["shop"] = {
        "Id": POD,
        "Name": "shop",
        "SharedNamespaces": ["ipc", "net"],
        "InfraContainerID": infra["Id"],
        "Containers": [],
    }
    (target,) = open_all("podman:shop")
    assert (target.name, target.reference) == ("shop", "podman:shop")


def test_a_pod_without_a_shared_network_is_its_containers(podman: Engine) -> None:
    members = [{"Id": podman.add(name)["Id"]} for name in ("a", "b")]
    podman.pods["shop"] = {
        "Id": POD,
        "Name": "shop",
        "SharedNamespaces": ["ipc"],
        "InfraContainerID": "00",
        "Containers": members,
    }
    assert [target.name for target in open_all("podman:shop")] == ["a", "b"]


def test_failures_speak_of_podman(podman: Engine, refused: Refused, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    podman.add("shop", "exited")
    error = refused(lambda: open_all("podman:shop"))
    assert (error.code, error.why, error.remedy) == ("target-not-running", "Podman says that it is exited", "podman start shop")
    assert refused(lambda: open_all("podman:shpo")).code == "unknown-target"
    podman.answer = (500, b'{"message": "oh"}')
    assert refused(lambda: open_all("podman:shop")).code == "podman-failed"
    monkeypatch.setenv("CONTAINER_HOST", f"unix://{tmp_path}/nobody.sock")
    error = refused(lambda: open_all("podman:shop"))
    assert (error.code, "podman.socket" in error.remedy) == ("podman-unreachable", True)
    assert RUNTIME.listings() == []
    monkeypatch.setenv("CONTAINER_HOST", "ssh://192.0.2.1/run/podman/podman.sock")
    assert refused(lambda: open_all("podman:shop")).code == "podman-host-unsupported"


def test_the_socket_of_a_user_is_found_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "podman").mkdir()
    (tmp_path / "podman" / "podman.sock").touch()
    if not os.path.exists("/run/podman/podman.sock"):
        assert PodmanApi.from_environment({}).path == f"{tmp_path}/podman/podman.sock"


def test_the_list_is_podmans(podman: Engine, no_host: None) -> None:
    podman.add("shop", "restarting")
    (listing,) = RUNTIME.listings()
    assert (listing.reference, listing.runtime, listing.note) == ("podman:shop", "podman", "Podman says that it is restarting")


def test_what_is_there_under_a_name_is_the_container_and_the_pods_holder(podman: Engine) -> None:
    watch = RUNTIME.watch(parse("podman:shop"))
    assert watch.present() == set()
    container, infra = podman.add("shop"), podman.add("1234-infra")
    assert watch.present() == {container["Id"]}
    podman.pods["shop"] = {
        "Id": POD,
        "Name": "shop",
        "SharedNamespaces": ["net"],
        "InfraContainerID": infra["Id"],
        "Containers": [],
    }
    assert watch.present() == {container["Id"], infra["Id"]}
    target = watch.open(infra["Id"])
    assert target is not None
    target.close()
    infra["State"]["Status"] = "exited"
    assert watch.present() == {container["Id"]}
    assert watch.open(infra["Id"]) is None


def test_a_pods_id_is_completed_for_a_command_line_and_its_beginning_names_nothing_else(podman: Engine, refused: Refused) -> None:
    infra = podman.add("1234-infra")
    found = {"Id": POD, "Name": "shop", "SharedNamespaces": ["net"], "InfraContainerID": infra["Id"], "Containers": []}
    podman.pods = dict.fromkeys(("shop", POD, "cd" * 6, "cd"), found)  # Podman takes beginnings
    assert open_all(f"podman:{POD}")[0].name == "shop"
    for word in ("cd", "cd" * 6):
        assert refused(lambda word=word: open_all(f"podman:{word}")).code == "unknown-target"  # type: ignore[misc]
        assert RUNTIME.watch(parse(f"podman:{word}")).present() == set()
    assert RUNTIME.complete("cd" * 6) == POD
    assert RUNTIME.complete("cd") == "cd"
    podman.add("cd" * 6)
    assert RUNTIME.complete("cd" * 6) == "cd" * 6
