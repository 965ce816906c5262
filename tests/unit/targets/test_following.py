from __future__ import annotations

import os
import queue
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from netweather.errors import NetweatherError, UsageError
from netweather.targets import _open_namespaces, resolving
from netweather.targets.following import Follower, Gone, Started, TargetEvent, follow
from netweather.targets.model import Target
from tests.unit.targets.fake_docker import Engine

BROKEN = NetweatherError("docker-unreachable", "it does not answer")


class FakeWatch:
    """A runtime that is told what is there. spaces: by key, the file that stands for its namespace."""

    every = 30.0

    def __init__(self) -> None:
        self.spaces: dict[str, str] = {}
        self.hints: queue.Queue[str | NetweatherError | None] = queue.Queue()
        self.looks = 0
        self.fails: NetweatherError | None = None
        self.refuses: dict[str, NetweatherError] = {}

    def present(self) -> set[str]:
        self.looks += 1
        if self.fails:
            raise self.fails
        return set(self.spaces)

    def open(self, key: str) -> Target | None:
        if key in self.refuses:
            raise self.refuses[key]
        if key not in self.spaces:
            return None
        return _open_namespaces.held_target(os.open(self.spaces[key], os.O_RDONLY), "docker:x", key, "docker")

    def changes(self) -> Iterator[str]:
        while (hint := self.hints.get()) is not None:
            if isinstance(hint, NetweatherError):
                raise hint
            yield hint

    def close(self) -> None:
        self.hints.put(None)


@pytest.fixture
def watch() -> FakeWatch:
    return FakeWatch()


@pytest.fixture
def files(tmp_path: object) -> list[str]:
    """Files that stand for namespaces: each with an identity of its own."""
    made = [f"{tmp_path}/{number}" for number in range(4)]
    for path in made:
        with open(path, "w", encoding="utf-8"):
            pass
    return made


@pytest.fixture
def following(watch: FakeWatch) -> Iterator[tuple[Follower, list[str]]]:
    """A follower, and the codes of the problems that it told."""
    problems: list[str] = []
    before = set(os.listdir("/proc/self/fd"))
    with Follower("docker:x", watch, lambda problem: problems.append(problem.code)) as follower:
        yield follower, problems
    assert len(set(os.listdir("/proc/self/fd")) - before) == 0


Following = tuple[Follower, list[str]]


def words(follower: Follower, count: int) -> list[str]:
    """The next events, as '+NAME' and '-NAME'."""
    found = []
    for _ in range(count):
        event = next(follower)
        found.append(f"+{event.target.name}" if isinstance(event, Started) else f"-{event.name}")
        if isinstance(event, Started):
            event.target.close()
    return found


def test_what_is_there_comes_first_and_what_goes_is_told(watch: FakeWatch, files: list[str], following: Following) -> None:
    watch.spaces = {"a": files[0], "b": files[1]}
    follower, problems = following
    assert words(follower, 2) == ["+a", "+b"]
    del watch.spaces["a"]
    watch.hints.put("a")
    assert words(follower, 1) == ["-a"]
    assert problems == []


def test_a_restart_is_another_namespace_and_the_same_one_is_no_event(
    watch: FakeWatch, files: list[str], following: Following
) -> None:
    follower, _ = following
    watch.spaces = {"a": files[0], "b": files[1]}
    words(follower, 2)
    watch.hints.put("a")  # something happened to it, and nothing came of it
    watch.spaces["b"] = files[2]
    watch.hints.put("b")
    assert words(follower, 2) == ["-b", "+b"]


def test_containers_that_share_a_namespace_are_one(watch: FakeWatch, files: list[str], following: Following) -> None:
    follower, _ = following
    watch.spaces = {"a": files[0], "b": files[0]}
    assert words(follower, 1) == ["+a"]
    del watch.spaces["a"]
    watch.hints.put("a")
    watch.spaces["c"] = files[1]
    watch.hints.put("c")
    assert words(follower, 1) == ["+c"]
    del watch.spaces["b"]
    watch.hints.put("b")
    assert words(follower, 1) == ["-a"]


def test_a_runtime_that_hangs_up_is_asked_again_and_looked_at_anew(
    watch: FakeWatch, files: list[str], following: Following
) -> None:
    follower, problems = following
    watch.spaces = {"a": files[0]}
    words(follower, 1)
    watch.spaces = {"a": files[1], "b": files[2]}
    watch.hints.put(BROKEN)
    watch.hints.put("")
    assert words(follower, 3) == ["-a", "+a", "+b"]
    assert problems == ["docker-unreachable"]


