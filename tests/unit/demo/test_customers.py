"""Customers and their connections, over this machine's loopback."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from netweather.demo import customers as module
from netweather.demo import shop
from netweather.demo.customers import Browser, Connection, Customers, Listener, download
from netweather.demo.shop import FILES, Flood, Payment, Server, payment_handler, shop_handler

LOOPBACK = "127.0.0.1"
HOST: Any = SimpleNamespace(call=lambda function: function())  # a lab's host that is this machine


@pytest.fixture
def serve() -> Iterator[Callable[[Any], int]]:
    servers = []

    def begin(handler: Any) -> int:
        servers.append(Server((LOOPBACK, 0), handler))
        return servers[-1].start()

    yield begin
    for server in servers:
        server.shutdown()
        server.server_close()


class Shop(shop._Handler):
    """Notes what it is asked; `checkout` may do otherwise than answer."""

    seen: list[tuple[str, str]]

    def do_GET(self) -> None:  # noqa: N802 - http.server's name
        self.seen.append((self.path, ""))
        self.answer(200, b"x")

    def do_POST(self) -> None:  # noqa: N802 - http.server's name
        self.order()
        self.seen.append((self.path, self.headers.get("Idempotency-Key", "")))
        if self.path == "/checkout":
            self.checkout()
        self.as_json(201, {})

    def checkout(self) -> None:
        """Answers."""


def browser(port: int) -> Browser:
    return Browser(HOST, "b", "naive", (LOOPBACK, port), 2)


def closed(made: Browser) -> list[str | None]:
    for connection in made.connections:
        connection.look()
        connection.hang_up()
    return [record.closed for record in made.records]


def test_a_purchase_without_trouble_keeps_its_connections(serve: Callable[[Any], int]) -> None:
    made = browser(serve(type("Fine", (Shop,), {"seen": []})))
    for network in ("a", "b"):
        bought = made.buy(network)
        assert (bought["order"], bought["attempts"], bought["told"]) == (f"{network}/b", ["ok"], True)
    assert [record.networks for record in made.records] == [{"a", "b"}] * 2
    assert closed(made) == [None, None]


@pytest.mark.parametrize(("slow", "attempts"), [(1, ["time-out", "ok"]), (9, ["time-out", "time-out"])])
def test_a_slow_answer_is_requested_once_more_with_the_same_key(
    serve: Callable[[Any], int], monkeypatch: pytest.MonkeyPatch, slow: int, attempts: list[str]
) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", (0.05, 0.05 if slow > 1 else 5.0))
    end = threading.Event()

    class Slow(Shop):
        seen: list[tuple[str, str]] = []  # noqa: RUF012 - one for all requests

        def checkout(self) -> None:
            if sum(path == "/checkout" for path, _ in self.seen) <= slow:
                end.wait(10)

    made = browser(serve(Slow))
    bought = made.buy("a")
    end.set()
    assert (bought["attempts"], bought["told"]) == (attempts, attempts[-1] == "ok")
    assert [key for path, key in Slow.seen if path == "/checkout"] == ["key-of-a/b"] * 2
    assert sorted(str(one) for one in closed(made)) == sorted(
        [*(str(one) for one in attempts if one != "ok")] + ["None"] * (2 - slow)
    )


def test_a_broken_connection_is_no_time_out(serve: Callable[[Any], int]) -> None:
    class Breaking(Shop):
        seen: list[tuple[str, str]] = []  # noqa: RUF012 - one for all requests

        def checkout(self) -> None:
            if sum(path == "/checkout" for path, _ in self.seen) == 1:
                raise ConnectionResetError

    made = browser(serve(Breaking))
    assert made.buy("a")["attempts"] == ["broken", "ok"]
    assert closed(made) == [None, "broken"]


def test_a_page_is_loaded_with_its_files(serve: Callable[[Any], int]) -> None:
    handler = type("Fine", (Shop,), {"seen": []})
    made = browser(serve(handler))
    assert made.load_page("a") > 0
    assert {path for path, _ in handler.seen} == {"/", *FILES}  # type: ignore[attr-defined]  # Shop's
    closed(made)


def test_the_listener_counts_and_notices_the_end(serve: Callable[[Any], int]) -> None:
    class Stream(Shop):
        seen: list[tuple[str, str]] = []  # noqa: RUF012 - one for all requests

        def do_GET(self) -> None:  # noqa: N802 - http.server's name
            self.send_response(200)
            self.send_header("Connection", "close")
            self.end_headers()
            for number in (0, 1, 3):
                self.wfile.write(b"data: %d\n" % number)

    listener = Listener(Connection(HOST, LOOPBACK, serve(Stream), []))
    listener._thread.join(10)
    listener.close()
    report = listener.report()
    assert (report["messages"], report["missing"], report["broken"]) == (3, 1, True)


def test_all_customers_buy_and_are_followed(serve: Callable[[Any], int], monkeypatch: pytest.MonkeyPatch) -> None:
    payment = Payment(0.0)
    ledger = LOOPBACK, serve(payment_handler(payment))
    ports = {kind: serve(shop_handler(ledger, idempotent=kind == "fixed")) for kind in shop.PORTS}
    monkeypatch.setattr(shop, "PORTS", ports)
    made = Customers(HOST, LOOPBACK, 2)
    bought = made.buy("a")()
    assert sorted(one["order"] for one in bought) == ["a/fixed-1", "a/fixed-2", "a/naive-1", "a/naive-2"]
    assert len(payment.ledger) == 4
    assert len(made.at_first) == module.CONNECTIONS + 4 * module.FEW
    assert all(record.closed is None for record in made.records())
    made.close()
    made.listener._thread.join(10)
    assert made.listener.report()["broken"]


def test_a_download_is_measured_in_its_last_third(serve: Callable[[Any], int]) -> None:
    assert download(HOST, LOOPBACK, 2, 0.1, serve(Flood)) > 1e6
