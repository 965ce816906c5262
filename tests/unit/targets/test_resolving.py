from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from ipaddress import ip_address

import pytest

from netweather.errors import NetweatherError, UsageError
from netweather.targets import _open_namespaces, resolving
from netweather.targets.model import Address, Listing, Target
from netweather.targets.references import SCHEMES
from netweather.targets.runtimes import netns
from tests.unit.targets.fake_docker import Engine

Refused = Callable[[Callable[[], object]], NetweatherError]
V4, OTHER = ip_address("192.0.2.2"), ip_address("192.0.2.3")


def target(name: str, ino: int, addresses: tuple[Address, ...] = ()) -> Target:
    fd = os.open("/dev/null", os.O_RDONLY)
    return Target(f"docker:{name}", name, fd, 4, ino, None, None, "docker", addresses)


def test_a_shared_namespace_is_one_target_with_all_names() -> None:
    given = [target("a", 1, addresses=(V4,)), target("b", 2), target("c", 1, addresses=(OTHER, V4)), target("a", 1)]
    first, second = resolving.merge(given)
    with first, second:
        assert (first.name, first.netns_fd, first.reference, first.addresses) == (
            "a,c",
            given[0].netns_fd,
            "docker:a",
            (V4, OTHER),
        )
        assert second.name == "b"
        for closed in (given[2], given[3]):
            with pytest.raises(OSError, match="Bad file"):
                os.fstat(closed.netns_fd)
        os.fstat(first.netns_fd)
        os.fstat(second.netns_fd)


@pytest.mark.usefixtures("no_host")
def test_several_references_are_joined_too(engine: Engine) -> None:
    engine.add("a", labels={"t": "x"})
    engine.add("b", labels={"t": "x"})
    (only,) = resolving.resolve_all(["docker:b", "docker:label=t=x", f"pid:{os.getpid()}"])
    with only:
        assert only.name.startswith("b,a,")
        assert only.reference == "docker:b"
    (only,) = resolving.resolve("docker:label=t=x")
    with only:
        assert only.name == "a,b"


def test_the_hosts_network_is_refused_whatever_it_is_called(engine: Engine, refused: Refused) -> None:
    engine.add("x1", labels={"t": "x"})
    for text in ("docker:x1", "docker:label=t=x", f"pid:{os.getpid()}", "netns:/proc/self/ns/net"):
        error = refused(partial(resolving.resolve, text))
        assert (error.code, error.exit_code) == ("host-namespace", 1)
    assert "(x1)" in refused(lambda: resolving.resolve("docker:label=t=x")).what


def test_host_is_taken_when_spelt_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_open_namespaces, "host_path", lambda: "/proc/self/ns/net")
    (only,) = resolving.resolve("host")
    with only:
        assert only.name == "host"


@pytest.mark.usefixtures("no_host")
def test_one_bad_reference_closes_all(refused: Refused) -> None:
    own = f"pid:{os.getpid()}"
    assert refused(lambda: resolving.resolve_all([own, "pid:4194305"])).code == "unknown-target"
    assert refused(lambda: resolving.resolve_all([own, "nobody"])).code == "scheme-missing"


def test_usage_errors_come_before_anything_is_opened() -> None:
    with pytest.raises(UsageError):
        resolving.resolve("containerd:x")
    with pytest.raises(KeyError):
        resolving.runtime("nobody")


def test_every_runtime_is_there() -> None:
    for scheme in SCHEMES:
        assert callable(resolving.runtime(scheme.name).open)


def test_the_list_is_of_all_runtimes_and_survives_a_broken_one(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netns.RUNTIME, "listings", lambda: [Listing("netns:db", "netns", "db", "present")])
    engine.add("x1", "restarting")
    assert [each.reference for each in resolving.list_targets()] == ["docker:x1", "netns:db"]
    engine.answer = (500, b"{}")
    problems: list[NetweatherError] = []
    assert [each.reference for each in resolving.list_targets(problems.append)] == ["netns:db"]
    assert [each.code for each in problems] == ["docker-failed"]
    assert len(resolving.list_targets()) == 1


def test_a_missing_docker_is_no_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netns.RUNTIME, "listings", list)
    problems: list[NetweatherError] = []
    assert resolving.list_targets(problems.append) == []
    assert problems == []
