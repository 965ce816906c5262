"""The shops and their payment service, over this machine's loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any

import pytest

from netweather.demo import shop
from netweather.demo.shop import FILES, PAGE, Flood, Payment, Server, payment_handler, shop_handler

HOST = "127.0.0.1"


@pytest.fixture
def payment() -> Payment:
    return Payment(0.0)


@pytest.fixture
def ports(payment: Payment) -> Iterator[dict[str, int]]:
    servers = {"payment": Server((HOST, 0), payment_handler(payment)), "flood": Server((HOST, 0), Flood)}
    found = {name: server.start() for name, server in servers.items()}
    for kind in shop.PORTS:
        servers[kind] = Server((HOST, 0), shop_handler((HOST, found["payment"]), idempotent=kind == "fixed"))
        found[kind] = servers[kind].start()
    yield found
    for server in servers.values():
        server.shutdown()
        server.server_close()


def asked(port: int, method: str, path: str, order: str = "", key: str = "") -> tuple[int, bytes]:
    connection = HTTPConnection(HOST, port, timeout=10)
    body = json.dumps({"order": order}) if order else None
    connection.request(method, path, body, {"Idempotency-Key": key} if key else {})
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


def test_a_key_is_charged_once_also_while_the_first_charge_is_under_way() -> None:
    payment = Payment(0.05)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: payment.charge("a", "k"), range(2))
    assert first == second == payment.charge("a", "k")
    assert [one["order"] for one in payment.ledger] == ["a"]


def test_without_a_key_each_request_is_charged() -> None:
    payment = Payment(0.0)
    assert [payment.charge("a")["number"] for _ in range(2)] == [1, 2]


@pytest.mark.parametrize(("kind", "charges"), [("naive", 2), ("fixed", 1)])
def test_the_fixed_shop_passes_the_key_on(ports: dict[str, int], payment: Payment, kind: str, charges: int) -> None:
    for _ in range(2):
        assert asked(ports[kind], "POST", "/checkout", "a", "k")[0] == 201
    assert len(payment.ledger) == charges


def test_the_ledger_is_served(ports: dict[str, int]) -> None:
    asked(ports["naive"], "POST", "/checkout", "a")
    ledger: list[dict[str, Any]] = json.loads(asked(ports["payment"], "GET", "/charges")[1])
    assert [one["order"] for one in ledger] == ["a"]


def test_a_page_its_files_and_a_basket(ports: dict[str, int], payment: Payment) -> None:
    assert asked(ports["fixed"], "GET", "/") == (200, PAGE)
    for path, body in FILES.items():
        assert asked(ports["fixed"], "GET", path) == (200, body)
    assert asked(ports["fixed"], "POST", "/basket", "a")[0] == 200
    assert payment.ledger == []


def test_the_stream_is_numbered(ports: dict[str, int]) -> None:
    connection = HTTPConnection(HOST, ports["fixed"], timeout=10)
    connection.request("GET", "/stock")
    with connection.getresponse() as stream:
        assert [stream.readline() for _ in range(2)] == [b"data: 0\n", b"data: 1\n"]
    connection.close()
