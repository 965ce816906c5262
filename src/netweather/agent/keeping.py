"""The agent as keeper of all its targets: what a process per target does in direct mode (netweather.keeper), in one.

Leases end in time, dead pumps are started again, what is cleared loses its devices in the background, and after a restart each
condition goes on with the time that is left of it. Each target has a task here; its work is done in threads.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from netweather.agent.events import Events
from netweather.agent.peering import Peering, changing
from netweather.engine import Engine, entries
from netweather.errors import NetweatherError
from netweather.keeper import RETRY_S, TURN_S, Keeper
from netweather.kernel import keeper_process, namespaces
from netweather.targets import is_named

LOG: Final = logging.getLogger("netweather.agent")
THREADS: Final = 4
LOOKS_A_SECOND: Final = 50.0
"""How often it looks around in all, however many targets there are."""


@dataclass
class _Kept:
    """A target that is kept. changed: something was asked of it, so that it is to be looked at now."""

    keeper: Keeper
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    conditions: dict[str, int] = field(default_factory=dict)
    """The names that it had, and their deadlines."""


class Keeping:
    """Keeps targets while `run` runs. engine: one that takes devices away (devices_later unset) and whose `keep` is ours."""

    def __init__(self, engine: Engine, events: Events) -> None:
        self.engine, self.events = engine, events
        self.peering = Peering(engine, events)
        self.cleared: Callable[[str], None] = lambda name: None
        """Told of a condition that somebody else ended before its time, while its target lives."""
        self._kept: dict[str, _Kept] = {}
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="keep")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._group: asyncio.TaskGroup | None = None
        self._stop = asyncio.Event()

    @property
    def count(self) -> int:
        """How many targets are kept now."""
        return len(self._kept)

    async def run(self, ready: Callable[[], Awaitable[None]]) -> None:
        """Takes over what an agent before left, awaits `ready`, and keeps targets until `stop`."""
        self._loop = asyncio.get_running_loop()
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                await self._resume()
                await ready()
                await self._stop.wait()
                for kept in self._kept.values():
                    kept.changed.set()
        finally:
            self._pool.shutdown()

    def stop(self) -> None:
        """Lets all targets go as they are: the kernel ends each condition in time, and the next agent goes on with it."""
        self._stop.set()

    # from any thread

    def keep(self, directory: Path, fd: int, state: Path) -> None:
        """The engine's `keep`: this target is ours, unless another process keeps it already."""
        if self._loop is not None and keeper_process.claim(directory):
            self._loop.call_soon_threadsafe(self._take, directory.name, os.dup(fd))

    def look(self, identity: str) -> None:
        """Something of this target was changed, or tried: whatever is left to do is done soon."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._look, identity)

    # in the loop

    def _look(self, identity: str) -> None:
        if identity in self._kept:
            self._kept[identity].changed.set()
        elif self._group is not None and self.engine.journal.directory(identity).exists():
            self._group.create_task(self._adopt(identity))

    def _take(self, identity: str, fd: int) -> None:
        if identity in self._kept or self._group is None or self._stop.is_set():
            os.close(fd)
            self._look(identity)
            return
        self._kept[identity] = _Kept(Keeper(self.engine, identity, fd))
        self._group.create_task(self._serve(identity, self._kept[identity], fd))

    async def _serve(self, identity: str, kept: _Kept, fd: int) -> None:
        """Until nothing is left to keep."""
        try:
            while not self._stop.is_set():
                kept.changed.clear()
                more, pause = await self._turn(kept)
                if not more and not kept.changed.is_set():
                    break
                try:
                    await asyncio.wait_for(kept.changed.wait(), pause)
                except TimeoutError:
                    continue
        finally:
            await self._in_thread(self.peering.drop, identity)
            del self._kept[identity]
            kept.keeper.close()
            os.close(fd)

    async def _turn(self, kept: _Kept) -> tuple[bool, float]:
        """(whether there is more to keep, seconds until the next look)."""
        keeper = kept.keeper
        try:
            more = await self._in_thread(keeper.turn)
        except (NetweatherError, OSError) as error:
            LOG.warning("%s: %s", keeper.identity, error)
            return True, RETRY_S
        await self._tell_of_ended(kept, more=more)
        if more and keeper.entry is not None and changing(keeper.entry) != self.peering.words(keeper.identity):
            await self._in_thread(self.peering.follow, keeper.entry.target, keeper.fd, changing(keeper.entry))
        return more, keeper.pause(max(TURN_S, len(self._kept) / LOOKS_A_SECOND))

    async def _tell_of_ended(self, kept: _Kept, *, more: bool) -> None:
        entry, before = kept.keeper.entry, kept.conditions
        kept.conditions = {c.condition.name: c.deadline for c in entry.conditions} if entry and more else {}
        now = namespaces.boot_ns()
        for name in sorted(before.keys() - kept.conditions.keys()):
            self.events.publish("condition-ended", name=name, target=entry.target.reference if entry else "")
            if before[name] > now and entry is not None and is_named(entry.target):
                await self._in_thread(self.cleared, name)

    async def _in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)

    # what an agent before left

    async def _resume(self) -> None:
        async with asyncio.TaskGroup() as group:
            for identity in self.engine.journal.identities():
                group.create_task(self._adopt(identity))

    async def _adopt(self, identity: str) -> None:
        """Goes on with a target that nobody keeps: what is over ends, the rest is made whole."""
        try:
            names = await self._in_thread(self._make_whole, identity)
        except (NetweatherError, OSError) as error:
            LOG.warning("%s: %s", identity, error)
            return
        for target, name in names:
            self.events.publish("condition-resumed", name=name, target=target)

    def _make_whole(self, identity: str) -> list[tuple[str, str]]:
        journal = self.engine.journal
        if keeper_process.running(journal.directory(identity)):  # a process of direct mode's keeps it
            return []
        entry = journal.read(identity)
        if entry is None:
            return []
        with entries.opened(entry.target) as fd:
            if fd is None:
                self.engine.sweep()
                return []
            if not self.engine.expire(identity, fd):
                return []
            self.keep(journal.directory(identity), fd, self.engine.settings.state)
        left = journal.read(identity)
        return [(left.target.reference, c.condition.name) for c in left.conditions] if left else []
