from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from typing import Any

import pytest

from netweather.errors import NetweatherError
from netweather.targets import _addresses
from netweather.targets.model import Target
from netweather.targets.references import parse
from netweather.targets.resolving import complete
from netweather.targets.runtimes.docker import RUNTIME
from tests.unit.targets.fake_docker import Engine

Refused = Callable[[Callable[[], object]], NetweatherError]


def open_all(text: str, *, as_peer: bool = False) -> list[Target]:
    """Opens and closes, for tests that only look at what came."""
    found = RUNTIME.open(parse(text), as_peer=as_peer)
    for target in found:
        target.close()
    return found


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """Some process: not the one that a container says to be."""
    child = subprocess.Popen(["sleep", "60"])
    yield child
    child.kill()
    child.wait()


def test_a_container_by_name_and_id(engine: Engine) -> None:
    engine.add("shop-api", id="ab" * 32, addresses=("192.0.2.2", "2001:db8::2"))
    own = os.stat("/proc/self/ns/net")
    for word in ("shop-api", "/shop-api", "ab" * 32):
        (target,) = open_all(f"docker:{word}")
        assert (target.reference, target.name, target.runtime) == (f"docker:{word}", "shop-api", "docker")
        assert (target.dev, target.ino, target.pid) == (own.st_dev, own.st_ino, os.getpid())
        assert target.addresses == (ip_address("192.0.2.2"), ip_address("2001:db8::2"))


def test_an_unknown_container_gets_the_nearest_running_ones(engine: Engine, refused: Refused) -> None:
    engine.add("shop-api")
    engine.add("shop-app", "exited")
    error = refused(lambda: open_all("docker:shop-ap"))
    assert (error.code, error.exit_code) == ("unknown-target", 1)
    assert error.why == "similar running containers: shop-api"


@pytest.mark.parametrize("word", ["ab", "ab" * 6, "ab" * 31])
def test_the_beginning_of_an_id_names_nothing(word: str, engine: Engine, refused: Refused) -> None:
    engine.add("one", id="ab" * 32)
    engine.add("two", "exited", id="ab" * 31 + "cd")
    for as_peer in (False, True):
        error = refused(lambda as_peer=as_peer: open_all(f"docker:{word}", as_peer=as_peer))  # type: ignore[misc]
        assert error.code == "unknown-target"
        assert "ab" * 32 in error.why
        assert "ab" * 31 + "cd" in error.why
        assert f"docker:{'ab' * 32}" in error.remedy
    assert RUNTIME.watch(parse(f"docker:{word}")).present() == set()


def test_who_follows_a_name_is_not_given_ids_that_begin_so(engine: Engine) -> None:
    named = engine.add("db", id="01" * 32)
    engine.add("other", id="db" * 32)
    engine.add("dbase", id="02" * 32)
    assert RUNTIME.watch(parse("docker:db")).present() == {named["Id"]}
    assert [each.name for each in open_all("docker:db")] == ["db"]


def test_a_name_may_look_like_the_id_of_another(engine: Engine, refused: Refused) -> None:
    """Of 12 digits it is a name all the same; of 64 an id in full is meant."""
    named = engine.add("ab" * 6, id="01" * 32)
    other = engine.add("other", id="ab" * 32)
    whole = engine.add("cd" * 32, id="02" * 32)
    assert RUNTIME.complete("ab" * 6) == "ab" * 6
    assert RUNTIME.watch(parse(f"docker:{'ab' * 6}")).present() == {named["Id"]}
    assert RUNTIME.watch(parse(f"docker:{'ab' * 32}")).present() == {other["Id"]}
    assert [each.name for each in open_all(f"docker:{'ab' * 6}")] == ["ab" * 6]
    assert refused(lambda: open_all(f"docker:{'cd' * 32}")).code == "unknown-target"
    assert [each.name for each in open_all(f"docker:{whole['Id']}")] == ["cd" * 32]


