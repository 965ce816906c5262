"""What no living process looks after, over the FakeKernel: completed or removed, and one bad entry never stops the others."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from netweather.engine import Engine, recovery
from netweather.errors import NetweatherError
from netweather.journal import Journal
from netweather.kernel import keeper_process, namespaces
from netweather.kernel.datapath.fake import FakeKernel, FakeTarget
from netweather.kernel.datapath.operations import Attach, Operation
from netweather.service import LocalService
from netweather.settings import Settings
from netweather.units import Duration
from tests.unit.engine.conftest import Bench, condition

IN_THE_WAY = "999-1"
"""A target whose journal can't be read, first in order."""


class Killed(BaseException):
    """As SIGKILL: nothing is put back."""


@pytest.fixture
def made(bench: Bench) -> Bench:
    """A bench with one bad entry more."""
    folder = bench.engine.journal.directory(IN_THE_WAY)
    folder.mkdir(parents=True)
    (folder / "journal.json").write_text("{")
    return bench


def kill_at(bench: Bench, monkeypatch: pytest.MonkeyPatch, kind: type[Operation]) -> None:
    """Sets a condition in a process that is killed at its first operation of this kind."""

    def apply(self: FakeTarget, operation: Operation) -> None:
        if isinstance(operation, kind):
            raise Killed
        whole(self, operation)

    whole = FakeTarget.apply
    with monkeypatch.context() as patch:
        patch.setattr(FakeTarget, "apply", apply)
        patch.setattr(Engine, "_go_back", lambda *_: None)
        with pytest.raises(Killed):
            bench.set()


def path(bench: Bench) -> Path:
    return bench.engine.journal.directory(bench.target.identity) / "journal.json"


def test_show_completes_what_a_killed_command_began(made: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Path] = []
    made.engine.keep = lambda directory, fd, state: kept.append(directory)
    kill_at(made, monkeypatch, Attach)
    assert not made.kernel.in_force
    (shown,) = made.engine.show(made.target)
    assert shown.in_force
    assert kept == [path(made).parent]


