from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from netweather.demo.processes.payment import Payment
from netweather.demo.processes.shop import PRICE_CENTS, Payments, Shop, page
from netweather.demo.processes.small_http import Request, Response, start_server

HOST = "127.0.0.1"


def with_payment(payment: Payment, work: Callable[[Payments], Awaitable[None]]) -> None:
    async def run() -> None:
        async with await start_server(HOST, 0, payment.handle) as server:
            payments = Payments(HOST, server.sockets[0].getsockname()[1])
            await work(payments)
            payments.close()
            await asyncio.sleep(0.01)  # for both ends to see it

    asyncio.run(run())


def checkout(key: str = "k") -> Request:
    return Request("POST", "/checkout", {"idempotency-key": key}, b'{"order": "o"}')


@pytest.mark.parametrize(("idempotent", "charges"), [(False, 2), (True, 1)])
def test_a_repeated_checkout_is_charged_again_by_the_naive_shop_alone(idempotent: bool, charges: int) -> None:
    payment = Payment(0)

    async def work(payments: Payments) -> None:
        shop = Shop(payments, idempotent=idempotent)
        answers = [await shop.handle(checkout()), await shop.handle(checkout())]
        assert [one.status for one in answers] == [201, 201]

    with_payment(payment, work)
    assert [one.cents for one in payment.charges] == [PRICE_CENTS] * charges


def handled(request: Request) -> Response:
    return asyncio.run(Shop(Payments(HOST, 1), idempotent=True).handle(request))


def test_the_page_names_what_belongs_to_it_and_all_of_it_is_there() -> None:
    assert b"shop.js" in page()
    for name in ("/style.css", "/shop.js", "/boots.jpg"):
        assert name.encode() in page()
        assert len(handled(Request("GET", name)).body) > 5000
    assert handled(Request("GET", "/")).body == page()


def test_basket_and_refusals() -> None:
    assert handled(Request("POST", "/basket")).status == 200
    assert handled(Request("GET", "/nothing")).status == 404
    assert handled(Request("POST", "/checkout", body=b"{}")).status == 400


def test_the_stream_is_numbered() -> None:
    async def run() -> list[bytes]:
        stream = (await Shop(Payments(HOST, 1), idempotent=True).handle(Request("GET", "/stock"))).stream
        assert stream is not None
        return [await anext(stream), await anext(stream)]

    assert asyncio.run(run()) == [b"data: 0\n", b"data: 1\n"]
