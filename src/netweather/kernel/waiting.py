"""Waiting: always for something, always with an end. The one place that sleeps."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(holds: Callable[[], bool], patience_s: float, step_s: float = 0.005) -> bool:
    """Waits until something holds; returns whether it did within the patience."""
    deadline = time.monotonic() + patience_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(step_s)
    return True


def pause(seconds: float) -> None:
    """Waits for time alone to pass: for packets under way, or a watcher's next look."""
    time.sleep(seconds)
