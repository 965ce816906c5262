"""TCP from one namespace to a port of another, without a network between them: a way for control traffic that no condition meets.

The listening socket is made in one namespace, each connection to the other end in the other; bytes are carried between them.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Self

from netweather.kernel.namespaces import Namespace

BLOCK = 1 << 16
PATIENCE_S = 30.0


Place = tuple[str, int]
"""Address or host name, and port."""


Lead = Callable[[bytes, bool], Place | None]
"""Given a connection's first bytes, and whether no more will come for now: where it leads; None: more bytes are needed to tell."""
FIRST_S = 10.0
"""How long it may take to say them; one that waits to be spoken to is led by what it has said."""


class Relay:
    """A context manager. at: where it listens; to: where it leads, or what tells that for each connection by its first bytes.

    listen_in, connect_in: the namespaces of the two ends (None: the caller's own). Raises OSError.
    """

    def __init__(
        self,
        at: Place,
        to: Place | Lead,
        *,
        listen_in: Namespace | None = None,
        connect_in: Namespace | None = None,
    ) -> None:
        self._to, self._connect_in = to, connect_in
        self._listener = _in(listen_in, lambda: socket.create_server(at, backlog=128))
        self.address: Place = self._listener.getsockname()[:2]
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._accepting = threading.Thread(target=self._accept, name="relay", daemon=True)
        self._accepting.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hangs up everything."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()
        with self._lock:
            for one in self._open:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:  # closed
                return
            threading.Thread(target=self._serve, args=(near,), name="relay-connection", daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        try:
            to = _led(near, self._to) if callable(self._to) else self._to
            far = _in(self._connect_in, lambda: socket.create_connection(to, PATIENCE_S))
        except OSError:
            near.close()
            return
        near.settimeout(None)
        far.settimeout(None)
        with self._lock:
            self._open |= {near, far}
        back = threading.Thread(target=_carry, args=(far, near), name="relay-back", daemon=True)
        back.start()
        _carry(near, far)
        back.join()
        with self._lock:
            self._open -= {near, far}
        near.close()
        far.close()


def _in(namespace: Namespace | None, make: Callable[[], socket.socket]) -> socket.socket:
    return make() if namespace is None else namespace.run(make)


def _led(near: socket.socket, lead: Lead) -> Place:
    """Where it leads. What was read for that is still there to be read. Raises OSError."""
    near.settimeout(FIRST_S)
    words, last = b"", False
    while (place := lead(words, last)) is None:
        if last:
            raise ConnectionError("nothing tells where it leads")
        near.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, len(words) + 1)
        try:
            found = near.recv(BLOCK, socket.MSG_PEEK)
        except TimeoutError:
            found = words
        words, last = found, len(found) == len(words)
    near.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
    return place


def _carry(source: socket.socket, sink: socket.socket) -> None:
    """Until the source ends; its end is told to the sink, whose own answer may go on."""
    with contextlib.suppress(OSError):
        source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while block := source.recv(BLOCK):
            sink.sendall(block)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
