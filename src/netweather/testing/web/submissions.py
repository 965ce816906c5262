"""What a web server was asked for, and what of it twice: whoever clicks "buy" again on a bad network should not buy again.

Read from copies of the server's packets (netweather.kernel.traffic.tcp_capture): neither the server nor who asks it is changed.
HTTP/1 without TLS.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import h11

from netweather.errors import NetweatherError
from netweather.kernel.namespaces import Namespace
from netweather.kernel.traffic.tcp_capture import TcpCapture

NOT_IDEMPOTENT = ("POST", "PATCH")
"""What is done twice when it is asked for twice (RFC 9110, 9.2.2)."""


@dataclass(frozen=True)
class Submission:
    """A request that the server has received whole. target: its path with the query, as it was sent."""

    method: str
    target: str
    body: bytes = b""


class Submissions:
    """A context manager: the requests that come to a port while it lasts, on connections that begin meanwhile.

    Leaving it raises NetweatherError(code="submissions-unseen") when something came that can't be read, TLS or HTTP/2 say: a count of
    the rest would be too small. Entering it needs root, and raises OSError without.
    """

    def __init__(self, namespace: Namespace, port: int = 80) -> None:
        self.port = port
        self.requests: list[Submission] = []
        """All of them, in the order in which they were complete."""
        self._arrivals = TcpCapture(namespace, port, self._received)
        self._parsers: dict[int, _Parser] = {}
        self._unread: set[str] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._arrivals.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._arrivals.__exit__()
        if self._arrivals.missed:
            self._unread.add(f"{self._arrivals.missed} packets came too fast")
        if self._unread and error is None:
            raise NetweatherError(
                "submissions-unseen",
                f"not every request to port {self.port} could be read",
                "; ".join(sorted(self._unread)),
                "only HTTP/1 without TLS can be read: count at the server, or behind the proxy that terminates TLS",
            )

    def count(self, method: str, target: str = "") -> int:
        """How many requests of this method came, to this path when one is given."""
        with self._lock:
            return sum(each.method == method and target in ("", each.target) for each in self.requests)

    def duplicates(self) -> dict[Submission, int]:
        """What the server received more than once and may have done more than once: same method, path and body; with how often."""
        with self._lock:
            counted = Counter(each for each in self.requests if each.method in NOT_IDEMPOTENT)
        return {each: times for each, times in counted.items() if times > 1}

    def _received(self, connection: int, data: bytes) -> None:
        parser = self._parsers.setdefault(connection, _Parser())
        try:
            found = parser.feed(data)
        except ValueError as error:
            self._unread.add(str(error))
            return
        with self._lock:
            self.requests += found


class _Parser:
    """The requests of one connection, as h11 reads them."""

    def __init__(self) -> None:
        self._connection = h11.Connection(h11.SERVER)
        self._request: Any = None
        self._body = bytearray()
        self._lost = False

    def feed(self, data: bytes) -> list[Submission]:
        """Raises ValueError, once, for what is no HTTP/1."""
        if self._lost:
            return []
        try:
            return self._requests(data)
        except h11.RemoteProtocolError as error:
            self._lost = True
            raise ValueError(f"no HTTP/1: {error}") from error

    def _requests(self, data: bytes) -> list[Submission]:
        found: list[Submission] = []
        while True:
            if data:
                self._connection.receive_data(data)
            event, data = self._connection.next_event(), b""
            if event is h11.NEED_DATA or event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                return found
            if isinstance(event, h11.Request):
                self._request = event
            elif isinstance(event, h11.Data):
                self._body += event.data
            elif isinstance(event, h11.EndOfMessage):
                found.append(Submission(self._request.method.decode(), self._request.target.decode(), bytes(self._body)))
                data = self._connection.trailing_data[0]
                self._connection, self._body = h11.Connection(h11.SERVER), bytearray()  # the answer is none of our business