def test_a_command_line_completes_an_id_from_12_digits_on(engine: Engine, refused: Refused) -> None:
    engine.add("one", id="ab" * 32)
    engine.add("two", "exited", id="abac" * 16)
    assert complete(f"docker:{'ab' * 6}") == f"docker:{'ab' * 32}"
    assert complete(f"docker:{'abac' * 3}") == f"docker:{'abac' * 16}"
    for text in ("docker:abababababa", "docker:ABABABABABAB", f"docker:{'cd' * 6}", "docker:one", "netns:abababababab", "host"):
        assert complete(text) == text
    engine.add("three", id="ab" * 30 + "cdcd")
    error = refused(lambda: complete(f"docker:{'ab' * 6}"))
    assert error.code == "ambiguous-target"
    assert "ab" * 32 in error.why


@pytest.mark.parametrize(
    ("state", "remedy"),
    [
        ("created", "docker start x1"),
        ("exited", "docker start x1"),
        ("paused", "docker unpause x1"),
        ("restarting", "docker logs x1"),
        ("dead", "docker rm x1"),
        ("configured", "docker start x1"),
    ],
)
def test_a_container_that_does_not_run_gets_a_remedy(state: str, remedy: str, engine: Engine, refused: Refused) -> None:
    engine.add("x1", state)
    error = refused(lambda: open_all("docker:x1"))
    assert (error.code, error.exit_code, error.why) == ("target-not-running", 1, f"Docker says that it is {state}")
    assert remedy in error.remedy


def test_a_paused_container_is_a_peer(engine: Engine, refused: Refused) -> None:
    engine.add("x1", "paused")
    assert len(open_all("docker:x1", as_peer=True)) == 1
    engine.add("x2", "exited")
    assert refused(lambda: open_all("docker:x2", as_peer=True)).code == "target-not-running"


def test_host_network_is_refused_and_yet_a_peer(engine: Engine, refused: Refused) -> None:
    engine.add("x1", network="host")
    error = refused(lambda: open_all("docker:x1"))
    assert error.code == "host-namespace"
    assert "--network host" in error.why
    assert len(open_all("docker:x1", as_peer=True)) == 1


def test_a_label_names_all_running_containers(engine: Engine) -> None:
    for name, state in (("b", "running"), ("a", "running"), ("c", "exited")):
        engine.add(name, state, labels={"tier": "web"})
    engine.add("d", labels={"tier": "db"})
    assert [target.name for target in open_all("docker:label=tier=web")] == ["a", "b"]


@pytest.mark.parametrize("state", ["paused", "restarting"])
def test_a_label_refuses_what_would_come_back_untouched(state: str, engine: Engine, refused: Refused) -> None:
    engine.add("a", labels={"tier": "web"})
    engine.add("b", state, labels={"tier": "web"})
    error = refused(lambda: open_all("docker:label=tier=web"))
    assert error.code == "target-not-running"
    assert "'b'" in error.what


def test_a_label_of_stopped_containers_says_which(engine: Engine, refused: Refused) -> None:
    engine.add("a", "exited", labels={"tier": "web"})
    engine.add("b", "created", labels={"tier": "web"})
    error = refused(lambda: open_all("docker:label=tier=web"))
    assert (error.code, error.why, error.remedy) == ("target-not-running", "a is exited, b is created", "docker start a b")


def test_an_unknown_label_names_the_values_of_its_key(engine: Engine, refused: Refused) -> None:
    assert refused(lambda: open_all("docker:label=tier=wbe")).why == "no labels on running containers exist"
    engine.add("a", labels={"tier": "db", "wbe": "x"})
    error = refused(lambda: open_all("docker:label=tier=wbe"))
    assert (error.code, error.why) == ("unknown-target", "similar labels on running containers: tier=db")


def test_a_labelled_container_that_vanishes_is_an_error(engine: Engine, refused: Refused) -> None:
    engine.add("a", labels={"tier": "web"})
    engine.add("b", labels={"tier": "web"})
    engine.before_inspect = lambda found: engine.containers.pop() if len(engine.containers) > 1 else None
    assert refused(lambda: open_all("docker:label=tier=web")).code == "target-changed"


def test_a_restart_while_it_is_looked_at_is_looked_at_again(engine: Engine) -> None:
    starts = iter(["1", "2", "3", "3", "3"])

    def restart(found: dict[str, Any]) -> None:
        found["State"]["StartedAt"] = next(starts)

    engine.add("x1")
    engine.before_inspect = restart
    (target,) = open_all("docker:x1")
    assert target.pid == os.getpid()
    assert len(engine.requests) == 4


