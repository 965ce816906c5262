from __future__ import annotations

import asyncio
import json

from netweather.demo.processes.payment import Payment
from netweather.demo.processes.small_http import Request, Response


def ask(payment: Payment, *keys: str) -> list[Response]:
    """So many requests for one order, all at once."""

    async def run() -> list[Response]:
        body = b'{"order": "o", "cents": 100}'
        requests = [Request("POST", "/charges", {"idempotency-key": key} if key else {}, body) for key in keys]
        return list(await asyncio.gather(*(payment.handle(request) for request in requests)))

    return asyncio.run(run())


def test_without_a_key_every_request_is_a_charge() -> None:
    payment = Payment(0)
    assert [json.loads(one.body)["number"] for one in ask(payment, "", "")] == [1, 2]
    assert len(asyncio.run(payment.ledger())) == 2


def test_with_a_key_the_second_gets_the_answer_of_the_first_even_while_that_is_on_its_way() -> None:
    payment = Payment(0.01)
    answers = ask(payment, "k", "k", "other")
    assert answers[0] == answers[1]
    assert {one.key for one in payment.charges} == {"k", "other"}
    assert len(payment.charges) == 2


def test_a_customer_who_hangs_up_does_not_stop_the_charge() -> None:
    payment = Payment(0.02)

    async def run() -> None:
        try:
            await asyncio.wait_for(payment.charge("o", 100, "k"), 0.001)
        except TimeoutError:
            await payment.charge("o", 100, "k")

    asyncio.run(run())
    assert len(payment.charges) == 1


def test_other_requests_are_refused() -> None:
    payment = Payment(0)
    for request, status in (
        (Request("GET", "/charges"), 404),
        (Request("POST", "/charges", body=b"nonsense"), 400),
        (Request("POST", "/charges", body=b"[]"), 400),
    ):
        assert asyncio.run(payment.handle(request)).status == status
    assert payment.charges == []
