from __future__ import annotations

import os
import resource
import socket
from pathlib import Path

import pytest

from netweather.errors import NetweatherError
from netweather.host import service_sockets
from tests.support.daemons import listens


def test_a_unix_socket_that_only_root_may_use(tmp_path: Path) -> None:
    path = tmp_path / "run" / "agent.sock"
    assert not listens(path)
    with service_sockets.unix(path, None):
        assert path.stat().st_mode & 0o777 == 0o600
        assert listens(path)
    assert not path.exists()


def test_and_the_members_of_a_group(tmp_path: Path) -> None:
    with service_sockets.unix(tmp_path / "agent.sock", 4242):
        status = (tmp_path / "agent.sock").stat()
        assert (status.st_gid, status.st_mode & 0o777) == (4242, 0o660)


def test_one_listens_at_a_time_and_a_dead_ones_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "agent.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with service_sockets.unix(path, None):
        with pytest.raises(NetweatherError) as wrong, service_sockets.unix(path, None):
            pass
        assert wrong.value.code == "agent-running"
        assert listens(path)


def test_a_socket_in_its_own_folder_takes_the_folder_with_it(tmp_path: Path) -> None:
    path = tmp_path / "plugins" / "x" / "x.sock"
    for _ in range(2):
        with service_sockets.unix_in_own_folder(path):
            assert (path.parent.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (0o700, 0o600)
            assert listens(path)
        assert list((tmp_path / "plugins").iterdir()) == []
        path.parent.mkdir(mode=0o755)
        with socket.socket(socket.AF_UNIX) as dead:  # what a killed one leaves
            dead.bind(str(path))


@pytest.mark.parametrize("name", ["x.sock", "precious"])
def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    tmp_path.chmod(0o755)
    with pytest.raises(NetweatherError) as wrong, service_sockets.unix_in_own_folder(tmp_path / "x.sock"):
        pass
    assert wrong.value.code == "cannot-listen"
    assert ((tmp_path / name).read_text(), tmp_path.stat().st_mode & 0o777) == ("mine", 0o755)


def test_a_path_that_is_too_long_is_told_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 100) / "x.sock"
    with pytest.raises(NetweatherError) as wrong, service_sockets.unix_in_own_folder(path):
        pass
    assert (wrong.value.code, wrong.value.why) == ("cannot-listen", "AF_UNIX path too long")
    assert list(tmp_path.iterdir()) == []


def test_only_one_at_a_time(tmp_path: Path) -> None:
    running = NetweatherError("plugin-running", "it runs")
    with service_sockets.only_one(tmp_path / "lock", running):
        with pytest.raises(NetweatherError) as wrong, service_sockets.only_one(tmp_path / "lock", running):
            pass
        assert wrong.value is running
    with service_sockets.only_one(tmp_path / "lock", running):
        pass


def test_tcp() -> None:
    with service_sockets.tcp("127.0.0.1", 0) as listener:
        with socket.create_connection(listener.getsockname()[:2]):
            pass
        with pytest.raises(NetweatherError) as wrong, service_sockets.tcp(*listener.getsockname()[:2]):
            pass
    assert wrong.value.code == "cannot-listen"
    with pytest.raises(NetweatherError), service_sockets.tcp("nowhere.invalid", 1):
        pass


def test_the_manager_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        service_sockets.tell_manager("READY=1")
        assert manager.recv(100) == b"READY=1"
    monkeypatch.setenv("NOTIFY_SOCKET", "")
    service_sockets.tell_manager("READY=1")


def test_files() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        assert service_sockets.as_many_files_as_possible() == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert os.getpid()
