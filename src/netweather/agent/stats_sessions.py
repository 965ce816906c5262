"""Statistics that clients watch through the agent: begun, read again and again, ended; also of who doesn't come back.

Programs on the kernel's tracepoints cost every call of this machine a little, so each watch has a lease that every reading renews, and
there are only so many. Not here: what is counted (engine.views.socket_stats).
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from netweather.engine.views.socket_stats import CounterSelection, Stats, readings
from netweather.errors import NetweatherError
from netweather.kernel.tracing.socket_counters import Counted
from netweather.service.callers import Caller
from netweather.wire.stats_documents import SESSION, StatsSession

MOST: Final = 8
"""At a time: each has programs of its own."""
LEASE_S: Final = 15.0


@dataclass(eq=False)
class _Watch:
    """One that is open. lock: one reading at a time; none once it is over."""

    owner: str
    stats: Stats
    first: list[Counted]
    ends_at: float
    over: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def close(self) -> None:
        with self.lock:
            self.over = True
            self.stats.close()


class Watches:
    """All that are open. Every method may block, and be called by any thread."""

    def __init__(
        self,
        begin: Callable[[Caller, str, CounterSelection], Stats],
        lease_s: float = LEASE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._begin, self.lease_s, self._clock = begin, lease_s, clock
        self._open: dict[str, _Watch] = {}
        self._beginning = 0
        self._changed = threading.Condition()
        self._ending: threading.Thread | None = None

    def begin(self, who: Caller, reference: str, wanted: CounterSelection) -> dict[str, Any]:
        """Begins to count. Raises NetweatherError busy, and as `Service.stats`."""
        with self._changed:
            if len(self._open) + self._beginning >= MOST:
                raise NetweatherError("busy", f"{MOST} clients watch statistics", "that is the maximum", "wait for one to end")
            self._beginning += 1
        watch = None
        try:
            stats = self._begin(who, reference, wanted)
            watch = _Watch(who.name, stats, stats.read(), self._clock() + self.lease_s)
        finally:
            with self._changed:
                self._beginning -= 1
                if watch is not None:
                    number = secrets.token_hex(8)
                    self._open[number] = watch
                    self._end_in_time()
        return self._document(number, watch, watch.first)

    def read(self, who: Caller, number: str) -> dict[str, Any]:
        """What was counted since the beginning. Raises NetweatherError(code="no-such-watch")."""
        watch = self._of(who, number)
        with watch.lock:
            if watch.over:
                raise _gone(number)
            watch.ends_at = self._clock() + self.lease_s
            return self._document(number, watch, watch.stats.read())

    def end(self, who: Caller, number: str) -> dict[str, Any]:
        """Ends one, and returns its last reading. Raises NetweatherError(code="no-such-watch")."""
        last = self.read(who, number)
        with self._changed:
            watch = self._open.pop(number, None)
        if watch is not None:
            watch.close()
        return last

    def close(self) -> None:
        """Ends all of them."""
        with self._changed:
            watches = list(self._open.values())
            self._open.clear()
            self._changed.notify_all()
            ending = self._ending
        for watch in watches:
            watch.close()
        if ending is not None:
            ending.join()

    @property
    def count(self) -> int:
        return len(self._open)

    def _document(self, number: str, watch: _Watch, now: list[Counted]) -> dict[str, Any]:
        return SESSION.write(StatsSession(number, self.lease_s, readings(watch.stats, now, watch.first)))

    def _of(self, who: Caller, number: str) -> _Watch:
        with self._changed:
            watch = self._open.get(number)
        if watch is None or not (who.root or watch.owner == who.name):
            raise _gone(number)
        return watch

    def _end_in_time(self) -> None:
        """A thread for as long as there is one to end; called with the lock."""
        if self._ending is None:
            self._ending = threading.Thread(target=self._end_each, name="watches", daemon=True)
            self._ending.start()
        self._changed.notify_all()

    def _end_each(self) -> None:
        while True:
            with self._changed:
                if not self._open:
                    self._ending = None
                    return
                now = self._clock()
                over = [number for number, watch in self._open.items() if watch.ends_at <= now]
                ended = [self._open.pop(number) for number in over]
                if not ended:
                    self._changed.wait(min(watch.ends_at for watch in self._open.values()) - now)
            for watch in ended:
                with suppress(OSError):
                    watch.close()


def _gone(number: str) -> NetweatherError:
    return NetweatherError(
        "no-such-watch",
        f"no statistics session has the number {number[:40]!r}",
        "no client read it for 15 s, or it belongs to another user",
        "start a new one: netweather stats TARGET",
    )
