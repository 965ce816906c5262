"""Serves a namespace with the services of this process's own: TCP by relays, and datagrams; each port for as long as it is served here.

Dies with the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from netweather.host import local_services
from netweather.host.local_services import HostService
from netweather.host.tcp_relay import CHUNK, Relays
from netweather.kernel.namespaces import Namespace

LOOK_S: Final = 0.2
"""How often new services of the host are looked for."""
IDLE_S: Final = 60.0
"""After this long without a datagram an exchange by UDP is over."""
SocketAddress = tuple[str, str, int]
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
        fixed: dict[SocketAddress, HostService],
        changed: Callable[[SocketAddress, bool], None] = lambda place, served: None,
    ) -> None:
        self.inside, self.addresses, self.fixed, self.changed = inside, tuple(addresses), fixed, changed
        self._relays = Relays()
        self._serving: dict[SocketAddress, Callable[[], None]] = {}

    def __enter__(self) -> Forwarder:
        self._relays.__enter__()
        self._relays.call(self._begin)
        return self

    def __exit__(self, *_: object) -> None:
        self._relays.call(self._end)
        self._relays.__exit__()

    def _begin(self) -> None:
        self._look()
        self._relays.hold(self._keep_looking())

    def _end(self) -> None:
        for close in self._serving.values():
            close()

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            self._look()

    def _look(self) -> None:
        """What the host serves now is served, what it has ended is not."""
        wanted = dict(self.fixed)
        for (kind, port), service in local_services.services().items():
            for address in self.addresses:
                wanted.setdefault((kind, address, port), service)
        for gone in self._serving.keys() - wanted.keys():
            self._serving.pop(gone)()
            self.changed(gone, False)
        for place in wanted.keys() - self._serving.keys():
            with contextlib.suppress(OSError):  # tried again at the next look
                self._serving[place] = self._serve(place, wanted[place])
                self.changed(place, True)

    def _serve(self, place: SocketAddress, service: HostService) -> Callable[[], None]:
        kind, address, port = place
        if kind == "tcp":
            listening = self.inside.run(lambda: socket.create_server((address, port), backlog=512))
            return self._relays.serve(listening, (service.address, service.port))
        return Exchanges(self.inside.run(lambda: _bound(address, port)), service, self._relays.loop).close


def _bound(address: str, port: int) -> socket.socket:
    """A socket for datagrams in the calling thread's namespace."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((address, port))
        made.setblocking(False)
    except OSError:
        made.close()
        raise
    return made


class Exchanges:
    """Datagrams to one service: for each of its clients a socket of its own, so that answers find back."""

    def __init__(self, bound: socket.socket, service: HostService, loop: asyncio.AbstractEventLoop) -> None:
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
