"""What happened, to whom it may concern: events in the past tense, given to everybody who listens at that moment."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Self

from netweather.wire.event_documents import check_event

MOST_WAITING: Final = 1000
"""Events that a listener may be behind; a slower one is let go."""


@dataclass(frozen=True)
class Event:
    """kind, data: of wire.event_documents.EVENTS. number: they count up from the agent's start."""

    number: int
    kind: str
    time: str
    data: dict[str, Any]


class Events:
    """Publishes to all listeners; from any thread once it is bound to a loop."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._listeners: set[asyncio.Queue[Event | None]] = set()
        self._call: Callable[..., object] = lambda function, *arguments: function(*arguments)

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Publishing is done in this loop."""
        self._call = loop.call_soon_threadsafe

    def publish(self, kind: str, **data: Any) -> None:
        """Gives the event to all listeners. Raises ValueError for what wire.event_documents does not declare."""
        check_event(kind, data)
        time = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        event = Event(next(self._numbers), kind, time, data)
        self._call(self._give, event)

    def _give(self, event: Event) -> None:
        for queue in list(self._listeners):
            if queue.qsize() >= MOST_WAITING:
                self._listeners.discard(queue)
                queue.put_nowait(None)
            else:
                queue.put_nowait(event)

    @property
    def listeners(self) -> int:
        return len(self._listeners)

    def close(self) -> None:
        """Lets every listener go."""
        for queue in self._listeners:
            queue.put_nowait(None)

    def listen(self) -> Listener:
        """Every event from now on, until the agent ends or the listener is too slow."""
        return Listener(self._listeners)


class Listener:
    """Who listens, while it is entered."""

    def __init__(self, listeners: set[asyncio.Queue[Event | None]]) -> None:
        self._listeners = listeners
        self._queue: asyncio.Queue[Event | None] = asyncio.Queue()
        listeners.add(self._queue)

    async def next(self) -> Event | None:
        """The next event; None: there will be no more."""
        return await self._queue.get()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listeners.discard(self._queue)