def test_a_container_that_keeps_restarting_is_refused(engine: Engine, refused: Refused) -> None:
    starts = iter(range(100))

    def restart(found: dict[str, Any]) -> None:
        found["State"]["StartedAt"] = str(next(starts))

    engine.add("x1")
    engine.before_inspect = restart
    assert refused(lambda: open_all("docker:x1")).code == "target-changed"


def test_a_container_that_stops_while_it_is_looked_at_is_refused(engine: Engine, refused: Refused) -> None:
    looks = iter(["running", "exited"])

    def stop(found: dict[str, Any]) -> None:
        found["State"]["Status"] = next(looks)
        found["State"]["Pid"] = os.getpid() if found["State"]["Status"] == "running" else 0

    engine.add("x1")
    engine.before_inspect = stop
    assert refused(lambda: open_all("docker:x1")).code == "target-not-running"


def test_a_container_that_is_removed_while_it_is_looked_at_is_refused(engine: Engine, refused: Refused) -> None:
    engine.add("x1")
    engine.before_inspect = lambda found: engine.containers.clear()
    assert refused(lambda: open_all("docker:x1")).code == "target-changed"


def test_a_pid_that_is_somebody_elses_here_is_refused(
    engine: Engine, refused: Refused, stranger: subprocess.Popen[bytes]
) -> None:
    engine.add("x1", pid=stranger.pid, sandbox="/nonexistent")
    error = refused(lambda: open_all("docker:x1"))
    assert error.code == "target-elsewhere"
    assert str(stranger.pid) in error.why
    engine.add("x2", pid=4194305)
    assert refused(lambda: open_all("docker:x2")).code == "target-elsewhere"


def test_a_control_group_of_the_containers_id_proves_the_pid(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.add("x1", id="ab" * 32, sandbox="")
    monkeypatch.setattr(
        "netweather.targets._open_namespaces.ProcessEntry.control_groups", lambda self: f"0::/docker/{'ab' * 32}\n"
    )
    (target,) = open_all("docker:x1")
    assert target.path is None


def test_the_engines_own_file_of_the_namespace_is_the_path(engine: Engine) -> None:
    engine.add("x1")
    (target,) = open_all("docker:x1")
    assert target.path == f"/proc/{os.getpid()}/ns/net"


def test_who_may_not_open_the_namespace_is_told_so(engine: Engine, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(self: object) -> int:
        raise NetweatherError("needs-root", "it could not be opened")

    engine.add("x1")
    monkeypatch.setattr("netweather.targets._open_namespaces.ProcessEntry.open_network", deny)
    assert refused(lambda: open_all("docker:x1")).code == "needs-root"


def test_the_list_tells_what_can_be_a_target(engine: Engine, monkeypatch: pytest.MonkeyPatch, no_host: None) -> None:
    labels = {"com.docker.compose.project": "shop", "com.docker.compose.service": "web"}
    engine.add("web-1", labels=labels, addresses=("192.0.2.2", ""), id="ab" * 32)
    engine.add("on-host", network="host")
    engine.add("asleep", "paused")
    engine.add("failing", "restarting")
    engine.add("done", "exited")
    seen = _addresses.NamespaceAddresses((ip_address("192.0.2.2"), ip_address("192.0.2.3")), ("eth0", "eth1"))
    monkeypatch.setattr(_addresses, "look", lambda target: seen)
    asleep, failing, on_host, web = RUNTIME.listings()
    assert (web.reference, web.name, web.image, web.id, web.compose) == ("docker:web-1", "web-1", "app:1", "ab" * 32, "shop/web")
    assert (web.state, web.addresses, web.interfaces, web.note) == ("running", seen.addresses, seen.interfaces, "")
    assert (web.pid, web.identity is not None) == (os.getpid(), True)
    assert (asleep.state, asleep.note) == ("paused", "")
    assert (failing.state, failing.note) == ("restarting", "Docker says that it is restarting")
    assert "cannot be a target" in on_host.note


def test_no_docker_is_an_empty_list_and_a_broken_one_an_error(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    engine.answer = (500, b"{}")
    assert refused(RUNTIME.listings).code == "docker-failed"
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    assert RUNTIME.listings() == []
