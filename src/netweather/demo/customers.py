"""The demo's customers: browsers that keep connections open, wait for a checkout for some time, and then repeat the request once.

The repeated request is the same, with the same Idempotency-Key and twice the patience, as fetch wrappers and mobile apps send it.
A browser that gives up closes that connection. All sockets are in the client's namespace, all threads in the demo's process.
"""

from __future__ import annotations

import contextlib
import json
import select
import selectors
import socket  # noqa: TID251 - it plays the application, and opens its sockets on a lab's host
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from queue import SimpleQueue
from typing import Any

from netweather.demo import shop
from netweather.testing.labs.lab_hosts import Host

CONNECTIONS, FEW = 6, 2
"""Of a visitor's browser, as most browsers have them; of a customer who only buys."""
PATIENCE_S = (1.5, 3.0)
"""How long the first request of a checkout may take, and its repetition."""
LIMIT_S = 30.0


@dataclass(eq=False)
class Record:
    """One TCP connection: the networks on which it carried requests, and why it ended ("time-out", "broken"; None: it is open)."""

    networks: set[str] = field(default_factory=set)
    closed: str | None = None


class Connection(HTTPConnection):
    """A kept-open connection from a host of the lab; it reconnects when it was closed. records: one for each connect."""

    def __init__(self, host: Host, address: str, port: int, records: list[Record]) -> None:
        super().__init__(address, port, timeout=LIMIT_S)
        self._client, self._records = host, records
        self.record = Record()

    def connect(self) -> None:
        self.sock = self._client.call(socket.socket)
        self.sock.settimeout(self.timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.record = Record()
        self._records.append(self.record)
        self.sock.connect((self.host, self.port))

    def fetch(self, network: str, method: str, path: str, patience_s: float = LIMIT_S, **more: Any) -> bytes:
        """One request. Raises TimeoutError and ConnectionError; the connection is closed then."""
        self.timeout = patience_s
        if self.sock is not None:
            self.sock.settimeout(patience_s)
        try:
            self.request(method, path, **more)
            body = self.getresponse().read()
        except (OSError, HTTPException) as error:
            self.record.closed = "time-out" if isinstance(error, TimeoutError) else "broken"
            self.close()
            if isinstance(error, OSError):
                raise
            raise ConnectionError(str(error)) from error
        self.record.networks.add(network)
        return body

    def hang_up(self) -> None:
        """Closes it, also under a thread that waits for an answer."""
        if self.sock is not None:
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)
            self.close()

    def look(self) -> None:
        """Notes whether the other side has closed it."""
        if self.record.closed is None and self.sock is not None and select.select([self.sock], [], [], 0)[0]:
            self.record.closed = "broken"


class Browser:
    """One customer's. kind: of the shop that it visits. Each request takes the connection that waited longest."""

    def __init__(self, host: Host, name: str, kind: str, address: tuple[str, int], connections: int) -> None:
        self.name, self.kind = name, kind
        self.records: list[Record] = []
        self.connections = [Connection(host, *address, self.records) for _ in range(connections)]
        self._free: SimpleQueue[Connection] = SimpleQueue()
        for connection in self.connections:
            connection.connect()
            self._free.put(connection)

    def fetch(self, network: str, method: str, path: str, patience_s: float = LIMIT_S, **more: Any) -> bytes:
        connection = self._free.get()
        try:
            return connection.fetch(network, method, path, patience_s, **more)
        finally:
            self._free.put(connection)

    def load_page(self, network: str) -> float:
        """The page and its files. Returns the seconds it took."""
        begin = time.monotonic()
        self.fetch(network, "GET", "/")
        with ThreadPoolExecutor(len(shop.FILES)) as pool:
            list(pool.map(lambda path: self.fetch(network, "GET", path), shop.FILES))
        return time.monotonic() - begin

    def buy(self, network: str) -> dict[str, Any]:
        """Puts something into the basket and checks out. told: the customer saw that it worked."""
        order = f"{network}/{self.name}"
        body, key = json.dumps({"order": order}), {"Idempotency-Key": f"key-of-{order}"}
        self.fetch(network, "POST", "/basket", body=body)
        begin, attempts = time.monotonic(), []
        for patience in PATIENCE_S:
            try:
                self.fetch(network, "POST", "/checkout", patience, body=body, headers=key)
            except OSError as error:
                attempts.append("time-out" if isinstance(error, TimeoutError) else "broken")
            else:
                attempts.append("ok")
                break
        seconds = time.monotonic() - begin
        return {"order": order, "shop": self.kind, "seconds": seconds, "attempts": attempts, "told": attempts[-1] == "ok"}


