from __future__ import annotations

import os
import socket

from netweather.kernel import credentials


def test_the_peer_is_known() -> None:
    one, other = socket.socketpair()
    with one, other:
        found = credentials.of_peer(one)
    assert found is not None
    assert (found.pid, found.uid) == (os.getpid(), os.getuid())
    assert found.groups == {os.getgid(), *os.getgroups()}


def test_tcp_has_none() -> None:
    with socket.socket() as sock:
        assert credentials.of_peer(sock) is None


def test_names() -> None:
    assert credentials.user_name(0) == "root"
    assert credentials.user_name(4_000_000_000) == "4000000000"
    assert credentials.group_number("root") == 0
    assert credentials.group_number("nwt-none") is None


def test_a_user_as_of_now() -> None:
    found = credentials.of_user(0)
    assert found is not None
    assert (found.uid, 0 in found.groups) == (0, True)
    assert credentials.of_user(4_000_000_000) is None
