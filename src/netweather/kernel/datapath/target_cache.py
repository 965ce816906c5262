"""Targets that stay open between operations, for a process that serves many: an agent.

What is kept is descriptors, mapped memory and the threads that have entered the namespaces; opening them took a change most of its time.
Each operation still reads the kernel first, and opens anew what somebody else has replaced (`RealTarget.observe`).
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Final

from netweather.kernel.datapath.classifier import Classifier
from netweather.kernel.datapath.real import Load, RealTarget

MOST: Final = 32
"""How many are kept; of more, those used last. Each has two threads and some 30 descriptors."""


class _Cached(RealTarget):
    """One that is given back when it is closed, and really closed after a failure, when nobody knows how far it came."""

    def __init__(self, fd: int, directory: Path, hook: str | None, load: Load, give_back: Callable[[_Cached], None]) -> None:
        super().__init__(fd, directory, hook, load)
        self._give_back = give_back
        self.ended = False

    def close(self) -> None:
        self._give_back(self)

    def end(self) -> None:
        self.ended = True
        super().close()

    def __exit__(self, *failure: object) -> None:
        if any(failure):
            self.end()
        else:
            self.close()


class KeptTargets:
    """Opens targets as `RealTarget` does, and keeps those that were closed. Any thread may use it.

    Whoever has one open has it alone: another who opens the same target meanwhile gets one of its own. load: as RealTarget's.
    wanted: whether a directory's target may be held on; whoever answers no from now on calls `drop`, once for all.
    """

    def __init__(self, most: int = MOST, load: Load = Classifier.load, wanted: Callable[[Path], bool] = Path.exists) -> None:
        self._most, self._load, self._wanted = most, load, wanted
        self._idle: OrderedDict[Path, _Cached] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, fd: int, directory: Path, hook: str | None = None) -> RealTarget:
        with self._lock:
            found = self._idle.pop(directory, None)
        if found is not None:
            status = os.fstat(fd)
            if found.namespace.identity == (status.st_dev, status.st_ino) and hook in (None, found.hook.name):
                return found
            found.end()
        return _Cached(fd, directory, hook, self._load, self._take_back)

    def drop(self, directory: Path) -> None:
        """Nothing of this target is wanted any more: its namespace must not be held."""
        with self._lock:
            found = self._idle.pop(directory, None)
        if found is not None:
            found.end()

    def close(self) -> None:
        """Closes all that are kept."""
        for directory in list(self._idle):
            self.drop(directory)

    def _take_back(self, target: _Cached) -> None:
        over = []
        with self._lock:
            if target.ended:  # it was dropped between two closings, and its directory may be another namespace's by now
                return
            before = self._idle.pop(target.directory, None)
            if before is not None and before is not target:
                over.append(before)
            if self._wanted(target.directory):
                self._idle[target.directory] = target
            else:
                over.append(target)
            while len(self._idle) > self._most:
                over.append(self._idle.popitem(last=False)[1])
        for each in over:
            each.end()
