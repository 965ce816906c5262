"""follow("docker:label=tier=web"): targets as they start, restart and go, for as long as it is asked.

One iterator over every runtime. Events only say where to look: what is there is listed and compared, so that an event that was lost or
came twice does no harm, and an engine that restarts is looked at anew. Containers that share a namespace are one target.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from netweather.errors import NetweatherError
from netweather.targets.model import Target, Watch
from netweather.targets.references import parse
from netweather.targets.resolving import refuse_host, runtime

if TYPE_CHECKING:
    from types import TracebackType

_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 2.0
_ALL: Final = ""
_END: Final = None


@dataclass(frozen=True)
class Started:
    """A namespace that was not there before, open: whoever gets it closes it. A restarted container's is another one."""

    target: Target

    @property
    def identity(self) -> str:
        return self.target.identity


@dataclass(frozen=True)
class Gone:
    """Nothing that the reference names has this namespace any more (what lives in it otherwise, if anything, is not followed)."""

    identity: str
    name: str


TargetEvent = Started | Gone


class Follower:
    """The events of one reference: an iterator for one thread, and a context manager. What is there already comes as Started.

    It ends when it is closed, by any thread. Events are made when they are asked for, so a slow consumer gets what is true then.
    on_problem: told of a runtime that fails (it is asked again, after 0.1 to 2 s) and of what cannot be a target, in either thread;
    while a runtime does not answer, nothing counts as gone.
    """

    def __init__(self, reference: str, watch: Watch, on_problem: Callable[[NetweatherError], None] | None = None) -> None:
        self.reference = reference
        self._watch = watch
        self._on_problem = on_problem or (lambda problem: None)
        self._hints: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._closed = threading.Event()
        self._held: dict[str, tuple[str, int]] = {}  # by key: the identity, and a descriptor, so that its number can't come back
        self._names: dict[str, str] = {}
        self._told: dict[str, str] = {}  # by key, "" for the runtime: the code of the problem that was told last
        self._missing: set[str] = set()
        self._failing = False
        self._patience = watch.every
        self._events: Generator[TargetEvent, None, None] = self._follow()
        self._listener = threading.Thread(target=self._listen, name=f"follow {reference}", daemon=True)
        self._listener.start()

    def __iter__(self) -> Iterator[TargetEvent]:
        return self

    def __next__(self) -> TargetEvent:
        return next(self._events)

    def __enter__(self) -> Follower:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the iteration, also one that waits; may be repeated."""
        self._closed.set()
        self._watch.close()
        self._hints.put(_END)
        self._listener.join()
        with suppress(ValueError):  # it runs in another thread, which ends it itself
            self._events.close()

    # the listener's thread

    def _listen(self) -> None:
        """Hand on what changed; connect again whenever the runtime hangs up."""
        pause = _FIRST_PAUSE
        self._hints.put(_ALL)
        while not self._closed.is_set():
            try:
                for key in self._watch.changes():
                    pause = _FIRST_PAUSE
                    self._told.pop(_ALL, None)
                    self._hints.put(key)
                return
            except NetweatherError as error:
                self._tell(_ALL, error)
            self._closed.wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    # the consumer's thread

    def _follow(self) -> Generator[TargetEvent, None, None]:
        try:
            while (changed := self._wait()) is not None:
                yield from _handed_over(self._compare(changed))
        finally:
            for _, fd in self._held.values():
                os.close(fd)
            self._held.clear()

    def _wait(self) -> set[str] | None:
        """The keys that changed, when any did or it is time to look anyway; None at the end."""
        changed: set[str] = set()
        with suppress(queue.Empty):
            hint = self._hints.get(timeout=min(self._patience, self._watch.every))
            while hint is not _END:
                changed.add(hint)
                hint = self._hints.get_nowait()
        return None if self._closed.is_set() else changed

    def _compare(self, changed: set[str]) -> list[TargetEvent]:
        """What came and went since the last look; keys that changed are opened again, even when they are still there."""
        try:
            present = self._watch.present()
        except NetweatherError as error:
            self._tell(_ALL, error)
            self._failing, self._patience = True, _FIRST_PAUSE
            return []
        # After a failure all of it may have changed, as after connecting.
        again = present if self._failing or _ALL in changed else changed & present
        self._failing = False
        opened = self._open(sorted(key for key in present if key in again or key not in self._held))
        self._be_patient(present - self._held.keys() - opened.keys())
        before = {identity for identity, _ in self._held.values()}
        kept = {key: held for key, held in self._held.items() if key in present and key not in again}
        released = [fd for key, (_, fd) in self._held.items() if key not in kept]
        self._held = kept | {key: (target.identity, os.dup(target.netns_fd)) for key, target in opened.items()}
        for fd in released:
            os.close(fd)
        gone = sorted(before - {identity for identity, _ in self._held.values()})
        return [*(Gone(identity, self._names.pop(identity)) for identity in gone), *self._started(opened.values(), before)]

    def _started(self, opened: Iterable[Target], before: set[str]) -> Iterator[TargetEvent]:
        """Those whose namespace was not known; the others are closed."""
        for target in opened:
            if target.identity in before:
                target.close()
                continue
            before.add(target.identity)
            self._names[target.identity] = target.name
            yield Started(target)

    def _be_patient(self, missing: set[str]) -> None:
        """How long to wait for an event before looking again: what is there and could not be opened is tried soon, then ever later."""
        if not missing:
            self._patience = self._watch.every
        elif missing != self._missing:
            self._patience = _FIRST_PAUSE
        else:
            self._patience = min(2 * self._patience, self._watch.every)
        self._missing = missing

    def _tell(self, key: str, problem: NetweatherError) -> None:
        """Once for each kind, until it is over."""
        if self._told.get(key) != problem.code:
            self._told[key] = problem.code
            self._on_problem(problem)

    def _open(self, keys: list[str]) -> dict[str, Target]:
        """The targets of those keys that are there and can be targets."""
        opened: dict[str, Target] = {}
        for key in keys:
            try:
                target = self._watch.open(key)
                if target is not None:
                    opened[key] = target
                    if self.reference != "host":
                        refuse_host([target])
                    self._told.pop(key, None)
            except NetweatherError as error:
                if key in opened:
                    opened.pop(key).close()
                self._tell(key, error)
        return opened


def _handed_over(events: list[TargetEvent]) -> Iterator[TargetEvent]:
    """One by one; targets that nobody asks for any more are closed."""
    try:
        while events:
            yield events.pop(0)
    finally:
        for event in events:
            if isinstance(event, Started):
                event.target.close()


def follow(reference: str, on_problem: Callable[[NetweatherError], None] | None = None) -> Follower:
    """The targets of a reference, as they come and go, also when nothing of it is there yet.

    A container that restarts gives Gone and Started within a second; so does one that comes later under the same label or name.
    Raises UsageError as references.parse does.
    """
    parsed = parse(reference)
    return Follower(reference, runtime(parsed.scheme).watch(parsed), on_problem)
