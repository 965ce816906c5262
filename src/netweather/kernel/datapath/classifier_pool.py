"""Classifiers loaded before anybody asks for one: the kernel's verifier takes 16 ms and more for each, most of a first `set`.

A spare belongs to nobody until it is taken: it is attached nowhere, and goes with its descriptors.
"""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from netweather.errors import NetweatherError
from netweather.kernel.datapath.classifier import Classifier
from netweather.kernel.datapath.spec import PORT_ROOM, Room

ROOMS: Final = (Room(64, 64, 1), Room(64, 64, PORT_ROOM))
"""What most conditions need: without ports, and with them."""
REST_S: Final = 0.2
"""After so long another is loaded: the verifier at work keeps the kernel's grace periods long, for which whoever took one just waits."""


class Spares:
    """One spare for each of these rooms; another is loaded in the background when one is taken. Any thread may use it."""

    def __init__(self, rooms: tuple[Room, ...] = ROOMS) -> None:
        self._rooms = rooms
        self._ready: dict[Room, Classifier] = {}
        self._lock = threading.Lock()
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="spares")
        self._closed = threading.Event()

    def fill(self) -> None:
        """Begins to load what is missing. Needs root."""
        with self._lock:
            for room in self._rooms:
                if room not in self._ready and not self._closed.is_set():
                    self._loader.submit(self._fill, room)

    def load(self, room: Room, kept: Classifier | None = None) -> Classifier:
        """As `Classifier.load`, at once when there is a spare. One that takes over from another has to be loaded for that."""
        if kept is not None:
            return Classifier.load(room, kept)
        with self._lock:
            found = self._ready.pop(room, None)
        self.fill()
        return found or Classifier.load(room)

    def close(self) -> None:
        """Lets the spares go."""
        with self._lock:
            self._closed.set()
        self._loader.shutdown()
        for spare in self._ready.values():
            spare.close()
        self._ready.clear()

    def _fill(self, room: Room) -> None:
        if room in self._ready or self._closed.wait(REST_S):
            return
        with contextlib.suppress(NetweatherError, OSError):  # whoever asks for one is told why there is none
            self._ready[room] = Classifier.load(room)
