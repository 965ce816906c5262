"""Peers kept current: what a name or a container means is asked again and put in force. A thread for each target that names any.

Not here: what a word means (targets.peers), and how other addresses are put in force (engine.peer_update).
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final

from netweather.agent.events import Events
from netweather.conditions.peer_kinds import is_address, is_reference
from netweather.engine import Engine
from netweather.engine.peer_update import repeer
from netweather.errors import NetweatherError
from netweather.journal import Entry
from netweather.results import TargetRef
from netweather.targets import Target
from netweather.targets.peers import Peers

LOG: Final = logging.getLogger("netweather.agent")


def changing(entry: Entry) -> tuple[str, ...]:
    """The peers that the conditions name and that may mean something else later: all but addresses."""
    words = dict.fromkeys(word for each in entry.conditions for word in each.peers)
    return tuple(word for word in words if not is_address(word))


@dataclass
class _Asking:
    words: tuple[str, ...]
    peers: Any
    thread: threading.Thread


class Peering:
    """Which targets' peers are asked for. peers: makes what yields their sets."""

    def __init__(self, engine: Engine, events: Events, peers: Callable[[Iterable[str], Target], Any] = Peers) -> None:
        self.engine, self.events, self.peers = engine, events, peers
        self._asking: dict[str, _Asking] = {}
        self._lock = threading.Lock()

    def words(self, identity: str) -> tuple[str, ...]:
        """What is asked for, for this target."""
        with self._lock:
            asking = self._asking.get(identity)
            return asking.words if asking else ()

    def follow(self, whose: TargetRef, fd: int, words: tuple[str, ...]) -> None:
        """From now on these words are kept current for this target, in place of others; none: nothing is asked."""
        with self._lock:
            before = self._asking.pop(whose.identity, None)
            if words:
                target = Target(
                    whose.reference, whose.name, os.dup(fd), whose.dev, whose.ino, whose.pid, whose.path, whose.runtime
                )
                peers = self.peers(words, target)
                thread = threading.Thread(target=self._run, args=(target, peers), name=f"peers {whose.name}", daemon=True)
                self._asking[whose.identity] = _Asking(words, peers, thread)
                thread.start()
        if before is not None:
            before.peers.close()

    def drop(self, identity: str) -> None:
        """Nothing is asked for this target any more."""
        with self._lock:
            before = self._asking.pop(identity, None)
        if before is not None:
            before.peers.close()

    def _run(self, target: Target, sets: Any) -> None:
        with ExitStack() as stack:
            stack.enter_context(target)
            for found in sets:
                # A name that never resolved here keeps what it meant when it was set; a container that is gone means nothing.
                known = {word: prefixes for word, prefixes in found.items() if prefixes or is_reference(word)}
                try:
                    if repeer(self.engine, target, known):
                        plain = {word: [str(each) for each in prefixes] for word, prefixes in known.items()}
                        self.events.publish("peers-changed", target=target.reference, peers=plain)
                except (NetweatherError, OSError) as error:
                    LOG.warning("peers of %s: %s", target.reference, error)
