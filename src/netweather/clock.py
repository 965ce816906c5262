"""Time, as whoever waits is given it: the machine's own here; a test's (tests/support/clock.py) passes at once."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from netweather.kernel import namespaces, waiting

T = TypeVar("T")


class Waitable(Protocol):
    """A threading.Event, or a threading.Condition that is held."""

    def wait(self, timeout: float | None = None, /) -> bool: ...


class Clock:
    """The machine's time. Seconds are of a clock that never jumps."""

    def boot_ns(self) -> int:
        """The clock of leases, in nanoseconds; see `namespaces.boot_ns`."""
        return namespaces.boot_ns()

    def boot(self) -> float:
        """The same in seconds."""
        return self.boot_ns() / 1e9

    def now(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()

    def pause(self, seconds: float) -> None:
        """Waits for time alone to pass."""
        waiting.pause(seconds)

    def wait(self, waited: Waitable, seconds: float | None) -> bool:
        """Waits until it is notified or set, at most so long (None: for ever). Returns whether it was."""
        return waited.wait(seconds)

    def get(self, items: queue.SimpleQueue[T], seconds: float | None) -> T:
        """The next item. Raises queue.Empty when none came in time (None: for ever)."""
        return items.get(timeout=seconds)

    def later(self, seconds: float, action: Callable[[], None]) -> Callable[[], None]:
        """Runs an action after so long, in a thread of its own. Returns what calls it off."""
        timer = threading.Timer(max(0.0, seconds), action)
        timer.daemon = True
        timer.start()
        return timer.cancel


CLOCK: Final = Clock()
