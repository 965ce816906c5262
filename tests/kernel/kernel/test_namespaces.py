from __future__ import annotations

import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from netweather.errors import NetweatherError
from netweather.kernel import namespaces
from netweather.kernel.netlink import links


def test_the_caller_stays_where_it_was(make_lab: Any) -> None:
    with make_lab() as net, namespaces.opened(net.client.path) as inside:
        before = os.stat("/proc/self/ns/net").st_ino
        there = inside.run(lambda: os.stat("/proc/thread-self/ns/net").st_ino)
        assert there == inside.identity[1] != before
        assert os.stat("/proc/thread-self/ns/net").st_ino == before
        assert inside.run(lambda: inside.run(lambda: 5)) == 5


def test_a_namespace_is_kept_by_its_mount_and_gone_without(tmp_path: Path) -> None:
    path = tmp_path / "ns"
    namespaces.make(path)
    try:
        assert namespaces.is_mounted(path)
        with namespaces.opened(path) as made:
            assert made.run(lambda: [name for _, name in socket.if_nameindex()]) == ["lo"]
    finally:
        namespaces.remove(path)
    assert not path.exists()
    assert not namespaces.is_mounted(path)
    namespaces.remove(path)


def test_a_file_on_another_device_than_its_folder_is_no_namespace(tmp_path: Path) -> None:
    """As on an overlay of two file systems: unmounting it fails."""
    path = tmp_path / "ns"
    path.symlink_to("/proc/self/comm")
    assert path.stat().st_dev != tmp_path.stat().st_dev
    assert not namespaces.is_mounted(path)
    namespaces.remove(path)
    assert not path.is_symlink()


def test_sysfs_shows_the_namespace_s_own_devices(make_lab: Any) -> None:
    with make_lab() as net, namespaces.opened(net.client.path) as inside:
        seen = inside.run(lambda: {p.name for p in (inside.mount_sysfs() / "class/net").iterdir()})
        assert seen == inside.run(links.names)


def test_a_file_that_is_no_namespace_is_told(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with namespaces.opened(file) as wrong, pytest.raises(NetweatherError, match="cannot-enter-namespace"):
        wrong.run(lambda: None)


def test_a_cookie_is_of_one_namespace_and_never_given_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[int, int] = {}
    for number in range(30):
        path = tmp_path / f"ns{number}"
        namespaces.make(path)
        with namespaces.opened(path) as one, namespaces.opened(path) as same:
            assert one.cookie == same.cookie != 0
            assert one.cookie not in seen
            seen[one.cookie] = one.identity[1]
        namespaces.remove(path)
    monkeypatch.setattr(namespaces, "_NS_GET_ID", 0)  # as before Linux 6.18
    with namespaces.opened(Path("/proc/self/ns/net")) as own:
        assert namespaces.quick_cookie(own.fd) == 0
        assert own.cookie == own.cookie != 0


def test_what_raises_inside_is_raised_here_and_the_next_call_works(make_lab: Any) -> None:
    def fail() -> None:
        raise KeyError("inside")

    with make_lab() as net, namespaces.opened(net.client.path) as inside:
        with pytest.raises(KeyError, match="inside"):
            inside.run(fail)
        assert inside.run(lambda: inside.run(lambda: 7)) == 7  # from its own thread, too


def test_threads_that_call_at_once_get_their_own_results(make_lab: Any) -> None:
    with make_lab() as net, namespaces.opened(net.client.path) as inside, ThreadPoolExecutor(8) as callers:
        assert list(callers.map(lambda number: inside.run(lambda: number), range(200))) == list(range(200))


def test_a_closed_one_runs_nothing_where_the_caller_is(make_lab: Any) -> None:
    """A thread that is made later may have the number of the one that had entered."""
    with make_lab() as net, namespaces.opened(net.client.path) as inside:
        assert inside.run(lambda: True)
    refused: list[BaseException | None] = []

    def enter() -> None:
        try:
            inside.run(lambda: True)
        except NetweatherError as error:
            refused.append(error)

    for _ in range(20):
        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
    assert len(refused) == 20
    with pytest.raises(NetweatherError):
        inside.run(lambda: True)
