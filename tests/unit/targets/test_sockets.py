from __future__ import annotations

import socket
from ipaddress import ip_address
from pathlib import Path

import pytest

from netweather.targets import _sockets


def test_the_resolver_is_asked_for_all_families(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = ["2001:db8::1", "192.0.2.1", "::ffff:192.0.2.2", "fe80::1%eth0", "192.0.2.1"]
    asked: list[tuple[object, ...]] = []

    def fake(*arguments: object, **_: object) -> list[tuple[object, ...]]:
        asked.append(arguments)
        return [(0, 0, 0, "", (answer, 0)) for answer in answers]

    monkeypatch.setattr(socket, "getaddrinfo", fake)
    expected = ["2001:db8::1", "192.0.2.1", "192.0.2.2", "fe80::1"]
    assert _sockets.look_up("db.example.org") == [ip_address(text) for text in expected]
    assert asked == [("db.example.org", None)]


def test_a_stream_that_cannot_be_made_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        _sockets.unix_stream(f"{tmp_path}/none", 1)


def test_a_stream_has_the_timeout(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{tmp_path}/s")
        server.listen()
        with _sockets.unix_stream(f"{tmp_path}/s", 1.5) as stream:
            assert stream.gettimeout() == 1.5
