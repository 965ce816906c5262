"""Customers with browsers: connections kept open, a page with what belongs to it, a time-out and one retry at the checkout.

The retry is what fetch wrappers and mobile apps do by themselves: the same request again, with the same Idempotency-Key, and
twice the patience. A browser that gives up on an answer hangs up that connection (in HTTP/1.1 there is no other way).
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from typing import Any

from netweather.demo.processes import shop, wire_probes
from netweather.demo.processes.control import obey
from netweather.demo.processes.small_http import Connection, Request, Response
from netweather.demo.quantiles import steady_speed
from netweather.demo.shop_network import SHOP

CONNECTIONS = 6
"""Of one browser to one server, as most browsers have them; customers who only buy keep two."""
PATIENCE_S = (1.5, 3.0)
"""How long the first request of a checkout may take, and its retry."""
_LINKS = re.compile(rb'(?:href|src)="([^"]+)"')


class Browser:
    """One customer's. kind: of the shop it visits. history: every connection it had, in order."""

    def __init__(self, name: str, kind: str, address: tuple[str, int], connections: int) -> None:
        self.name, self.kind, self._address, self._connections = name, kind, address, connections
        self._slots = asyncio.Semaphore(connections)
        self._free: list[Connection] = []
        self.history: list[tuple[Connection, dict[str, Any]]] = []
        self.network = ""

    async def warm_up(self) -> None:
        """Opens its connections, as browsers do before they are needed."""
        self._free += [await self._open() for _ in range(self._connections)]

    async def _open(self) -> Connection:
        connection = await Connection.open(*self._address)
        self.history.append((connection, {"opened": self.network, "closed": None, "networks": []}))
        return connection

    async def fetch(self, request: Request, patience_s: float | None = None) -> Response:
        """One request, over the connection that waited longest. Raises TimeoutError and ConnectionError."""
        async with asyncio.timeout(patience_s), self._slots:
            while self._free and not self._free[0].usable:
                self._drop(self._free.pop(0), "broken")
            connection = self._free.pop(0) if self._free else await self._open()
            try:
                response = await connection.request(request)
            except BaseException as error:
                self._drop(connection, "broken" if isinstance(error, ConnectionError) else "time-out")
                raise
            self._record(connection)["networks"].append(self.network)
            self._free.append(connection)
            return response

    def _drop(self, connection: Connection, why: str) -> None:
        self._record(connection)["closed"] = why
        connection.abort()

    def _record(self, connection: Connection) -> dict[str, Any]:
        return next(record for known, record in self.history if known is connection)

    async def load_page(self) -> float:
        """The page and all that belongs to it. Returns the seconds it took."""
        begin = time.monotonic()
        html = (await self.fetch(Request("GET", "/"))).body
        async with asyncio.TaskGroup() as group:
            for link in _LINKS.findall(html):
                group.create_task(self.fetch(Request("GET", link.decode())))
        return time.monotonic() - begin

    async def buy(self, order: str) -> dict[str, Any]:
        """Puts something into the basket and checks out. told: the customer saw that it worked."""
        await self.fetch(Request("POST", "/basket", body=b'{"item": "boots"}'))
        begin = time.monotonic()
        attempts = await self._check_out(order)
        took = time.monotonic() - begin
        return {"order": order, "shop": self.kind, "seconds": took, "attempts": attempts, "told": attempts[-1] == "ok"}

    async def _check_out(self, order: str) -> list[str]:
        body = json.dumps({"order": order}).encode()
        request = Request("POST", "/checkout", {"idempotency-key": f"key-of-{order}"}, body)
        attempts: list[str] = []
        for patience in PATIENCE_S:
            try:
                response = await self.fetch(request, patience)
            except TimeoutError:
                attempts.append("time-out")
                continue
            except ConnectionError:
                attempts.append("broken")
                continue
            attempts.append("ok" if response.status == 201 else f"status {response.status}")
            break
        return attempts

    def close(self) -> None:
        """Hangs up all that is still open."""
        for connection in self._free:
            connection.abort()

    def connections(self) -> list[dict[str, Any]]:
        """Every connection that it had: which socket, where it was opened, how it ended (None: it is open), what it carried."""
        return [
            {
                "browser": self.name,
                "port": connection.port,
                "inode": connection.inode,
                "opened": record["opened"],
                "networks": list(dict.fromkeys(record["networks"])),
                "requests": connection.requests,
                "closed": record["closed"] or (None if connection.usable else "broken"),
            }
            for connection, record in self.history
        ]


