"""The addresses of peers, kept current: host names are asked for again when their TTL is over, containers when they come and go.

An iterator for the agent, which puts what it yields in force. Not here: how a peer becomes addresses (`peers`).
"""

from __future__ import annotations

import math
import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Final

from netweather.clock import CLOCK, Clock
from netweather.errors import NetweatherError, UsageError, target_is_gone
from netweather.targets.following import Follower, Started, follow
from netweather.targets.model import Prefix, Target
from netweather.targets.peers import resolved
from netweather.targets.references import is_reference

if TYPE_CHECKING:
    from types import TracebackType

PeerSet = dict[str, tuple[Prefix, ...]]
_RETRY: Final = 5.0
_ANEW: Final = 30.0  # a container may get another address without coming or going
_END: Final = None


class Peers:
    """What the words mean now, by word, whenever any of it changed: an iterator for one thread, and a context manager.

    words: as users write peers; target: whose resolver knows host names. The first comes at once. A host name that does not resolve keeps
    what it had (the first time: nothing); a reference that names nothing any more has no addresses, since somebody else may get them.
    on_problem: told of each, with the word, once until it is over.
    """

    def __init__(
        self,
        words: Iterable[str],
        target: Target | None = None,
        on_problem: Callable[[str, NetweatherError], None] | None = None,
        clock: Clock = CLOCK,
    ) -> None:
        self._clock = clock
        self._target = target
        self._on_problem = on_problem or (lambda word, problem: None)
        self._hints: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._due = dict.fromkeys(dict.fromkeys(words), 0.0)  # by word: when it is to be asked for again
        self._current: PeerSet = dict.fromkeys(self._due, ())
        self._told: dict[str, str] = {}
        self._closed = threading.Event()
        self._sets = self._follow()
        with ExitStack() as undo:
            self._followers = {word: undo.enter_context(follow(word)) for word in self._due if is_reference(word)}
            undo.pop_all()
        self._threads = [threading.Thread(target=self._listen, args=each, daemon=True) for each in self._followers.items()]
        for thread in self._threads:
            thread.start()

    def __iter__(self) -> Iterator[PeerSet]:
        return self

    def __next__(self) -> PeerSet:
        return next(self._sets)

    def __enter__(self) -> Peers:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the iteration, also one that waits; may be repeated."""
        self._closed.set()
        self._hints.put(_END)
        for follower in self._followers.values():
            follower.close()
        for thread in self._threads:
            thread.join()

    def _listen(self, word: str, follower: Follower) -> None:
        """Say that a word wants looking at. In a thread of its own for each reference."""
        for event in follower:
            if isinstance(event, Started):
                event.target.close()
            self._hints.put(word)

    def _follow(self) -> Generator[PeerSet, None, None]:
        first = True
        while not self._closed.is_set():
            before = dict(self._current)
            for word in [word for word, due in self._due.items() if due <= self._clock.now()]:
                self._renew(word)
            if first or self._current != before:
                yield dict(self._current)
            first = False
            self._wait()

    def _wait(self) -> None:
        """Until a word is due, or is said to want looking at."""
        soonest = min(self._due.values(), default=math.inf) - self._clock.now()
        with suppress(queue.Empty):
            hint = self._clock.get(self._hints, None if soonest == math.inf else max(0.0, soonest))
            while hint is not _END:
                self._due[hint] = 0.0
                hint = self._hints.get_nowait()

    def _renew(self, word: str) -> None:
        try:
            peers, ttl = resolved(word, self._target)
        except UsageError as error:
            self._due[word] = math.inf
            self._tell(word, error)
        except NetweatherError as error:
            if is_reference(word) and (target_is_gone(error) or error.code == "peer-without-address"):
                self._current[word] = ()
            self._due[word] = self._clock.now() + _RETRY
            self._tell(word, error)
        else:
            self._told.pop(word, None)
            self._current[word] = tuple(peer.prefix for peer in peers)
            self._due[word] = self._clock.now() + (_ANEW if is_reference(word) else ttl)

    def _tell(self, word: str, problem: NetweatherError) -> None:
        if self._told.get(word) != problem.code:
            self._told[word] = problem.code
            self._on_problem(word, problem)
