"""Every container of the engines on this machine, with its state and the namespace it lives in: for who shows them all.

A look is one list of each engine; namespaces are opened once and then only compared, so that it stays cheap for hundreds. Nothing is held
open. Not here: what a reference names (resolving), and being told of changes (following).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Literal

from netweather.errors import NetweatherError
from netweather.kernel.sockets.netns_stats import Faring, farings
from netweather.targets.liveness import is_named
from netweather.targets.model import Target
from netweather.targets.resolving import resolve

ContainerState = Literal["running", "paused", "stopped"]
_PATIENCE_S: Final = 10.0
"""Until what can be no target is tried again."""
_LASTING: Final = ("host-namespace", "target-elsewhere", "needs-root")
"""Why it can't; what else is wrong, such as a restart under way, is over at the next look."""
_AT_ONCE: Final = 8


@dataclass(frozen=True)
class ListedContainer:
    """What an engine's list says of a container. reference: names whose network it has: its own, or its pod's sandbox."""

    id: str
    name: str
    runtime: Literal["docker", "cri"]
    state: ContainerState
    reference: str


@dataclass(frozen=True)
class Container(ListedContainer):
    """The same, with the identity of its namespace; None when that could not be opened, and then `note` says why."""

    identity: str | None = None
    note: str = ""


@dataclass(frozen=True)
class _Opened:
    """Where a namespace was found: a `Located`."""

    dev: int
    ino: int
    pid: int | None
    path: str | None


def docker_containers() -> list[ListedContainer]:
    """Those of Docker that run, are paused or have stopped. Raises NetweatherError as DockerApi does."""
    from netweather.targets.runtimes._dockerapi import DockerApi

    states: Mapping[str, ContainerState] = {"running": "running", "paused": "paused", "exited": "stopped", "dead": "stopped"}
    found = DockerApi.from_environment().containers(every=True)
    return [
        ListedContainer(each.id, each.name, "docker", states[each.state], f"docker:{each.id}")
        for each in found
        if each.state in states
    ]


def cri_containers() -> list[ListedContainer]:
    """Those of the CRI runtime that run. Raises NetweatherError as CriApi does."""
    from netweather.targets.runtimes._criapi import CriApi

    found = CriApi.from_environment().containers()
    return [ListedContainer(each.id, each.name, "cri", "running", f"cri:{each.sandbox}") for each in found if each.running]


SOURCES: Final = (docker_containers, cri_containers)


class Census:
    """The containers as they were at the last look. For one thread, except `states`."""

    def __init__(
        self,
        sources: Iterable[Callable[[], list[ListedContainer]]] = SOURCES,
        open_targets: Callable[[str], list[Target]] = resolve,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sources, self._open, self._clock = tuple(sources), open_targets, clock
        self._found: dict[str, _Opened] = {}
        self._failed: dict[str, tuple[float, str]] = {}  # by reference: when to try again, and why not

    def look(self) -> tuple[list[Container], list[NetweatherError]]:
        """All containers, and the problems of engines that are here and don't answer."""
        listed, problems = self._list()
        running = {each.reference for each in listed if each.state == "running"}
        references = {each.reference for each in listed}
        self._found = {word: found for word, found in self._found.items() if word in references and is_named(found)}
        now = self._clock()
        self._failed = {word: told for word, told in self._failed.items() if word in running and told[0] > now}
        wanted = sorted(running - self._found.keys() - self._failed.keys())
        if wanted:
            with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="census") as pool:
                list(pool.map(self._look_up, wanted))
        return [self._container(each) for each in listed], problems

    def states(self) -> tuple[dict[str, ContainerState], bool]:
        """The state of each container by its id, as the engines list them now, and whether all engines answered. For any thread."""
        listed, problems = self._list()
        return {each.id: each.state for each in listed}, not problems

    def farings(self) -> dict[str, Faring]:
        """How the networks of the last look's containers fare, by identity; without those that are gone by now."""
        return {f"{dev}-{ino}": faring for (dev, ino), faring in farings(self._found.values()).items()}

    def _list(self) -> tuple[list[ListedContainer], list[NetweatherError]]:
        listed: list[ListedContainer] = []
        problems = []
        for source in self._sources:
            try:
                listed += source()
            except NetweatherError as error:
                missing = error.code.endswith("-unreachable") and isinstance(error.__cause__, FileNotFoundError)
                if not missing and error.code not in ("cri-unsupported", "no-grpc"):
                    problems.append(error)
        return listed, problems

    def _look_up(self, reference: str) -> None:
        try:
            targets = self._open(reference)
        except NetweatherError as error:
            patience = _PATIENCE_S if error.code in _LASTING else 0.0
            self._failed[reference] = (self._clock() + patience, f"{error.what}: {error.why}" if error.why else error.what)
            return
        for target in targets:
            with target:
                self._found[reference] = _Opened(target.dev, target.ino, target.pid, target.path)

    def _container(self, each: ListedContainer) -> Container:
        found = self._found.get(each.reference)
        note = ""
        with suppress(KeyError):
            note = self._failed[each.reference][1]
        identity = f"{found.dev}-{found.ino}" if found else None
        return Container(each.id, each.name, each.runtime, each.state, each.reference, identity, note)