class Listener:
    """Follows the shop's stream of stock levels over one connection, whatever happens to the network."""

    def __init__(self) -> None:
        self.messages = self.missing = 0
        self.longest_gap_s = 0.0
        self.ended = False
        self.port = 0

    async def follow(self, address: tuple[str, int]) -> None:
        connection = await Connection.open(*address)
        self.port = connection.port
        last = time.monotonic()
        try:
            async for line in connection.stream("/stock"):
                now = time.monotonic()
                self.missing += int(line.rpartition(b" ")[2]) != self.messages
                self.messages += 1
                self.longest_gap_s, last = max(self.longest_gap_s, now - last), now
        except ConnectionError:
            pass
        finally:
            connection.abort()
        self.ended = True

    def report(self) -> dict[str, Any]:
        return {
            "port": self.port,
            "messages": self.messages,
            "missing": self.missing,
            "longest_gap_ms": round(self.longest_gap_s * 1e3, 1),
            "broken": self.ended,
        }


class Client:
    """All customers and the measurements: what the demo asks of the process in the client's namespace."""

    def __init__(self) -> None:
        self.visitor = Browser("visitor", "fixed", (SHOP, shop.PORTS["fixed"]), CONNECTIONS)
        self.buyers: list[Browser] = []
        self.listener = Listener()
        self._run = 0

    async def open(self, customers: int, network: str) -> None:
        """Gives each shop so many customers, with connections open from now on; and one a visitor who only looks."""
        for kind, port in shop.PORTS.items():
            self.buyers += [Browser(f"{kind}-{number}", kind, (SHOP, port), 2) for number in range(1, customers + 1)]
        self._arrive(network)
        for browser in (self.visitor, *self.buyers):
            await browser.warm_up()

    async def page(self, network: str) -> float:
        """The visitor loads the page, and nobody else does anything. Returns the seconds it took."""
        self._arrive(network)
        return await self.visitor.load_page()

    async def buy(self, network: str, count: int, spacing_s: float, grace_s: float) -> dict[str, Any]:
        """Every customer buys something, all at once; meanwhile probes for lost packets go their way (`exchange`)."""
        self._arrive(network)
        buying = asyncio.gather(*(browser.buy(f"{network}/{browser.name}") for browser in self.buyers))
        probing = self.exchange(count, spacing_s, grace_s)
        purchases, probes_back = await asyncio.gather(buying, probing)
        return {"purchases": list(purchases), **probes_back}

    def _arrive(self, network: str) -> None:
        for browser in (self.visitor, *self.buyers):
            browser.network = network

    async def connections(self) -> list[dict[str, Any]]:
        return [connection for browser in (self.visitor, *self.buyers) for connection in browser.connections()]

    async def stream(self) -> dict[str, Any]:
        return self.listener.report()

    async def exchange(self, count: int, spacing_s: float, grace_s: float) -> dict[str, Any]:
        """Probes and their echoes. run: to ask the shop's end for what arrived there."""
        self._run += 1
        address = (SHOP, wire_probes.ECHO_PORT)
        return {
            "run": self._run,
            "ms": await asyncio.to_thread(wire_probes.exchange, address, self._run, count, spacing_s, grace_s),
        }

    async def download(self, streams: int, seconds: float) -> float:
        """Steady bits a second of a download."""
        pieces = await asyncio.to_thread(wire_probes.download, (SHOP, wire_probes.BYTES_PORT), streams, seconds)
        return steady_speed(pieces, seconds)


async def live() -> None:
    """The process's life."""
    client = Client()
    async with asyncio.TaskGroup() as group:
        stream = group.create_task(client.listener.follow((SHOP, shop.PORTS["fixed"])))
        await obey(
            {
                "open": client.open,
                "page": client.page,
                "buy": client.buy,
                "connections": client.connections,
                "stream": client.stream,
                "exchange": client.exchange,
                "download": client.download,
            }
        )
        stream.cancel()
