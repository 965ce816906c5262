"""Bodies that are too large or too slow never reach a handler."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from netweather.agent.api.request_limits import Limits
from tests.unit.agent.conftest import Api


async def ask(parts: list[bytes | None], announced: int | None = None, **limits: Any) -> tuple[int, bytes]:
    """(status, the body that the handler saw) of a request in parts; None: the client sends no more, and waits.

    announced: the size that the client says.
    """
    seen, sent = [], []

    async def handler(scope: Any, receive: Any, send: Any) -> None:
        seen.append((await receive())["body"])
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> Any:
        part = parts.pop(0) if parts else b""
        if part is None:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [] if announced is None else [(b"content-length", str(announced).encode())]
    await Limits(handler, **limits)({"type": "http", "headers": headers, "method": "PUT"}, receive, send)
    return sent[0]["status"], seen[0] if seen else b""


def test_a_body_arrives_whole() -> None:
    assert asyncio.run(ask([b"ab", b"cd"], most=4)) == (200, b"abcd")


def test_a_body_that_grows_too_large() -> None:
    assert asyncio.run(ask([b"ab", b"cd", b"e"], most=4)) == (413, b"")


def test_a_body_that_is_announced_as_too_large_is_not_waited_for() -> None:
    assert asyncio.run(ask([None], announced=5, most=4, patience_s=0.01)) == (413, b"")


def test_a_body_that_never_ends() -> None:
    assert asyncio.run(ask([b"ab", None], patience_s=0.01)) == (408, b"")


def test_a_client_that_goes_away() -> None:
    async def gone() -> Any:
        return {"type": "http.disconnect"}

    async def handler(*_: Any) -> None:
        pytest.fail("the handler ran")

    asyncio.run(Limits(handler)({"type": "http", "headers": []}, gone, handler))


def test_ten_megabytes_are_refused(api: Api) -> None:
    answer = api("PUT", "/v1/conditions/slow", content=b"[" * 10_000_000, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")
    assert answer.headers["Connection"] == "close", "what is still sent would be taken for the next request"