def test_a_keeper_need_not_be_waited_for(made: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    kill_at(made, monkeypatch, Attach)
    monkeypatch.setattr(keeper_process, "running", lambda _: True)
    monkeypatch.setattr(keeper_process, "kept_by_another", lambda _: True)
    assert made.engine.show(made.target)[0].in_force


def test_what_can_not_be_completed_is_removed(made: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    kill_at(made, monkeypatch, Attach)
    monkeypatch.setattr(FakeTarget, "_attach", lambda *_: (_ for _ in ()).throw(OSError(19, "planted")))
    assert made.engine.show(made.target) == []
    assert not path(made).parent.exists()


def test_what_somebody_is_at_work_on_is_left_to_him(made: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    kill_at(made, monkeypatch, Attach)
    with made.engine.journal.locked(made.target.identity):
        monkeypatch.setattr("netweather.journal._threads", {})  # as another process has it
        assert [each.target for each in recovery.sweep(made.engine, orphans=False)] == ["namespace 1"]
    assert not made.kernel.in_force


BROKEN = ["", "{", '{"version": 99}', "[]"]


@pytest.mark.parametrize("text", BROKEN)
def test_clear_works_with_a_journal_that_can_not_be_read(made: Bench, text: str) -> None:
    made.set()
    path(made).write_text(text)
    with pytest.raises(NetweatherError, match="broken-journal"):
        made.engine.clear(made.target, "default")
    assert made.engine.clear(made.target) == []
    assert made.kernel == FakeKernel()
    assert not path(made).parent.exists()


@pytest.mark.parametrize("text", BROKEN)
def test_clear_all_works_with_a_journal_that_can_not_be_read(made: Bench, text: str) -> None:
    made.set()
    path(made).write_text(text)
    assert [each.problem for each in LocalService(made.engine).clear()] == [None, None]
    assert made.kernel == FakeKernel()
    assert made.engine.journal.identities() == []


@pytest.mark.parametrize("text", BROKEN)
def test_recover_works_with_a_journal_that_can_not_be_read(made: Bench, text: str) -> None:
    made.set()
    path(made).write_text(text)
    found = recovery.sweep(made.engine, orphans=True)
    assert [each.taken for each in found] == [True, True]
    assert made.kernel == FakeKernel()
    assert made.engine.journal.identities() == []


@pytest.mark.parametrize("text", BROKEN)
def test_a_lease_ends_with_a_journal_that_can_not_be_read(made: Bench, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """What the kernel holds decides."""
    made.set(lease=Duration(10**9))
    path(made).write_text(text)
    assert made.engine.expire(made.target.identity, made.target.netns_fd)
    recovery.sweep(made.engine, orphans=False)
    assert made.kernel.in_force
    later = namespaces.boot_ns() + 2 * 10**9
    monkeypatch.setattr(namespaces, "boot_ns", lambda: later)
    assert not made.engine.expire(made.target.identity, made.target.netns_fd)
    assert made.kernel == FakeKernel()
    assert not path(made).parent.exists()


def test_the_next_command_ends_a_lease_whose_journal_can_not_be_read(made: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    made.set(lease=Duration(10**9))
    path(made).write_text("")
    later = namespaces.boot_ns() + 2 * 10**9
    monkeypatch.setattr(namespaces, "boot_ns", lambda: later)
    made.engine.sweep()
    assert made.kernel == FakeKernel()


@pytest.mark.parametrize("end", ["clear", "clear_all", "recover", "expire"])
def test_giving_back_needs_no_write(bench: Bench, monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    bench.set(lease=Duration(10**9))

    def refuse(*_: object) -> None:
        raise OSError(30, "planted: read-only file system")

    monkeypatch.setattr("netweather.journal.replace_text", refuse)
    monkeypatch.setattr("netweather.journal._overwrite", lambda *_: False)
    if end == "clear":
        assert bench.engine.clear(bench.target) == ["default"]
    elif end == "clear_all":
        assert [each.names for each in LocalService(bench.engine).clear()] == [("default",)]
    elif end == "recover":
        recovery.sweep(bench.engine, orphans=True)
    else:
        later = namespaces.boot_ns() + 2 * 10**9
        monkeypatch.setattr(namespaces, "boot_ns", lambda: later)
        assert not bench.engine.expire(bench.target.identity, bench.target.netns_fd)
    assert bench.kernel == FakeKernel()


def test_an_agent_that_can_not_write_takes_the_devices_at_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would read later that all is in force, and make it so."""
    bench.set()
    bench.engine.devices_later = True
    monkeypatch.setattr(Journal, "write", lambda *_: (_ for _ in ()).throw(NetweatherError("no-state", "", "", "")))
    assert bench.engine.clear(bench.target) == ["default"]
    assert bench.kernel == FakeKernel()


def test_what_is_kept_is_told_and_left_alone(made: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    made.set(name="slow")
    monkeypatch.setattr(keeper_process, "kept_by_another", lambda _: True)
    told = {each.target: (each.what, each.taken) for each in recovery.sweep(made.engine, orphans=True)}
    assert told["test"] == ("slow: in force, and kept by a living process", False)
    assert made.kernel.in_force


@pytest.fixture
def namespaces_seen(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> FakeKernel:
    """Another engine's view: three namespaces, of which the first can't be entered and the second can't be looked at."""
    status = os.fstat(bench.target.netns_fd)

    def every(skipped: dict[str, str]) -> Iterator[tuple[str, int, int, int]]:
        skipped["/run/netns/x"] = "it is not a network namespace"
        yield "refused", 9, 1, bench.target.netns_fd
        yield "vanished", 9, 2, bench.target.netns_fd
        yield "whole", status.st_dev, status.st_ino, bench.target.netns_fd

    monkeypatch.setattr(recovery, "every_namespace", every)
    monkeypatch.setattr(recovery, "pause", lambda _: None)
    return bench.kernel


def test_strays_go_on_after_what_can_not_be_looked_at(bench: Bench, namespaces_seen: FakeKernel, tmp_path: Path) -> None:
    bench.set()
    bench.kernel.pump = False
    refused = NetweatherError("cannot-enter-namespace", "it cannot be entered", "Operation not permitted", "")

    def open_kernel(fd: int, directory: Path, hook: str | None) -> FakeTarget:
        if directory.name == "9-1":
            raise refused
        if directory.name == "9-2":
            raise OSError(19, "No such device")
        return FakeTarget(bench.kernel)

    found = Engine(Settings(state=tmp_path / "other"), open_kernel).recover()
    assert {each.target: (each.what, each.taken) for each in found} == {
        "whole": ("devices and programs without a journal", True),
        "refused": ("skipped: it cannot be entered: Operation not permitted", False),
        "vanished": ("skipped: No such device", False),
        "/run/netns/x": ("skipped: it is not a network namespace", False),
    }
    assert bench.kernel == FakeKernel()


def test_the_newest_journal_is_told_by_its_version(bench: Bench) -> None:
    bench.set()
    document = json.loads(path(bench).read_text())
    path(bench).write_text(json.dumps({**document, "version": 99}))
    with pytest.raises(NetweatherError, match="broken-journal") as caught:
        bench.engine.set(bench.target, condition())
    assert "version 99" in caught.value.why
    assert "netweather clear" in caught.value.remedy


def test_show_of_all_names_a_journal_that_can_not_be_read(made: Bench) -> None:
    made.set(name="slow")
    assert [each.condition.name for each in made.engine.show()] == ["slow"]  # the one without a namespace was removed
    path(made).write_text("{")
    (shown,) = made.engine.show()
    assert not shown.in_force
    assert "cannot be read" in shown.problems[0]
    with pytest.raises(NetweatherError, match="broken-journal"):
        made.engine.show(made.target)
