"""What a client may cost: the size of a body, and the time to send it. Connections are limited where they are made (serving)."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from netweather.agent.api.problem_responses import answer
from netweather.conditions.language.documents import MOST_CHARACTERS
from netweather.errors import NetweatherError, UsageError

MOST_BYTES: Final = MOST_CHARACTERS
"""Of a body."""
PATIENCE_S: Final = 10.0
"""For all of a body to arrive."""


class Limits:
    """ASGI middleware: reads a request's body before its handler runs, as far as it is not too large or too slow."""

    def __init__(self, app: Any, most: int = MOST_BYTES, patience_s: float = PATIENCE_S) -> None:
        self.app, self.most, self.patience_s = app, most, patience_s

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            self._refuse_announced(scope)
            async with asyncio.timeout(self.patience_s):
                body = await self._whole(receive)
        except TimeoutError:
            what = "the request's body took too long to arrive"
            error: NetweatherError = UsageError(
                "body-too-slow", what, f"the limit is {self.patience_s:g} s", "send the whole body without a pause"
            )
            await self._refuse(error, scope, receive, send)
        except NetweatherError as too_large:
            await self._refuse(too_large, scope, receive, send)
        else:
            if body is not None:
                await self.app(scope, _Replay(body, receive), send)

    async def _refuse(self, error: NetweatherError, scope: Any, receive: Any, send: Any) -> None:
        response = answer(error)
        response.headers["Connection"] = "close"  # what it still sends is not read
        await response(scope, receive, send)

    def _refuse_announced(self, scope: Any) -> None:
        lengths = [value for name, value in scope["headers"] if name == b"content-length"]
        if lengths and int(lengths[0]) > self.most:
            raise self._too_large()

    async def _whole(self, receive: Any) -> bytes | None:
        """The body; None when the client went away."""
        parts, size, more = [], 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            part = message.get("body", b"")
            size += len(part)
            if size > self.most:
                raise self._too_large()
            parts.append(part)
            more = message.get("more_body", False)
        return b"".join(parts)

    def _too_large(self) -> UsageError:
        return UsageError("body-too-large", "the request's body is too large", f"the limit is {self.most} bytes", "send less")


class _Replay:
    """A `receive` that gives a body that was read already."""

    def __init__(self, body: bytes, receive: Any) -> None:
        self.body: bytes | None = body
        self.receive = receive

    async def __call__(self) -> Any:
        if self.body is not None:
            body, self.body = self.body, None
            return {"type": "http.request", "body": body, "more_body": False}
        return await self.receive()
