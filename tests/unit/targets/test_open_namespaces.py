from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from netweather.errors import NetweatherError
from netweather.targets import _open_namespaces

Refused = Callable[[Callable[[], object]], NetweatherError]
OWN = os.stat("/proc/self/ns/net")


def test_a_process_gives_its_namespace_name_and_groups() -> None:
    with _open_namespaces.ProcessEntry(os.getpid()) as process:
        fd = process.open_network()
        name, groups = process.command(), process.control_groups()
    with _open_namespaces.held_target(fd, "pid:1", "x", "pid", pid=1) as target:
        assert (target.dev, target.ino) == (OWN.st_dev, OWN.st_ino)
        assert not os.get_inheritable(fd)
    assert name
    assert groups == Path("/proc/self/cgroup").read_text()


def test_a_process_that_exits_meanwhile_is_gone_even_if_its_number_comes_back(refused: Refused) -> None:
    child = subprocess.Popen(["sleep", "60"])
    with _open_namespaces.ProcessEntry(child.pid) as process:
        child.kill()
        child.wait()
        error = refused(process.open_network)
        assert process.command() == "?"
        assert process.control_groups() == ""
    assert error.code == "unknown-target"
    assert str(child.pid) in error.what


def test_a_zombie_has_no_network(refused: Refused) -> None:
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    try:
        with _open_namespaces.ProcessEntry(child.pid) as process:
            assert refused(process.open_network).code == "unknown-target"
        assert _open_namespaces.process_identity(child.pid) is None
    finally:
        child.wait()


@pytest.mark.parametrize("pid", [4194305, 9999999999])
def test_there_is_no_such_process(pid: int, refused: Refused) -> None:
    assert refused(lambda: _open_namespaces.ProcessEntry(pid)).code == "unknown-target"


def test_terminal_escapes_in_a_process_name_are_not_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_open_namespaces.ProcessEntry, "_read", lambda self, name: "a\x1b[31mb\n")
    with _open_namespaces.ProcessEntry(os.getpid()) as process:
        assert process.command() == "a?[31mb"


def test_a_file_that_stands_for_a_namespace_opens() -> None:
    fd = _open_namespaces.open_path("/proc/self/ns/net")
    try:
        assert _open_namespaces.identity_of(fd) == (OWN.st_dev, OWN.st_ino)
    finally:
        os.close(fd)


def test_other_files_are_refused(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "stale").touch()
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "stale", tmp_path / "fifo", tmp_path, Path("/proc/self/ns/mnt"), tmp_path / "stale" / "below"):
        assert refused(partial(_open_namespaces.open_path, str(path))).code == "not-a-namespace"
    assert refused(lambda: _open_namespaces.open_path(f"{tmp_path}/nothing")).code == "unknown-target"


def test_what_the_kernel_forbids_needs_root(monkeypatch: pytest.MonkeyPatch, refused: Refused) -> None:
    def deny(*_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied")

    with _open_namespaces.ProcessEntry(os.getpid()) as process:
        monkeypatch.setattr(os, "open", deny)
        of_process, of_path = refused(process.open_network), refused(lambda: _open_namespaces.open_path("/proc/1/ns/net"))
        monkeypatch.undo()
    assert {of_process.code, of_path.code} == {"needs-root"}
    assert of_path.why == "Permission denied"


def test_our_own_namespace_is_refused_and_the_host_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (OWN.st_dev, OWN.st_ino) in _open_namespaces.host_identities()
    places = {_open_namespaces.OWN_PATH: (4, 1), _open_namespaces.HOST_PATH: (4, 2)}
    monkeypatch.setattr(_open_namespaces, "identity_of", places.get)
    reasons = _open_namespaces.host_identities()
    assert "netweather itself" in reasons[4, 1][0]
    assert "write host" in reasons[4, 2][1]
    places[_open_namespaces.OWN_PATH] = (4, 2)
    assert "the host's own" in _open_namespaces.host_identities()[4, 2][0]


def test_where_process_1_may_not_be_looked_at_a_kernel_thread_stands_for_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_open_namespaces, "identity_of", lambda path: None)
    monkeypatch.setattr(_open_namespaces, "_is_kernel_thread", lambda pid: True)
    assert _open_namespaces.host_path() == "/proc/2/ns/net"
    monkeypatch.setattr(_open_namespaces, "_is_kernel_thread", lambda pid: False)
    assert _open_namespaces.host_path() == "/proc/1/ns/net"
    monkeypatch.undo()
    assert not _open_namespaces._is_kernel_thread(os.getpid())
    assert not _open_namespaces._is_kernel_thread(4194305)