class Listener:
    """Follows the shop's stream of stock levels over one connection, whatever happens to the network."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.messages = self.missing = 0
        self.longest_gap_s = 0.0
        self._thread = threading.Thread(target=self._follow, daemon=True)
        connection.request("GET", "/stock")
        self._socket = connection.sock  # the answer, which has no end, takes it off the connection
        self.port: int = self._socket.getsockname()[1]
        self._thread.start()

    def _follow(self) -> None:
        last = time.monotonic()
        with contextlib.suppress(OSError), self._connection.getresponse() as stream:
            while line := stream.readline():
                now = time.monotonic()
                self.missing += int(line.rpartition(b" ")[2]) != self.messages
                self.messages += 1
                self.longest_gap_s, last = max(self.longest_gap_s, now - last), now

    def close(self) -> None:
        """Ends the stream, and its thread."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def report(self) -> dict[str, Any]:
        gap = round(self.longest_gap_s * 1e3, 1)
        numbers = {"port": self.port, "messages": self.messages, "missing": self.missing, "longest_gap_ms": gap}
        return {**numbers, "broken": not self._thread.is_alive()}


class Customers:
    """All of them: a visitor who looks at the page, `count` customers of each shop, and a listener."""

    def __init__(self, host: Host, address: str, count: int) -> None:
        self.visitor = Browser(host, "visitor", "fixed", (address, shop.PORTS["fixed"]), CONNECTIONS)
        self.buyers = [
            Browser(host, f"{kind}-{number}", kind, (address, port), FEW)
            for kind, port in shop.PORTS.items()
            for number in range(1, count + 1)
        ]
        self.listener = Listener(Connection(host, address, shop.PORTS["fixed"], []))
        self.at_first = self.records()

    def buy(self, network: str) -> Callable[[], list[dict[str, Any]]]:
        """Every customer buys something, simultaneously. Returns a function that waits for the purchases."""
        pool = ThreadPoolExecutor(len(self.buyers))
        buying = [pool.submit(browser.buy, network) for browser in self.buyers]
        pool.shutdown(wait=False)
        return lambda: [one.result() for one in buying]

    def records(self) -> list[Record]:
        """Every connection there was, those of the browsers' beginning first."""
        for connection in self._connections():
            connection.look()
        return [record for browser in (self.visitor, *self.buyers) for record in browser.records]

    def _connections(self) -> list[Connection]:
        return [connection for browser in (self.visitor, *self.buyers) for connection in browser.connections]

    def close(self) -> None:
        """Closes all connections; the threads that wait for an answer end."""
        self.listener.close()
        for connection in self._connections():
            connection.hang_up()


def download(host: Host, address: str, streams: int, seconds: float, port: int = shop.FLOOD_PORT) -> float:
    """Bits a second of a download over several connections, in the last third of the time: before that, TCP is starting."""
    received, buffer = 0, bytearray(1 << 20)
    with selectors.DefaultSelector() as selector, contextlib.ExitStack() as opened:
        for _ in range(streams):
            connection = opened.enter_context(host.call(socket.socket))
            connection.setblocking(False)
            connection.connect_ex((address, port))
            selector.register(connection, selectors.EVENT_READ)
        begin = time.monotonic()
        while (passed := time.monotonic() - begin) < seconds:
            for key, _ in selector.select(seconds - passed):
                with contextlib.suppress(BlockingIOError):
                    size = key.fileobj.recv_into(buffer)  # type: ignore[union-attr]  # sockets are all that was registered
                    received += size if time.monotonic() - begin >= seconds * 2 / 3 else 0
    return received * 8 / (seconds / 3)
