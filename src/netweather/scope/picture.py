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

from netweather.errors import NetweatherError, reason
from netweather.kernel.sockets.netns_stats import Faring
from netweather.results import ConditionStatus
from netweather.service import Service
from netweather.targets.census import Container, ContainerState

LOG: Final = logging.getLogger("netweather.scope")
PAUSE_S: Final = 1.0
IDLE_S: Final = 10.0
"""Without a question for so long, nothing is looked at."""
ENDED_S: Final = 20.0
"""How long an ended condition is kept: Scope's app shows what it was last told for 15 s, whatever later reports leave out."""
SHARE: Final = 0.25
"""Of one processor's time at most, however many containers there are."""
ConditionsByTarget = Mapping[str, tuple["SeenCondition", ...]]


@dataclass(frozen=True)
class SeenCondition:
    """A condition on one target, as seen at a time (seconds since the epoch). ended_at: when it was no longer there."""

    shown: ConditionStatus
    seen_at: float
    ended_at: float | None = None

    @property
    def name(self) -> str:
        return self.shown.condition.name

    @property
    def ends_at(self) -> float | None:
        """When its lease expires, in seconds since the epoch; None: never."""
        left = self.shown.remaining_ns
        return None if left is None else self.seen_at + left / 1e9

    @property
    def packets(self) -> int:
        return sum(rule.packets for rule in self.shown.rules)

    @property
    def dropped(self) -> int:
        return sum(rule.dropped for rule in self.shown.rules)


@dataclass(frozen=True)
class NetworkFigures:
    """How one network fares, as seen at a time. again_per_s: segments sent again."""

    faring: Faring
    seen_at: float
    again_per_s: float | None = None

    def after(self, before: NetworkFigures | None) -> NetworkFigures:
        """The same with its rate since it was seen before."""
        if before is None or self.seen_at <= before.seen_at or self.faring.retransmits < before.faring.retransmits:
            return self
        again = (self.faring.retransmits - before.faring.retransmits) / (self.seen_at - before.seen_at)
        return replace(self, again_per_s=again)


@dataclass(frozen=True)
class Picture:
    """All of it at one time. conditions, fares: by the target's identity. problem: why it may be old, in words.

    ended: by a container's id, the conditions that ended in the last ENDED_S.
    """

    containers: tuple[Container, ...] = ()
    conditions: ConditionsByTarget = field(default_factory=dict)
    problem: str = ""
    fares: Mapping[str, NetworkFigures] = field(default_factory=dict)
    ended: ConditionsByTarget = field(default_factory=dict)

    def of(self, container: Container) -> tuple[SeenCondition, ...]:
        return self.conditions.get(container.identity or "", ())

    def ended_of(self, container: Container) -> tuple[SeenCondition, ...]:
        return self.ended.get(container.id, ())

    def fares_of(self, container: Container) -> NetworkFigures | None:
        return self.fares.get(container.identity or "")


class Looks(Protocol):
    """`targets.census.Census` is one."""

    def look(self) -> tuple[list[Container], list[NetweatherError]]: ...

    def states(self) -> tuple[Mapping[str, ContainerState], bool]: ...

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
        shown: list[ConditionStatus] | None = None
        began = time.monotonic()
        try:
            shown = self.service.show(lived=True)
        except (NetweatherError, OSError) as error:
            problems.append(error if isinstance(error, NetweatherError) else NetweatherError("kernel-refused", reason(error)))
        for problem in problems:
            LOG.warning("%s: %s", problem.what, problem.why)
        with self._lock:
            conditions = self._picture.conditions if shown is None else self._unless_newer(self._standing(shown), began)
            picture = Picture(tuple(containers), conditions, "; ".join(each.what for each in problems), fares)
            self._picture = self._with_ended(picture)

    def look_at(self, container: Container) -> None:
        """Looks at the conditions of one container. Raises NetweatherError."""
        shown = self.service.show([container.reference], lived=True)
        with self._lock:
            found = self._standing(shown)
            gone = {container.identity or "", *found}  # it may have restarted since the last look
            self._pressed |= dict.fromkeys(gone, time.monotonic())
            kept = {key: value for key, value in self._picture.conditions.items() if key not in gone}
            self._picture = self._with_ended(replace(self._picture, conditions={**kept, **found}))

    def look_at_states(self) -> None:
        """Asks the engines which containers run, and nothing else: a paused one has other controls from then on."""
        states, whole = self.census.states()
        with self._lock:
            listed = [each for each in self._picture.containers if each.id in states or not whole]
            containers = tuple(_in_state(each, states.get(each.id, each.state)) for each in listed)
            if containers != self._picture.containers:
                self._picture = self._with_ended(replace(self._picture, containers=containers))

    def _unless_newer(self, found: ConditionsByTarget, began: float) -> ConditionsByTarget:
        """What was found, but of targets that were looked at since it was begun what was seen then."""
        self._pressed = {identity: at for identity, at in self._pressed.items() if at > began}
        now = self._picture.conditions
        old = {identity: each for identity, each in found.items() if identity not in self._pressed}
        return old | {identity: now[identity] for identity in self._pressed if identity in now}

    def _fares(self, farings: Mapping[str, Faring]) -> dict[str, NetworkFigures]:
        now, before = self.clock(), self._picture.fares
        return {identity: NetworkFigures(faring, now).after(before.get(identity)) for identity, faring in farings.items()}

    def _standing(self, shown: Iterable[ConditionStatus]) -> dict[str, tuple[SeenCondition, ...]]:
        now = self.clock()
        found: dict[str, tuple[SeenCondition, ...]] = {}
        for each in shown:
            identity = each.target.identity
            found[identity] = (*found.get(identity, ()), SeenCondition(each, now))
        return found

    def _with_ended(self, picture: Picture) -> Picture:
        """The same with the conditions that ended since the picture before, and those that ended a short time ago."""
        now, before = self.clock(), self._picture
        there = {each.id: {one.name for one in picture.of(each)} for each in picture.containers}
        old = {**before.ended, **{each.id: (*before.ended_of(each), *before.of(each)) for each in before.containers}}
        found = {}
        for container, many in old.items():  # also one that is not listed while it restarts
            ended = {each.name: replace(each, ended_at=each.ended_at or now) for each in many}
            kept = [each for name, each in ended.items() if name not in there.get(container, ())]
            found[container] = tuple(each for each in kept if now - (each.ended_at or now) < ENDED_S)
        return replace(picture, ended={container: many for container, many in found.items() if many})


def _in_state(container: Container, state: ContainerState) -> Container:
    """The container in a state that it was just seen in. One that has started since the last look has no known network yet."""
    if state == container.state:
        return container
    return replace(container, state=state, identity=None if "stopped" in (state, container.state) else container.identity)
