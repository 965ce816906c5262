"""Requests to a server on a Unix socket by HTTP/1.1, without a library: importing one takes longer than a whole request.

Not here: what is asked and what answers mean (client), other ways to a server (client.https).
"""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

_LINE: Final = 65_536
_HEADERS: Final = 100


class UnixHttp:
    """A server's Unix socket. Connections stay open for further requests; several threads may use it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._idle: list[socket.socket] = []

    def connect(self) -> None:
        """Opens the connection that the next request takes. Raises OSError when no server listens, or this process may not ask it."""
        self._idle.append(self._opened())

    def request(self, method: str, target: str, body: bytes | None, patience_s: float) -> tuple[int, bytes]:
        """Sends a request. Returns the answer's status and body. Raises OSError, also for an answer that is cut off or not HTTP.

        target: path and query. body: JSON, or None. patience_s: for each part of the answer.
        """
        channel = self._take() or self._opened()
        try:
            channel.settimeout(patience_s)
            channel.sendall(_head(method, target, body) + (body or b""))
            with channel.makefile("rb") as stream:
                status, content, stays = _answer(stream)
        except BaseException:
            channel.close()
            raise
        if stays:
            self._idle.append(channel)
        else:
            channel.close()
        return status, content

    def close(self) -> None:
        """Closes the connections."""
        while self._idle:
            self._idle.pop().close()

    def _opened(self) -> socket.socket:
        channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            channel.connect(str(self.path))
        except BaseException:
            channel.close()
            raise
        return channel

    def _take(self) -> socket.socket | None:
        """An idle connection that the server has not closed meanwhile."""
        with suppress(IndexError):
            while True:
                channel = self._idle.pop()
                channel.setblocking(False)
                try:
                    channel.recv(1, socket.MSG_PEEK)
                except BlockingIOError:
                    return channel
                except OSError:
                    pass
                channel.close()
        return None


def _head(method: str, target: str, body: bytes | None) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: agent", "Accept: application/json"]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode("ascii")


def _answer(stream: BinaryIO) -> tuple[int, bytes, bool]:
    """Status, body, and whether the connection stays open. Raises ConnectionError."""
    version, _, rest = stream.readline(_LINE).partition(b" ")
    status = rest[:3]
    if version != b"HTTP/1.1" or not status.isdigit():
        raise ConnectionError("the answer is not HTTP/1.1" if version else "the connection was closed without an answer")
    headers: dict[bytes, bytes] = {}
    for _ in range(_HEADERS):
        name, _, value = stream.readline(_LINE).partition(b":")
        if not value:
            break
        headers[name.lower()] = value.strip()
    length = headers.get(b"content-length", b"")
    if not length.isdigit():
        raise ConnectionError("the answer has no length")
    body = stream.read(int(length))
    if len(body) != int(length):
        raise ConnectionError("the answer was cut off")
    return int(status), body, headers.get(b"connection", b"").lower() != b"close"
