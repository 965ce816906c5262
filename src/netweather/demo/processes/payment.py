"""The payment service: takes its time, as a card's authorisation does, and keeps the ledger that is the truth of the demo.

A charge with an Idempotency-Key that was seen before is answered with the first one's result and charged no second time,
also while the first is still on its way (as Stripe and others do). Without a key every request is a charge.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, dataclass

from netweather.demo.processes.control import obey
from netweather.demo.processes.small_http import Request, Response, as_json, start_server
from netweather.demo.shop_network import PAYMENT

PORT = 8090
PROCESSING_S = 1.0


@dataclass(frozen=True)
class Charge:
    """Money that was taken. number: counted from 1; key: the request's, or ""."""

    number: int
    order: str
    cents: int
    key: str


class Payment:
    """The service. processing_s: how long each charge takes."""

    def __init__(self, processing_s: float = PROCESSING_S) -> None:
        self.processing_s = processing_s
        self.charges: list[Charge] = []
        self._by_key: dict[str, asyncio.Future[Charge]] = {}

    async def handle(self, request: Request) -> Response:
        """POST /charges {"order", "cents"}."""
        if (request.method, request.path) != ("POST", "/charges"):
            return as_json(404, {"error": "not found"})
        try:
            wanted = json.loads(request.body)
            order, cents = str(wanted["order"]), int(wanted["cents"])
        except (ValueError, KeyError, TypeError):
            return as_json(400, {"error": "order and cents are needed"})
        return as_json(201, asdict(await self.charge(order, cents, request.headers.get("idempotency-key", ""))))

    async def charge(self, order: str, cents: int, key: str = "") -> Charge:
        """Takes the money, once for each key."""
        if not key:
            return await self._take(order, cents, key)
        first = self._by_key.get(key)
        if first is None:
            first = self._by_key[key] = asyncio.ensure_future(self._take(order, cents, key))  # noqa: TID251 - held by _by_key
        return await asyncio.shield(first)

    async def _take(self, order: str, cents: int, key: str) -> Charge:
        await asyncio.sleep(self.processing_s)
        charge = Charge(len(self.charges) + 1, order, cents, key)
        self.charges.append(charge)
        return charge

    async def ledger(self) -> list[dict[str, object]]:
        return [asdict(charge) for charge in self.charges]


async def live() -> None:
    """The process's life."""
    payment = Payment()
    await start_server(PAYMENT, PORT, payment.handle)
    await obey({"ledger": payment.ledger})
