"""Whether this machine stood still while something was measured: others use it too, and what comes late then is not ours.

A thread on each processor sleeps for a moment, again and again, and remembers the longest moment.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Self

MOMENT = 0.005


class Watch:
    """`with Watch() as watch:` then `watch.stall`, seconds that a thread ready to run had to wait."""

    def __init__(self) -> None:
        self.stall = 0.0
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(cpu,), daemon=True) for cpu in os.sched_getaffinity(0)]

    def _run(self, cpu: int) -> None:
        os.sched_setaffinity(0, {cpu})
        while not self._stop.is_set():
            before = time.monotonic()
            time.sleep(MOMENT)
            self.stall = max(self.stall, time.monotonic() - before - MOMENT)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
