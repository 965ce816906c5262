from __future__ import annotations

import os
import select
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from netweather.targets import _open_namespaces
from netweather.targets.liveness import alive, exit_descriptor, is_named, occupants

OWN = os.stat("/proc/self/ns/net")


@dataclass(frozen=True)
class Place:
    """As a journal keeps it."""

    pid: int | None = None
    path: str | None = None
    dev: int = OWN.st_dev
    ino: int = OWN.st_ino


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def test_a_process_is_there_until_it_exits(child: subprocess.Popen[bytes]) -> None:
    place = Place(pid=child.pid)
    assert alive(place)
    fd = exit_descriptor(place)
    assert fd is not None
    try:
        assert not select.select([fd], [], [], 0)[0]
        child.kill()
        assert select.select([fd], [], [], 10)[0]
        assert not is_named(place)  # a zombie still has the number
        child.wait()
    finally:
        os.close(fd)
    assert not is_named(place)
    assert exit_descriptor(place) is None
    assert alive(place)  # by this process


def test_a_number_that_came_back_elsewhere_is_not_it(child: subprocess.Popen[bytes]) -> None:
    place = Place(pid=child.pid, ino=1)
    assert not is_named(place)
    assert exit_descriptor(place) is None
    assert not alive(place)


def test_the_callers_helpers_do_not_count(child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    identities = {child.pid: (4, 7), 5: (4, 7), 6: (4, 8)}
    monkeypatch.setattr(_open_namespaces, "process_identity", identities.get)
    monkeypatch.setattr(os, "listdir", lambda path: [str(child.pid), "5", "6", "self"])
    place = Place(pid=child.pid, dev=4, ino=7)
    assert set(occupants(place)) == {child.pid, 5}
    assert alive(place, ignoring=[child.pid])
    assert not alive(place, ignoring=[child.pid, 5])


def test_processes_are_not_gone_through_while_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A keeper asks five times a second."""
    monkeypatch.setattr(os, "listdir", lambda path: pytest.fail(f"{path} was listed"))
    assert alive(Place(path="/proc/self/ns/net"))
    assert alive(Place(pid=os.getpid()))


def test_a_path_is_it_while_it_stands_for_the_same_namespace(tmp_path: Path) -> None:
    path = tmp_path / "db"
    path.symlink_to("/proc/self/ns/net")
    place = Place(path=str(path))
    assert is_named(place)
    assert exit_descriptor(place) is None
    assert alive(place)
    path.unlink()
    path.touch()
    assert not is_named(place)
    path.unlink()
    assert not is_named(place)


def test_an_empty_namespace_with_a_name_is_still_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "listdir", lambda path: [])
    assert alive(Place(path="/proc/self/ns/net"))


def test_nothing_to_go_by_is_not_named() -> None:
    assert not is_named(Place())
