from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from netweather.demo.processes import browser as module
from netweather.demo.processes.browser import Browser, Listener
from netweather.demo.processes.shop import Payments, Shop
from netweather.demo.processes.small_http import Request, Response, as_json, start_server

HOST = "127.0.0.1"


class SlowOnce:
    """A shop whose first answer to a checkout comes only when the second request is there."""

    def __init__(self, answers: int = 1) -> None:
        self.asked: list[str] = []
        self._second = asyncio.Event()
        self._answers = answers

    async def handle(self, request: Request) -> Response:
        if request.path != "/checkout":
            return as_json(200, {})
        self.asked.append(request.headers["idempotency-key"])
        if len(self.asked) <= self._answers:
            await self._second.wait()
        self._second.set()
        return as_json(201, {})


def with_shop(handle: Callable[[Request], Awaitable[Response]], work: Callable[[Browser], Awaitable[Any]]) -> Browser:
    async def run() -> Browser:
        async with await start_server(HOST, 0, handle) as server:
            browser = Browser("b", "naive", (HOST, server.sockets[0].getsockname()[1]), 2)
            browser.network = "perfect"
            await browser.warm_up()
            await work(browser)
            browser.close()
            await asyncio.sleep(0.01)  # for both ends to see it
            return browser

    return asyncio.run(run())


def test_a_purchase_without_trouble_keeps_its_connections() -> None:
    async def handle(request: Request) -> Response:
        return as_json(201 if request.path == "/checkout" else 200, {})

    async def work(browser: Browser) -> None:
        for number in range(2):
            bought = await browser.buy(f"o{number}")
            assert bought["attempts"] == ["ok"]
            assert bought["told"]
        found = browser.connections()
        assert [(one["closed"], one["requests"]) for one in found] == [(None, 2), (None, 2)]
        assert len({one["inode"] for one in found}) == 2

    with_shop(handle, work)


def test_a_slow_answer_is_asked_for_again_with_the_same_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", (0.05, 5.0))
    shop = SlowOnce()

    async def work(browser: Browser) -> None:
        bought = await browser.buy("o")
        assert bought["attempts"] == ["time-out", "ok"]
        assert bought["told"]
        assert [one["closed"] for one in browser.connections()] == [None, "time-out"]

    with_shop(shop.handle, work)
    assert shop.asked == ["key-of-o"] * 2


def test_there_is_one_retry_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", (0.02, 0.02))
    shop = SlowOnce(answers=9)

    async def work(browser: Browser) -> None:
        bought = await browser.buy("o")
        assert bought["attempts"] == ["time-out", "time-out"]
        assert not bought["told"]

    with_shop(shop.handle, work)
    assert len(shop.asked) == 2


def test_a_broken_connection_is_told_from_a_hung_up_one() -> None:
    asked = 0

    async def handle(request: Request) -> Response:
        nonlocal asked
        asked += request.path == "/checkout"
        if asked == 1:
            raise ConnectionResetError
        return as_json(201, {})

    async def work(browser: Browser) -> None:
        assert (await browser.buy("o"))["attempts"] == ["broken", "ok"]
        assert [one["closed"] for one in browser.connections()] == [None, "broken"]

    with_shop(handle, work)


def test_a_refusal_is_not_repeated() -> None:
    async def handle(request: Request) -> Response:
        return as_json(400 if request.path == "/checkout" else 200, {})

    async def work(browser: Browser) -> None:
        bought = await browser.buy("o")
        assert (bought["attempts"], bought["told"]) == (["status 400"], False)

    with_shop(handle, work)


def test_a_page_is_loaded_with_all_that_belongs_to_it() -> None:
    asked: set[str] = set()
    shop = Shop(Payments(HOST, 1), idempotent=True)

    async def handle(request: Request) -> Response:
        asked.add(request.path)
        return await shop.handle(request)

    with_shop(handle, Browser.load_page)
    assert asked == {"/", "/style.css", "/shop.js", "/boots.jpg", "/scarf.jpg", "/hat.jpg"}


def test_the_listener_counts_and_notices_the_end() -> None:
    listener = Listener()

    async def numbers(numbered: tuple[int, ...]) -> Any:
        for number in numbered:
            yield b"data: %d\n" % number

    async def handle(_: Request) -> Response:
        return Response(200, stream=numbers((0, 1, 3)))

    async def work(browser: Browser) -> None:
        await listener.follow(browser._address)

    with_shop(handle, work)
    report = listener.report()
    assert (report["messages"], report["missing"], report["broken"]) == (3, 1, True)
