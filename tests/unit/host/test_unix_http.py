"""Requests over a Unix socket: what is sent, which answers are taken, and which connections are used again."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from netweather.host.unix_http import UnixHttp

GOOD = b"HTTP/1.1 200 OK\r\nServer: x\r\ncontent-length: 2\r\n\r\n{}"


class Server:
    """Answers each request with the next of its answers. An answer in capitals CLOSE closes the connection."""

    def __init__(self, path: Path) -> None:
        self.answers: list[bytes] = []
        self.heard: list[bytes] = []
        self.connections = 0
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        self.socket.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                channel, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            with channel:
                while (heard := channel.recv(65536)) and (answer := self.answers.pop(0)):
                    self.heard.append(heard)
                    channel.sendall(answer.removesuffix(b"CLOSE"))
                    if answer.endswith(b"CLOSE"):
                        break


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path / "a.sock")
    with closing(made.socket):
        yield made
        made.socket.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def http(server: Server, tmp_path: Path) -> Iterator[UnixHttp]:
    with closing(UnixHttp(tmp_path / "a.sock")) as made:
        yield made


def test_what_is_sent_and_what_comes_back(server: Server, http: UnixHttp) -> None:
    server.answers = [GOOD, GOOD]
    assert http.request("GET", "/v1/health?a=b", None, 5) == (200, b"{}")
    assert http.request("PUT", "/v1/x", b"[1]", 5) == (200, b"{}")
    first, second = server.heard
    assert first == b"GET /v1/health?a=b HTTP/1.1\r\nHost: agent\r\nAccept: application/json\r\n\r\n"
    assert second.endswith(b"Content-Type: application/json\r\nContent-Length: 3\r\n\r\n[1]")
    assert server.connections == 1


def test_the_connection_that_was_opened_before_is_used(server: Server, http: UnixHttp) -> None:
    server.answers = [GOOD]
    http.connect()
    http.request("GET", "/", None, 5)
    assert server.connections == 1


@pytest.mark.parametrize("answer", [GOOD + b"CLOSE", GOOD.replace(b"Server: x", b"Connection: close")])
def test_a_connection_that_was_closed_is_not_used_again(server: Server, http: UnixHttp, answer: bytes) -> None:
    server.answers = [answer, GOOD]
    http.request("GET", "/", None, 5)
    if b"Connection" in answer:
        assert http._idle == []
    else:
        _until_closed(http)
    assert http.request("GET", "/", None, 5) == (200, b"{}")
    assert server.connections == 2


def _until_closed(http: UnixHttp) -> None:
    (idle,) = http._idle
    idle.settimeout(5)
    assert idle.recv(1, socket.MSG_PEEK) == b""


@pytest.mark.parametrize(
    "answer",
    [
        b"CLOSE",
        b"SSH-2.0-x\r\nCLOSE",
        b"HTTP/1.1 okay\r\n\r\nCLOSE",
        b"HTTP/1.1 200 OK\r\n\r\n{}CLOSE",
        GOOD[:-1] + b"CLOSE",
        GOOD.replace(b"content-length: 2", b"Transfer-Encoding: chunked") + b"CLOSE",
    ],
)
def test_what_is_no_whole_answer(server: Server, http: UnixHttp, answer: bytes) -> None:
    server.answers = [answer]
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(ConnectionError):
        http.request("GET", "/", None, 5)
    assert (http._idle, len(os.listdir("/proc/self/fd")) <= before + 1) == ([], True)  # the server may still close its end


def test_patience_ends(server: Server, http: UnixHttp) -> None:
    server.answers = [GOOD[:10]]
    with pytest.raises(TimeoutError):
        http.request("GET", "/", None, 0.05)


@pytest.mark.parametrize("bound", [False, True])
def test_nobody_listens(tmp_path: Path, bound: bool) -> None:
    path = tmp_path / "b.sock"
    with socket.socket(socket.AF_UNIX) as left:
        if bound:
            left.bind(str(path))
        before = len(os.listdir("/proc/self/fd"))
        with pytest.raises(OSError):  # noqa: PT011 - which one is the kernel's affair
            UnixHttp(path).connect()
        assert len(os.listdir("/proc/self/fd")) == before
