"""Requests that concern one target, of which few have a thread at a time: they wait for the same lock, and others need threads, too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from netweather.errors import NetweatherError
from netweather.journal import LOCK_PATIENCE_S

MOST: Final = 3
"""Requests for one target that have a thread at a time."""


@dataclass
class _Queue:
    places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MOST))
    users: int = 0


class TargetQueues:
    """One agent's. Used in its event loop only."""

    def __init__(self) -> None:
        self._queues: dict[str, _Queue] = {}

    @asynccontextmanager
    async def turn(self, references: Iterable[str]) -> AsyncIterator[None]:
        """Waits until a request for these targets may have a thread. None: it is for all. Raises NetweatherError(code="busy")."""
        words = sorted(set(references)) or [""]
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(LOCK_PATIENCE_S):
                    for word in words:  # in one order, so that no two wait for each other
                        await stack.enter_async_context(self._place(word))
            except TimeoutError:
                why = "they wait for another command, or for a name server"
                raise NetweatherError("busy", "other requests are changing this target", why, "try again") from None
            yield

    @asynccontextmanager
    async def _place(self, reference: str) -> AsyncIterator[None]:
        queue = self._queues.setdefault(reference, _Queue())
        queue.users += 1
        try:
            async with queue.places:
                yield
        finally:
            queue.users -= 1
            if not queue.users:
                del self._queues[reference]
