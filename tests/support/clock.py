"""A clock whose time passes only when somebody waits, or when the test says so: no test waits for it."""

from __future__ import annotations

import heapq
import itertools
import math
import queue
import threading
from collections.abc import Callable
from typing import TypeVar

from netweather.clock import Clock, Waitable

T = TypeVar("T")


class FakeClock(Clock):
    """Stands still at `start` (seconds). What is to happen at a time is done by whoever waits past it, in that thread."""

    def __init__(self, start: float = 1000.0) -> None:
        self.time = start
        self._number = itertools.count()
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._lock = threading.RLock()

    @property
    def waiting(self) -> int:
        """How much is to happen yet."""
        return len(self._due)

    def boot_ns(self) -> int:
        return round(self.time * 1e9)

    def now(self) -> float:
        return self.time

    def at(self, time: float, action: Callable[[], object]) -> Callable[[], None]:
        """Something happens at a time. Returns what calls it off."""
        entry = (time, next(self._number), action)
        with self._lock:
            heapq.heappush(self._due, entry)

        def cancel() -> None:
            with self._lock:
                self._due = [each for each in self._due if each is not entry]
                heapq.heapify(self._due)

        return cancel

    def later(self, seconds: float, action: Callable[[], object]) -> Callable[[], None]:
        return self.at(self.time + max(0.0, seconds), action)

    def pass_by(self, seconds: float) -> None:
        """Time passes, and what is due meanwhile is done."""
        end = self.time + seconds
        while self._next(end):
            continue
        self._advance(end)

    pause = pass_by

    def wait(self, waited: Waitable, seconds: float | None) -> bool:
        """Until the next thing happens, or for so long."""
        if isinstance(waited, threading.Event) and waited.is_set():
            return True
        end = float("inf") if seconds is None else self.time + seconds
        happened = self._next(end)
        assert happened or seconds is not None, "it waits for ever: nothing happens any more"
        if not happened:
            self._advance(end)
        return happened and (not isinstance(waited, threading.Event) or waited.is_set())

    def get(self, items: queue.SimpleQueue[T], seconds: float | None) -> T:
        end = float("inf") if seconds is None else self.time + seconds
        while items.empty() and self._next(end):
            continue
        if items.empty() and seconds is not None:
            self._advance(end)
        return items.get_nowait()

    def _advance(self, end: float) -> None:
        """To a time, and by the least that a number can tell where that is the same: whoever waits again must come to an end."""
        self.time = max(math.nextafter(self.time, math.inf), end)

    def _next(self, end: float) -> bool:
        """Does what is due first, until then. Returns whether there was something."""
        with self._lock:
            if not self._due or self._due[0][0] > end:
                return False
            time, _, action = heapq.heappop(self._due)
            self.time = max(self.time, time)
        action()
        return True
