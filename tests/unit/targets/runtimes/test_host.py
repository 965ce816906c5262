from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from netweather.errors import NetweatherError
from netweather.targets import _open_namespaces
from netweather.targets.references import parse
from netweather.targets.runtimes.host import RUNTIME


def test_host_is_the_namespace_of_the_hosts_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_open_namespaces, "host_path", lambda: "/proc/self/ns/net")
    (target,) = RUNTIME.open(parse("host"))
    with target:
        own = os.stat("/proc/self/ns/net")
        assert (target.dev, target.ino, target.name, target.runtime) == (own.st_dev, own.st_ino, "host", "host")
        assert (target.path, target.pid) == ("/proc/self/ns/net", None)


def test_host_fails_where_it_may_not_be_looked_at(
    monkeypatch: pytest.MonkeyPatch, refused: Callable[[Callable[[], object]], NetweatherError]
) -> None:
    monkeypatch.setattr(_open_namespaces, "host_path", lambda: "/nonexistent")
    assert refused(lambda: RUNTIME.open(parse("host"))).code == "unknown-target"


def test_host_is_not_listed() -> None:
    assert RUNTIME.listings() == []


@pytest.mark.root
def test_host_is_found_here() -> None:
    (target,) = RUNTIME.open(parse("host"))
    with target:
        assert target.identity in {f"{dev}-{ino}" for dev, ino in _open_namespaces.host_identities()}
