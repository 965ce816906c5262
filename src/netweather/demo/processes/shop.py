"""The web shop, twice: the naive one charges for every POST, the fixed one passes the customer's Idempotency-Key on.

That is all the difference between them. Both serve a page with what belongs to it, a basket, and a stream of stock levels.
"""

from __future__ import annotations

import asyncio
import json
import random  # noqa: TID251 - seeded: pictures that don't compress and are the same every time
from collections.abc import AsyncIterator

from netweather.demo.processes import payment
from netweather.demo.processes.control import obey
from netweather.demo.processes.small_http import Connection, Request, Response, as_json, start_server
from netweather.demo.processes.wire_probes import Echo, serve_bytes
from netweather.demo.shop_network import PAYMENT, SHOP

PORTS = {"naive": 8080, "fixed": 8081}
TICK_S = 0.1
PRICE_CENTS = 4900
_ASSETS = {"/style.css": 9_000, "/shop.js": 30_000, "/boots.jpg": 24_000, "/scarf.jpg": 18_000, "/hat.jpg": 15_000}
_TAGS = {"css": '<link rel="stylesheet" href="{}">', "js": '<script src="{}"></script>', "jpg": '<img src="{}">'}


def page() -> bytes:
    """The HTML, which names what else to load."""
    tags = [_TAGS[name.rpartition(".")[2]].format(name) for name in _ASSETS]
    return ("<!doctype html><title>Shop</title>" + "".join(tags) + "<p>Warm things for bad weather.</p>" * 90).encode()


class Payments:
    """The shop's way to the payment service: connections kept open, as many as are needed at one time."""

    def __init__(self, host: str, port: int) -> None:
        self._address = host, port
        self._free: list[Connection] = []

    async def charge(self, order: str, key: str) -> Response:
        body = json.dumps({"order": order, "cents": PRICE_CENTS}).encode()
        connection = self._free.pop() if self._free else await Connection.open(*self._address)
        answer = await connection.request(Request("POST", "/charges", {"idempotency-key": key} if key else {}, body))
        self._free.append(connection)
        return answer

    def close(self) -> None:
        """Hangs up what is open and not in use."""
        for connection in self._free:
            connection.abort()


class Shop:
    """One shop. idempotent: whether it is the fixed one."""

    def __init__(self, payments: Payments, *, idempotent: bool) -> None:
        self.payments, self.idempotent = payments, idempotent
        rest = random.Random(7)
        self._files = {name: rest.randbytes(size) for name, size in _ASSETS.items()}

    async def handle(self, request: Request) -> Response:
        match (request.method, request.path):
            case ("GET", "/"):
                return Response(200, page(), "text/html")
            case ("GET", "/stock"):
                return Response(200, kind="text/event-stream", stream=_stock())
            case ("GET", path) if path in self._files:
                return Response(200, self._files[path], "application/octet-stream")
            case ("POST", "/basket"):
                return as_json(200, {"items": 1, "cents": PRICE_CENTS})
            case ("POST", "/checkout"):
                return await self._checkout(request)
        return as_json(404, {"error": "not found"})

    async def _checkout(self, request: Request) -> Response:
        try:
            order = str(json.loads(request.body)["order"])
        except (ValueError, KeyError, TypeError):
            return as_json(400, {"error": "order is needed"})
        key = request.headers.get("idempotency-key", "") if self.idempotent else ""
        answer = await self.payments.charge(order, key)
        return Response(answer.status, answer.body)


async def _stock() -> AsyncIterator[bytes]:
    """Numbered messages, so that whoever listens can tell whether any is missing."""
    number = 0
    while True:
        yield b"data: %d\n" % number
        number += 1
        await asyncio.sleep(TICK_S)


async def live() -> None:
    """The process's life: both shops, and what the measurements need at this end."""
    payments = Payments(PAYMENT, payment.PORT)
    for kind, port in PORTS.items():
        await start_server(SHOP, port, Shop(payments, idempotent=kind == "fixed").handle)
    echo = Echo(SHOP)
    serve_bytes(SHOP)

    async def arrived(run: int, count: int) -> str:
        return echo.arrived(run, count)

    await obey({"arrived": arrived})
