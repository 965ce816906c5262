"""What the plugin knows: the containers, and the conditions on each. Looked at in the background, so that a report waits for nobody.

Only while somebody asks: the probe does each second. Not here: how it is told (report), and what changes it (steering).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from netweather.engine import Service, Shown
from netweather.errors import NetweatherError
from netweather.kernel.faring import Faring
from netweather.targets.census import Container

LOG: Final = logging.getLogger("netweather.scope")
PAUSE_S: Final = 1.0
IDLE_S: Final = 10.0
"""Without a question for so long, nothing is looked at."""
SHARE: Final = 0.25
"""Of one processor's time at most, however many containers there are."""
Conditions = Mapping[str, tuple["Standing", ...]]


@dataclass(frozen=True)
class Standing:
    """A condition on one target, as seen at a time (seconds since the epoch). packets, dropped: of all its rules, a second each."""

    shown: Shown
    seen_at: float
    packets_per_s: float | None = None
    dropped_per_s: float | None = None

    @property
    def ends_at(self) -> float | None:
        """When its lease is over, in seconds since the epoch; None: never."""
        left = self.shown.remaining_ns
        return None if left is None else self.seen_at + left / 1e9

    @property
    def packets(self) -> int:
        return sum(rule.packets for rule in self.shown.rules)

    @property
    def dropped(self) -> int:
        return sum(rule.dropped for rule in self.shown.rules)

    def after(self, before: Standing | None) -> Standing:
        """The same with its rates since it was seen before."""
        if before is None or self.seen_at <= before.seen_at or self.packets < before.packets:
            return self
        seconds = self.seen_at - before.seen_at
        rates = ((now - then) / seconds for now, then in ((self.packets, before.packets), (self.dropped, before.dropped)))
        return replace(self, packets_per_s=next(rates), dropped_per_s=next(rates))


@dataclass(frozen=True)
class Fares:
    """How one network fares, as seen at a time. The rest is of a second: segments sent again, bytes in and out."""

    faring: Faring
    seen_at: float
    again_per_s: float | None = None
    received_per_s: float | None = None
    sent_per_s: float | None = None

    def after(self, before: Fares | None) -> Fares:
        """The same with its rates since it was seen before."""
        if before is None or self.seen_at <= before.seen_at:
            return self
        now, then, seconds = self.faring, before.faring, self.seen_at - before.seen_at
        moved = (now.retransmits - then.retransmits, now.received - then.received, now.sent - then.sent)
        if min(moved) < 0:  # an interface went away, and its numbers with it
            return self
        return Fares(now, self.seen_at, *(each / seconds for each in moved))


@dataclass(frozen=True)
class Picture:
    """All of it at one time. conditions, fares: by the target's identity. problem: why it may be old, in words."""

    containers: tuple[Container, ...] = ()
    conditions: Conditions = field(default_factory=dict)
    problem: str = ""
    fares: Mapping[str, Fares] = field(default_factory=dict)

    def of(self, container: Container) -> tuple[Standing, ...]:
        return self.conditions.get(container.identity or "", ())

    def fares_of(self, container: Container) -> Fares | None:
        return self.fares.get(container.identity or "")


class Looks(Protocol):
    """`targets.census.Census` is one."""

    def look(self) -> tuple[list[Container], list[NetweatherError]]: ...

    def farings(self) -> Mapping[str, Faring]: ...


class Painter:
    """Keeps the picture current. Every method but `run` may be called by any thread."""

    def __init__(self, service: Service, census: Looks, clock: Callable[[], float] = time.time) -> None:
        self.service, self.census, self.clock = service, census, clock
        self._picture = Picture()
        self._pressed: dict[str, float] = {}  # by identity: when `look_at` was last there
        self._lock = threading.Lock()
        self._asked = threading.Event()
        self._last = 0.0
        self._closed = False

    @property
    def picture(self) -> Picture:
        """As it is now; who asks keeps it current."""
        self._last = time.monotonic()
        self._asked.set()
        return self._picture

    def run(self) -> None:
        """Looks again and again until `close`."""
        while not self._closed:
            began = time.monotonic()
            self.look()
            now = time.monotonic()
            self._wait(max(PAUSE_S, (now - began) / SHARE - (now - began)))

    def close(self) -> None:
        self._closed = True
        self._asked.set()

    def _wait(self, pause_s: float) -> None:
        until = time.monotonic() + pause_s
        while not self._closed and time.monotonic() < until:
            self._asked.clear()
            self._asked.wait(until - time.monotonic())
        if time.monotonic() - self._last > IDLE_S and not self._closed:
            self._asked.clear()
            self._asked.wait()

    def look(self) -> None:
        """Looks at everything once. What fails leaves the rest as it was, and is told in the picture."""
        containers, problems = self.census.look()
        fares = self._fares(self.census.farings())
        shown: list[Shown] | None = None
        began = time.monotonic()
        try:
            shown = self.service.show(lived=True)
        except (NetweatherError, OSError) as error:
            problems.append(error if isinstance(error, NetweatherError) else NetweatherError("kernel-refused", str(error)))
        for problem in problems:
            LOG.warning("%s: %s", problem.what, problem.why)
        with self._lock:
            conditions = self._picture.conditions if shown is None else self._unless_newer(self._standing(shown), began)
            self._picture = Picture(tuple(containers), conditions, "; ".join(each.what for each in problems), fares)

    def look_at(self, container: Container) -> None:
        """Looks at the conditions of one container. Raises NetweatherError."""
        shown = self.service.show([container.reference], lived=True)
        with self._lock:
            found = self._standing(shown)
            gone = {container.identity or "", *found}  # it may have restarted since the last look
            self._pressed |= dict.fromkeys(gone, time.monotonic())
            kept = {key: value for key, value in self._picture.conditions.items() if key not in gone}
            self._picture = replace(self._picture, conditions={**kept, **found})

    def _unless_newer(self, found: Conditions, began: float) -> Conditions:
        """What was found, but of targets that were looked at since it was begun what was seen then."""
        self._pressed = {identity: at for identity, at in self._pressed.items() if at > began}
        now = self._picture.conditions
        old = {identity: each for identity, each in found.items() if identity not in self._pressed}
        return old | {identity: now[identity] for identity in self._pressed if identity in now}

    def _fares(self, farings: Mapping[str, Faring]) -> dict[str, Fares]:
        now, before = self.clock(), self._picture.fares
        return {identity: Fares(faring, now).after(before.get(identity)) for identity, faring in farings.items()}

    def _standing(self, shown: Iterable[Shown]) -> dict[str, tuple[Standing, ...]]:
        now = self.clock()
        before = {
            (identity, each.shown.condition.name): each for identity, many in self._picture.conditions.items() for each in many
        }
        found: dict[str, tuple[Standing, ...]] = {}
        for each in shown:
            identity = each.target.identity
            standing = Standing(each, now).after(before.get((identity, each.condition.name)))
            found[identity] = (*found.get(identity, ()), standing)
        return found