def test_while_a_runtime_fails_nothing_is_gone(watch: FakeWatch, files: list[str], following: Following) -> None:
    follower, problems = following
    watch.spaces = {"a": files[0]}
    words(follower, 1)
    watch.fails = BROKEN
    watch.hints.put("a")
    looks = watch.looks

    def mend() -> None:
        while watch.looks < looks + 3:
            threading.Event().wait(0.01)
        watch.spaces = {"b": files[1]}
        watch.fails = None

    mending = threading.Thread(target=mend)
    mending.start()
    assert words(follower, 2) == ["-a", "+b"]
    mending.join()
    assert problems == ["docker-unreachable"]


def test_what_cannot_be_a_target_is_told_once_and_tried_again(watch: FakeWatch, files: list[str], following: Following) -> None:
    follower, problems = following
    watch.spaces = {"a": files[0], "b": files[1]}
    watch.refuses = {"a": NetweatherError("target-not-running", "not yet")}
    assert words(follower, 1) == ["+b"]
    looks = watch.looks

    def relent() -> None:
        while watch.looks < looks + 2:
            threading.Event().wait(0.01)
        watch.refuses = {}

    relenting = threading.Thread(target=relent)
    relenting.start()
    assert words(follower, 1) == ["+a"]
    relenting.join()
    assert problems == ["target-not-running"]


def test_the_hosts_network_is_told_and_never_started(watch: FakeWatch, files: list[str], following: Following) -> None:
    follower, problems = following
    watch.spaces = {"a": "/proc/self/ns/net", "b": files[0]}
    assert words(follower, 1) == ["+b"]
    assert problems == ["host-namespace"]


def test_closing_ends_an_iteration_that_waits(watch: FakeWatch) -> None:
    follower = Follower("docker:x", watch)
    found: list[TargetEvent] = []
    waiting = threading.Thread(target=lambda: found.extend(follower))
    waiting.start()
    follower.close()
    follower.close()
    waiting.join(5)
    assert (found, waiting.is_alive()) == ([], False)


def test_targets_that_nobody_asked_for_are_closed(watch: FakeWatch, files: list[str]) -> None:
    before = len(os.listdir("/proc/self/fd"))
    watch.spaces = dict(zip("abcd", files, strict=True))
    with Follower("docker:x", watch) as follower:
        words(follower, 1)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_docker_is_followed_by_its_events(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netweather.targets.following.refuse_host", lambda targets: None)
    with ExitStack() as stack:
        follower = stack.enter_context(follow("docker:label=tier=web"))
        engine.add("a", labels={"tier": "web"})
        engine.happens("start", "a")
        assert words(follower, 1) == ["+a"]
        engine.hang_up()
        engine.containers.clear()
        assert words(follower, 1) == ["-a"]
    assert any(request.startswith("/events?") for request in engine.requests)


def test_a_name_is_followed_by_looking(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setattr("netweather.targets.following.refuse_host", lambda targets: None)
    with follow(f"netns:{tmp_path}/later") as follower:
        os.symlink("/proc/self/ns/net", f"{tmp_path}/later")
        assert words(follower, 1) == [f"+{tmp_path}/later"]
        os.unlink(f"{tmp_path}/later")
        assert words(follower, 1) == [f"-{tmp_path}/later"]


def test_every_scheme_can_be_followed_and_nonsense_cannot() -> None:
    for scheme in resolving.available():
        watch = resolving.runtime(scheme.name).watch(resolving.parse(scheme.example))
        assert watch.every > 0
        watch.close()
    with pytest.raises(UsageError):
        follow("shop")


def test_a_namespace_is_held_until_it_is_gone_so_that_its_number_cannot_come_back(
    watch: FakeWatch, files: list[str], following: Following
) -> None:
    def held() -> int:
        names = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
        return sum(os.readlink(name) == files[0] for name in names if os.path.islink(name))

    follower, _ = following
    watch.spaces = {"a": files[0]}
    words(follower, 1)
    assert held() == 1
    watch.spaces = {}
    watch.hints.put("a")
    words(follower, 1)
    assert held() == 0


def test_gone_and_started_name_the_same_identity(watch: FakeWatch, files: list[str], following: Following) -> None:
    follower, _ = following
    watch.spaces = {"a": files[0]}
    started = next(follower)
    assert isinstance(started, Started)
    started.target.close()
    watch.spaces = {}
    watch.hints.put("a")
    gone = next(follower)
    assert gone == Gone(started.identity, "a")
