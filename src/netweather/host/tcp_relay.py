"""TCP from one namespace to a port of another, without a network between them: a way for control traffic that no condition meets.

The listening socket is made in one namespace, each connection to the other end in the other; one thread carries bytes between them.
Nothing is routed: a namespace keeps its addresses, routes, firewall and sysctls, and sees a client of its services.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Final, Self, TypeVar

from netweather.kernel.namespaces import Namespace

T = TypeVar("T")
CHUNK: Final = 1 << 16
PATIENCE_S: Final = 30.0
TcpAddress = tuple[str, int]
"""Address (a host name, too, where the caller's own namespace connects), and port."""


Lead = Callable[[bytes, bool], TcpAddress | None]
"""Given a connection's first bytes, and whether no more will come for now: where it leads; None: more bytes are needed to tell."""
FIRST_S: Final = 10.0
"""How long it may take to say them; one that waits to be spoken to is led by what it has said."""


class Relays:
    """One thread, and the connections that it carries. Started by `with`; its end hangs up everything."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="netweather-relays", daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self.loop).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    async def _end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def call(self, function: Callable[[], T]) -> T:
        """Runs a function in the thread, and returns its result. Raises what it raises."""

        async def work() -> T:
            return function()

        return asyncio.run_coroutine_threadsafe(work(), self.loop).result()

    def hold(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Runs a coroutine until it ends or all ends. Called in the thread."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def serve(self, listening: socket.socket, to: TcpAddress | Lead, connect_in: Namespace | None = None) -> Callable[[], None]:
        """Carries each connection that a socket takes. Returns what ends that, and closes the socket. Both are called in the thread."""
        listening.setblocking(False)
        self.loop.add_reader(listening, self._accept, listening, to, connect_in)

        def close() -> None:
            self.loop.remove_reader(listening)
            listening.close()

        return close

    def _accept(self, listening: socket.socket, to: TcpAddress | Lead, connect_in: Namespace | None) -> None:
        with contextlib.suppress(OSError):  # whoever came has gone again
            near, _ = listening.accept()
            near.setblocking(False)
            # Closed whatever becomes of the task, which may be cancelled before it begins.
            self.hold(_carry(near, to, connect_in)).add_done_callback(lambda _: near.close())


class Relay:
    """One listening socket in a thread of its own. at: where it listens; to: where it leads, or what tells that for each connection.

    listen_in, connect_in: the namespaces of the two ends (None: the caller's own). A context manager. Raises OSError.
    """

    def __init__(
        self,
        at: TcpAddress,
        to: TcpAddress | Lead,
        *,
        listen_in: Namespace | None = None,
        connect_in: Namespace | None = None,
    ) -> None:
        listening = _in(listen_in, lambda: socket.create_server(at, backlog=128))
        self.address: TcpAddress = listening.getsockname()[:2]
        self._relays = Relays().__enter__()
        self._close = self._relays.call(lambda: self._relays.serve(listening, to, connect_in))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hangs up everything."""
        self._relays.call(self._close)
        self._relays.__exit__()


def _in(namespace: Namespace | None, make: Callable[[], socket.socket]) -> socket.socket:
    return make() if namespace is None else namespace.run(make)


async def _carry(near: socket.socket, to: TcpAddress | Lead, connect_in: Namespace | None) -> None:
    """Both directions of a connection, with their ends; what the other end refuses or resets is reset."""
    try:
        near_in, near_out = await asyncio.open_connection(sock=near, limit=CHUNK)
    except OSError:
        return
    with _aborting(near_out):
        try:
            place, words = await _led(near_in, to) if callable(to) else (to, b"")
            async with asyncio.timeout(PATIENCE_S):
                far_in, far_out = await _connected(place, connect_in)
        except OSError:  # TimeoutError is one
            _reset(near_out)
            return
        with _aborting(far_out):
            far_out.write(words)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(_pour(near_in, far_out))
                    group.create_task(_pour(far_in, near_out))
            except* OSError:
                _reset(near_out)
                _reset(far_out)


async def _led(near: asyncio.StreamReader, lead: Lead) -> tuple[TcpAddress, bytes]:
    """Where it leads, and what was read for that. Raises OSError."""
    words, last = b"", False
    while (place := lead(words, last)) is None:
        if last:
            raise ConnectionError("its destination is unknown")
        more = b""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_S):
                more = await near.read(CHUNK)
        words, last = words + more, not more
    return place, words


async def _connected(to: TcpAddress, connect_in: Namespace | None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if connect_in is None:
        return await asyncio.open_connection(*to, limit=CHUNK)
    family = socket.AF_INET6 if ":" in to[0] else socket.AF_INET
    made = connect_in.run(lambda: socket.socket(family, socket.SOCK_STREAM))
    try:
        made.setblocking(False)
        await asyncio.get_running_loop().sock_connect(made, to)
        return await asyncio.open_connection(sock=made, limit=CHUNK)
    except BaseException:
        made.close()
        raise


@contextlib.contextmanager
def _aborting(writer: asyncio.StreamWriter) -> Iterator[None]:
    """Whatever ends the block, also the end of the relays, ends the connection."""
    try:
        yield
    finally:
        writer.transport.abort()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Ends a connection as one that was refused or broken ends, and not as one at its end."""
    with contextlib.suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _pour(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Until the end, which is passed on. Raises OSError when either side is reset."""
    sink.transport.set_write_buffer_limits(0)  # drained is: the kernel has it all, and aborting later loses nothing
    while chunk := await source.read(CHUNK):
        sink.write(chunk)
        await sink.drain()
    sink.write_eof()
