"""The demo's servers: a web shop, twice, and its payment service. `python -m netweather.demo.shop shop|payment ADDRESS [PAYMENT]`.

The naive shop charges for every POST; the fixed one passes the customer's Idempotency-Key on. That is the only difference.
The payment service keeps the ledger. It answers a key that it knows with the first charge, also while that is under way.
"""

from __future__ import annotations

import contextlib
import json
import random  # noqa: TID251 - seeded: pictures that don't compress and are the same every time
import sys
import threading
import time
from concurrent.futures import Future
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any

PORTS = {"naive": 8080, "fixed": 8081}
PAYMENT_PORT, FLOOD_PORT = 8090, 9002
PROCESSING_S = 1.0
TICK_S = 0.1
_RANDOM = random.Random(7)
_SIZES = {"style.css": 9_000, "shop.js": 30_000, "boots.jpg": 24_000, "scarf.jpg": 18_000, "hat.jpg": 15_000}
FILES = {f"/{name}": _RANDOM.randbytes(size) for name, size in _SIZES.items()}
PAGE = ("<!doctype html><title>Shop</title>" + "<p>Warm things for bad weather.</p>" * 90).encode()


class Payment:
    """Takes money, which takes its time. ledger: every charge."""

    def __init__(self, processing_s: float = PROCESSING_S) -> None:
        self.processing_s = processing_s
        self.ledger: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        self._by_key: dict[str, Future[dict[str, Any]]] = {}

    def charge(self, order: str, key: str = "") -> dict[str, Any]:
        """Charges once for each key; without a key, every time."""
        with self._lock:
            known = self._by_key.get(key)
            charge: Future[dict[str, Any]] = known or Future()
            if key:
                self._by_key[key] = charge
        if known is None:
            time.sleep(self.processing_s)  # noqa: TID251 - as a card's authorisation does
            with self._lock:
                self.ledger.append({"number": len(self.ledger) + 1, "order": order, "key": key})
                charge.set_result(self.ledger[-1])
        return charge.result()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body in one segment

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def as_json(self, status: int, value: Any) -> None:
        self.answer(status, json.dumps(value).encode())

    def order(self) -> str:
        """What is ordered, from the body of the request."""
        return str(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["order"])

    def log_message(self, *_: object) -> None:
        """Nothing."""


def payment_handler(payment: Payment) -> type[_Handler]:
    """POST /charges {"order"}; GET /charges is the ledger."""

    class PaymentHandler(_Handler):
        def do_GET(self) -> None:
            self.as_json(200, payment.ledger)

        def do_POST(self) -> None:
            self.as_json(201, payment.charge(self.order(), self.headers.get("Idempotency-Key", "")))

    return PaymentHandler


def charged(payment: tuple[str, int], order: str, key: str) -> Any:
    """The answer of the payment service at this address."""
    with contextlib.closing(HTTPConnection(*payment)) as connection:
        connection.request("POST", "/charges", json.dumps({"order": order}), {"Idempotency-Key": key} if key else {})
        return json.loads(connection.getresponse().read())


def shop_handler(payment: tuple[str, int], *, idempotent: bool) -> type[_Handler]:
    """A page and its files, a basket, a checkout, a stream of stock levels. idempotent: whether it is the fixed shop."""

    class ShopHandler(_Handler):
        def do_GET(self) -> None:
            if self.path == "/stock":
                self._stream()
            else:
                self.answer(200, FILES.get(self.path, PAGE))

        def do_POST(self) -> None:
            order = self.order()
            if self.path == "/checkout":
                key = self.headers.get("Idempotency-Key", "") if idempotent else ""
                self.as_json(201, charged(payment, order, key))
            else:
                self.as_json(200, {"items": 1})

        def _stream(self) -> None:
            """Numbered messages without end, so that a client notices when one is missing."""
            self.send_response(200)
            self.send_header("Connection", "close")
            self.end_headers()
            number = 0
            while True:
                self.wfile.write(b"data: %d\n" % number)
                self.wfile.flush()
                number += 1
                time.sleep(TICK_S)  # noqa: TID251 - the pace of the stream

    return ShopHandler


class Flood(BaseRequestHandler):
    """Sends bytes without end, for the measurement of a download."""

    def handle(self) -> None:
        block = bytes(256 * 1024)
        with contextlib.suppress(OSError):
            while True:
                self.request.sendall(block)


class Server(ThreadingTCPServer):
    """A server with a thread for each connection."""

    allow_reuse_address = daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that close their connection are usual."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def start(self) -> int:
        """Serves in a thread of its own. Returns the port."""
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return int(self.server_address[1])


def main(role: str, address: str, payment: str = "") -> None:
    """Entry point of both processes."""
    if role == "payment":
        servers = [Server((address, PAYMENT_PORT), payment_handler(Payment()))]
    else:
        servers = [Server((address, FLOOD_PORT), Flood)]
        servers += [
            Server((address, p), shop_handler((payment, PAYMENT_PORT), idempotent=kind == "fixed")) for kind, p in PORTS.items()
        ]
    for server in servers:
        server.start()
    threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
