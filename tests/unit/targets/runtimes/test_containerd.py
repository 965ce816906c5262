from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from netweather.errors import NetweatherError
from netweather.targets import _open_namespaces
from netweather.targets.model import Target
from netweather.targets.references import parse
from netweather.targets.runtimes import containerd
from netweather.targets.runtimes.containerd import ContainerdApi, ContainerdContainers, Task

Refused = Callable[[Callable[[], object]], NetweatherError]
ID = "ab" * 32


class FakeApi(ContainerdApi):
    """A containerd that is told what runs. before_tasks: called at every look, and may change it."""

    def __init__(self, namespace: str = "default") -> None:
        super().__init__(lambda: "/nonexistent/containerd.sock", namespace)
        self.known: dict[str, Task] = {}
        self.labels: dict[str, dict[str, str]] = {}
        self.before_tasks: Callable[[], object] = lambda: None

    def add(self, id: str, running: bool = True, **labels: str) -> None:  # noqa: A002 - what containerd calls it
        self.known[id] = Task(id, os.getpid(), running)
        self.labels[id] = labels

    def tasks(self) -> dict[str, Task]:
        self.before_tasks()
        return dict(self.known)

    def labelled(self, key: str, value: str) -> set[str]:
        return {id for id, labels in self.labels.items() if labels.get(key) == value}  # noqa: A001 - as above


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    made = FakeApi()
    groups = f"0::/default/shop\n1:x:/default/other\n2:x:/pods/{ID}\n"
    monkeypatch.setattr(_open_namespaces.ProcessEntry, "control_groups", lambda self: groups)
    return made


def open_all(api: FakeApi, text: str) -> list[Target]:
    found = ContainerdContainers(lambda namespace: api).open(parse(text))
    for target in found:
        target.close()
    return found


def test_a_container_by_its_id(api: FakeApi) -> None:
    api.add("shop")
    api.add(ID)
    for word in ("shop", ID):
        (target,) = open_all(api, f"containerd:default/{word}")
        assert (target.name, target.pid, target.runtime) == (word, os.getpid(), "containerd")


def test_the_beginning_of_an_id_is_completed_for_a_command_line_and_names_nothing_else(api: FakeApi, refused: Refused) -> None:
    api.add(ID)
    api.add("abababababab-2")  # a person's, not an id
    runtime = ContainerdContainers(lambda namespace: api)
    for word in ("ab", "ab" * 6):
        error = refused(lambda word=word: open_all(api, f"containerd:default/{word}"))  # type: ignore[misc]
        assert (error.code, ID in error.why) == ("unknown-target", True)
        assert runtime.watch(parse(f"containerd:default/{word}")).present() == set()
    assert runtime.complete(f"default/{'ab' * 6}") == f"default/{ID}"
    assert runtime.complete("default/ab") == "default/ab"
    api.add("ab" * 6)
    assert runtime.complete(f"default/{'ab' * 6}") == f"default/{'ab' * 6}"


def test_labels_name_those_that_run(api: FakeApi) -> None:
    api.add("shop", app="web")
    api.add("other", app="web")
    api.add("done", running=False, app="web")
    api.add("db", app="db")
    assert [target.name for target in open_all(api, "containerd:default/label=app=web")] == ["other", "shop"]


def test_what_is_not_there_does_not_run_or_is_several(api: FakeApi, refused: Refused) -> None:
    api.add("shop")
    api.add("shop-2", running=False)
    assert refused(lambda: open_all(api, "containerd:default/shpo")).why == "similar containers with a process: shop, shop-2"
    assert refused(lambda: open_all(api, "containerd:default/shop-2")).code == "target-not-running"
    assert refused(lambda: open_all(api, "containerd:default/sh")).code == "unknown-target"


def test_an_id_that_a_person_chose_is_no_proof_by_itself(api: FakeApi, refused: Refused) -> None:
    """'sho' is a part of '/default/shop', the group of another."""
    api.add("sho")
    assert refused(lambda: open_all(api, "containerd:default/sho")).code == "target-elsewhere"


def test_a_container_that_ends_while_it_is_looked_at_is_refused(api: FakeApi, refused: Refused) -> None:
    looks = iter(range(9))
    api.add("shop")
    api.before_tasks = lambda: api.known.clear() if next(looks) == 2 else None
    assert refused(lambda: open_all(api, "containerd:default/shop")).code == "target-changed"


def test_a_restart_is_another_key(api: FakeApi) -> None:
    watch = ContainerdContainers(lambda namespace: api).watch(parse("containerd:default/shop"))
    assert watch.present() == set()
    api.add("shop")
    (key,) = watch.present()
    target = watch.open(key)
    assert target is not None
    target.close()
    api.known["shop"] = Task("shop", 4711, True)
    assert watch.present() == {"shop/4711"} != {key}
    api.known.clear()
    assert watch.open(key) is None


def test_the_socket_is_looked_for_when_it_is_used(monkeypatch: pytest.MonkeyPatch, refused: Refused) -> None:
    watch = containerd.RUNTIME.watch(parse("containerd:default/shop"))
    assert refused(watch.present).code == "cri-unreachable"
    assert containerd.RUNTIME.listings() == []


def test_closing_ends_changes(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stream:
        def __iter__(self) -> Iterator[Any]:
            yield type("Envelope", (), {"topic": "/tasks/start"})

        def close(self) -> None:
            closed.append(True)

    closed: list[bool] = []
    monkeypatch.setattr(FakeApi, "events", lambda self: Stream())
    watch = ContainerdContainers(lambda namespace: api).watch(parse("containerd:default/shop"))
    assert list(watch.changes()) == ["/tasks/start"]
    watch.close()
    assert closed == [True]
    assert list(watch.changes()) == []
