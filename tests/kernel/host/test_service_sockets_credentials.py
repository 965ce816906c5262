from __future__ import annotations

import os
import socket

from netweather.host import service_sockets


def test_the_peer_is_known() -> None:
    one, other = socket.socketpair()
    with one, other:
        found = service_sockets.of_peer(one)
    assert found is not None
    assert (found.pid, found.uid) == (os.getpid(), os.getuid())
    assert found.groups == {os.getgid(), *os.getgroups()}


def test_tcp_has_none() -> None:
    with socket.socket() as sock:
        assert service_sockets.of_peer(sock) is None


def test_names() -> None:
    assert service_sockets.user_name(0) == "root"
    assert service_sockets.user_name(4_000_000_000) == "4000000000"
    assert service_sockets.group_number("root") == 0
    assert service_sockets.group_number("nwt-none") is None


def test_a_user_as_of_now() -> None:
    found = service_sockets.of_user(0)
    assert found is not None
    assert (found.uid, 0 in found.groups) == (0, True)
    assert service_sockets.of_user(4_000_000_000) is None
