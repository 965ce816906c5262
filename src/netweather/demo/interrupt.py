"""Ctrl-C, SIGTERM and SIGHUP end the demo at points where it waits, never in the middle of a change.

A second signal of the kind ends the wait for such a point. Signals are a process's: use it in the main thread only.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Sequence
from types import FrameType
from typing import Any, Self

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """Somebody wants the demo to end. number: the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class Interrupts:
    """A context manager: within it the signals are only noted, and `wait` raises Interrupted."""

    def __init__(self) -> None:
        self.number: int | None = None
        self._shielded = False
        self._before: dict[int, Any] = {}
        self._reader, self._writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def __enter__(self) -> Self:
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup leaves it
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self._reader)
        os.close(self._writer)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        again, self.number = self.number is not None, number
        os.write(self._writer, b"!")
        if again and not self._shielded:
            raise Interrupted(number)

    def shield(self) -> None:
        """From now on nothing is interrupted: what was made is being taken away."""
        self._shielded = True

    def wait(self, fds: Sequence[int], patience_s: float) -> list[int]:
        """Those of the descriptors that are readable; none when the time is over. Raises Interrupted."""
        watched = [*fds] if self._shielded else [*fds, self._reader]
        deadline = time.monotonic() + patience_s
        while True:
            if self.number is not None and not self._shielded:
                raise Interrupted(self.number)
            readable, _, _ = select.select(watched, [], [], max(0.0, deadline - time.monotonic()))
            if found := [fd for fd in readable if fd != self._reader]:
                return found
            if time.monotonic() >= deadline:
                return []
