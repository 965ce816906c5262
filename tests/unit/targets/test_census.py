from __future__ import annotations

import os
from dataclasses import dataclass, field

import pytest

from netweather.errors import NetweatherError
from netweather.targets import Target, census
from netweather.targets.census import Census, ListedContainer, cri_containers, docker_containers
from tests.unit.targets import fake_docker
from tests.unit.targets.fake_cri import Runtime


@dataclass
class Engine:
    """Containers that all live in this process's namespace, unless they fail. opened: the references that were."""

    listed: list[ListedContainer] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    fails: dict[str, NetweatherError] = field(default_factory=dict)
    broken: NetweatherError | None = None
    pid: int = field(default_factory=os.getpid)
    now: float = 0.0

    def list(self) -> list[ListedContainer]:
        if self.broken:
            raise self.broken
        return self.listed

    def open(self, reference: str) -> list[Target]:
        self.opened.append(reference)
        if reference in self.fails:
            raise self.fails[reference]
        fd = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        found = os.fstat(fd)
        return [Target(reference, reference, fd, found.st_dev, found.st_ino, self.pid, None, "docker")]

    def census(self) -> Census:
        return Census([self.list], self.open, lambda: self.now)


def box(name: str, state: census.ContainerState = "running", reference: str = "") -> ListedContainer:
    return ListedContainer(name * 8, name, "docker", state, reference or f"docker:{name}")


OWN = "{0.st_dev}-{0.st_ino}".format(os.stat("/proc/self/ns/net"))


def test_namespaces_are_opened_once_and_nothing_is_held() -> None:
    engine = Engine([box("a"), box("b"), box("c", "stopped"), box("d", reference="docker:a")])
    looks, before = engine.census(), len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        found, problems = looks.look()
        assert ([each.identity for each in found], problems) == ([OWN, OWN, None, OWN], [])
    assert sorted(engine.opened) == ["docker:a", "docker:b"]
    assert len(os.listdir("/proc/self/fd")) == before


def test_how_their_networks_fare() -> None:
    if os.geteuid():
        pytest.skip("needs root to enter a namespace, its own too")
    engine = Engine([box("a"), box("b"), box("c", "stopped")])
    looks = engine.census()
    assert looks.farings() == {}
    looks.look()
    assert list(looks.farings()) == [OWN]


def test_what_lives_elsewhere_now_is_opened_again() -> None:
    """A restart, or another process of the same number."""
    engine = Engine([box("a")], pid=2**22 + 1)
    looks = engine.census()
    looks.look()
    looks.look()
    assert engine.opened == ["docker:a"] * 2


def test_a_paused_one_keeps_its_namespace() -> None:
    engine = Engine([box("a")])
    looks = engine.census()
    looks.look()
    engine.listed = [box("a", "paused"), box("b", "paused")]
    found, _ = looks.look()
    assert [each.identity for each in found] == [OWN, None]
    assert engine.opened == ["docker:a"]


@pytest.mark.parametrize(("code", "again"), [("host-namespace", 1), ("target-changed", 2)])
def test_what_can_be_no_target_says_why_and_is_tried_again_later(code: str, again: int) -> None:
    engine = Engine([box("a")], fails={"docker:a": NetweatherError(code, "it shares", "the host's")})
    looks = engine.census()
    (found,), _ = looks.look()
    assert (found.identity, found.note) == (None, "it shares: the host's")
    engine.now = 1.0
    looks.look()
    assert len(engine.opened) == again
    engine.now = 100.0
    engine.fails = {}
    (found,), _ = looks.look()
    assert (found.identity, found.note) == (OWN, "")


def test_engines_that_are_not_here_are_no_problem() -> None:
    engine = Engine()
    for code, cause, told in (
        ("docker-unreachable", FileNotFoundError(), False),
        ("cri-unsupported", None, False),
        ("no-grpc", None, False),
        ("docker-unreachable", ConnectionRefusedError(), True),
        ("docker-failed", None, True),
    ):
        engine.broken = NetweatherError(code, "no")
        engine.broken.__cause__ = cause
        assert engine.census().look() == ([], [engine.broken] if told else [])


def test_states_are_listed_without_opening_anything() -> None:
    engine = Engine([box("a"), box("b", "stopped")])
    broken = Engine(broken=NetweatherError("docker-failed", "Docker failed"))
    assert engine.census().states() == ({"aaaaaaaa": "running", "bbbbbbbb": "stopped"}, True)
    assert Census([engine.list, broken.list]).states() == ({"aaaaaaaa": "running", "bbbbbbbb": "stopped"}, False)
    assert engine.opened == []


def test_docker_tells_states(engine: fake_docker.Engine) -> None:
    """Those that were never started, and those that are about to go, have no network to steer."""
    for number, state in enumerate(("running", "paused", "exited", "dead", "created", "removing")):
        engine.containers.append(fake_docker.container(state, state, number=number + 1))
    states = {each.name: each.state for each in docker_containers()}
    assert states == {"running": "running", "paused": "paused", "exited": "stopped", "dead": "stopped"}
    assert {each.reference for each in docker_containers()} >= {f"docker:{1:064x}"}


def test_cri_tells_of_what_runs(cri: Runtime) -> None:
    cri.add("shop/a", id="ab" * 32, containers=("cd" * 32, "ef" * 32, "01" * 32), exited=("01" * 32,))
    found = cri_containers()
    assert [(each.id, each.state, each.reference) for each in found] == [
        ("cd" * 32, "running", f"cri:{'ab' * 32}"), ("ef" * 32, "running", f"cri:{'ab' * 32}"),
    ]  # fmt: skip
    assert {each.name for each in found} == {"app"}
