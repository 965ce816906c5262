"""Carries connections and datagrams from sockets in one namespace to services in this process's own; nothing is routed.

The host keeps its addresses, routes, firewall and sysctls as they are: all it sees is a client of its services. Dies with the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from typing import Any, Final

from netweather.kernel import listeners
from netweather.kernel.listeners import Service
from netweather.kernel.namespaces import Namespace

LOOK_S: Final = 0.2
"""How often new services of the host are looked for."""
CHUNK: Final = 1 << 16
IDLE_S: Final = 60.0
"""After this long without a datagram an exchange by UDP is over."""
PATIENCE_S: Final = 30.0
Place = tuple[str, str, int]
"""Kind (tcp, udp), address and port."""


class Forwarder:
    """Serves addresses in a namespace: each port on which the host serves something, as long as it does; and fixed ways.

    fixed: for (kind, address, port) there, the service that is meant. changed: is told what is served from now on, or no more (False).
    Started by `with`; the first look is over then.
    """

    def __init__(
        self,
        inside: Namespace,
        addresses: Sequence[str],
        fixed: dict[Place, Service],
        changed: Callable[[Place, bool], None] = lambda place, served: None,
    ) -> None:
        self.inside, self.addresses, self.fixed, self.changed = inside, tuple(addresses), fixed, changed
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="netweather-forwarding", daemon=True)
        self._serving: dict[Place, Callable[[], None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Forwarder:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._begin(), self._loop).result()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _begin(self) -> None:
        self._look()
        self._hold(self._keep_looking())

    async def _end(self) -> None:
        for close in self._serving.values():
            close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _hold(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            self._look()

    def _look(self) -> None:
        """What the host serves now is served, what it has ended is not."""
        wanted = dict(self.fixed)
        for (kind, port), service in listeners.services().items():
            for address in self.addresses:
                wanted.setdefault((kind, address, port), service)
        for gone in self._serving.keys() - wanted.keys():
            self._serving.pop(gone)()
            self.changed(gone, False)
        for place in wanted.keys() - self._serving.keys():
            with contextlib.suppress(OSError):  # tried again at the next look
                self._serving[place] = self._serve(place, wanted[place])
                self.changed(place, True)

    def _serve(self, place: Place, service: Service) -> Callable[[], None]:
        kind, address, port = place
        bound = self.inside.run(lambda: _bound(kind, address, port))
        if kind == "tcp":
            self._loop.add_reader(bound, self._accept, bound, service)

            def close() -> None:
                self._loop.remove_reader(bound)
                bound.close()

            return close
        exchanges = Exchanges(bound, service, self._loop)
        return exchanges.close

    def _accept(self, listening: socket.socket, service: Service) -> None:
        with contextlib.suppress(OSError):  # whoever came has gone again
            near, _ = listening.accept()
            near.setblocking(False)
            # Closed whatever becomes of the task, which may be cancelled before it begins.
            self._hold(_carry(near, service)).add_done_callback(lambda _: near.close())


def _bound(kind: str, address: str, port: int) -> socket.socket:
    """A socket of the calling thread's namespace."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((address, port))
        if kind == "tcp":
            made.listen(512)
        made.setblocking(False)
    except OSError:
        made.close()
        raise
    return made


async def _carry(near: socket.socket, service: Service) -> None:
    """Both directions of a connection, with their ends; what the host refuses is reset."""
    try:
        near_in, near_out = await asyncio.open_connection(sock=near, limit=CHUNK)
    except OSError:
        return
    with _aborting(near_out):
        try:
            async with asyncio.timeout(PATIENCE_S):
                far_in, far_out = await asyncio.open_connection(service.address, service.port, limit=CHUNK)
        except OSError:  # TimeoutError is one
            _reset(near_out)
            return
        with _aborting(far_out):
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(_pour(near_in, far_out))
                    group.create_task(_pour(far_in, near_out))
            except* OSError:
                _reset(near_out)
                _reset(far_out)


@contextlib.contextmanager
def _aborting(writer: asyncio.StreamWriter) -> Iterator[None]:
    """Whatever ends the block, also the end of the forwarder, ends the connection."""
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


class Exchanges:
    """Datagrams to one service: for each of its clients a socket of its own, so that answers find back."""

    def __init__(self, bound: socket.socket, service: Service, loop: asyncio.AbstractEventLoop) -> None:
        self.bound, self.service, self.loop = bound, service, loop
        self._clients: dict[tuple[str, int], tuple[socket.socket, float]] = {}
        loop.add_reader(bound, self._from_clients)

    def close(self) -> None:
        self.loop.remove_reader(self.bound)
        self.bound.close()
        self._drop(list(self._clients))

    def _drop(self, clients: Iterable[tuple[str, int]]) -> None:
        for client in clients:
            far, _ = self._clients.pop(client)
            self.loop.remove_reader(far)
            far.close()

    def _from_clients(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                data, client = self.bound.recvfrom(CHUNK)
                far = self._far(client)
                with contextlib.suppress(OSError):
                    far.send(data)

    def _far(self, client: tuple[str, int]) -> socket.socket:
        now = time.monotonic()
        if client in self._clients:
            far = self._clients[client][0]
        else:
            self._drop([each for each, (_, last) in self._clients.items() if now - last > IDLE_S])
            far = socket.socket(socket.AF_INET6 if ":" in self.service.address else socket.AF_INET, socket.SOCK_DGRAM)
            far.setblocking(False)
            far.connect((self.service.address, self.service.port))
            self.loop.add_reader(far, self._to_client, far, client)
        self._clients[client] = (far, now)
        return far

    def _to_client(self, far: socket.socket, client: tuple[str, int]) -> None:
        with contextlib.suppress(OSError):
            while True:
                self.bound.sendto(far.recv(CHUNK), client)
