"""The agent as keeper of all its targets: what a process per target does in direct mode (netweather.keeper), in one.

Leases end in time, dead pumps are started again, what is cleared loses its devices in the background, and what nobody keeps (after a
restart, or because its keeper or the command that made it was killed) goes on with the time that is left of it. Each target has a
task here; its work is done in threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from netweather.agent.events import Events
from netweather.agent.peer_refresh import Peering, changing
from netweather.engine import Engine, entries
from netweather.engine.draining import DRAIN_S
from netweather.errors import NetweatherError
from netweather.keeper import RETRY_S, TURN_S, Keeper
from netweather.kernel import keeper_process, namespaces
from netweather.results import RuleCounters
from netweather.targets import is_named

LOG: Final = logging.getLogger("netweather.agent")
THREADS: Final = 4
LOOKS_A_SECOND: Final = 50.0
"""How often it looks around in all, however many targets there are."""
LINGER_S: Final = 1.0
"""How long a cleared target's devices are left for the next condition: tests that take turns set theirs in a tenth of the time."""
SETTLING_S: Final = 0.02
"""After a change it looks so much later: changes come in rows, and who waits for the answer needs the processor more."""
MOST_COUNTED: Final = 1000
PATROL_S: Final = 0.5
"""Between two looks for targets that nobody keeps."""


@dataclass
class _Kept:
    """A target that is kept. changed: something was asked of it, so that it is to be looked at now."""

    keeper: Keeper
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    conditions: dict[str, tuple[str, int]] = field(default_factory=dict)
    """By name: the reference and the deadline of each at the last look."""
    """The names that it had, and their deadlines."""


class Keeping:
    """Keeps targets while `run` runs. engine: one that takes devices away (devices_later unset) and whose `keep` is ours."""

    def __init__(self, engine: Engine, events: Events) -> None:
        self.engine, self.events = engine, events
        engine.dropped = self._dropped
        self.peering = Peering(engine, events)
        self.cleared: Callable[[str, str], None] = lambda reference, name: None
        """Told of a condition that somebody else ended before its time, while its target lives."""
        self.let_go: Callable[[Path], None] = lambda directory: None
        """Told of the directory of a target that is not kept any more: nothing of it is to be held open."""
        self._kept: dict[str, _Kept] = {}
        self._counted: dict[tuple[str, str], RuleCounters] = {}
        """What conditions that have just ended had counted, by identity and name, until their event is published."""
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="keep")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._group: asyncio.TaskGroup | None = None
        self._stop = asyncio.Event()
        self._told: dict[str, str] = {}
        """What went wrong last with each target that can't be taken over: it is tried for ever, and told once."""

    @property
    def count(self) -> int:
        """How many targets are kept now."""
        return len(self._kept)

    def keeps(self, identity: str) -> bool:
        """Whether this target is kept here, and not by a process of its own or by nobody."""
        return identity in self._kept

    async def run(self, ready: Callable[[], Awaitable[None]]) -> None:
        """Takes over what an agent before left, awaits `ready`, and keeps targets until `stop`."""
        self._loop = asyncio.get_running_loop()
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                await self._adopt_all(await self._in_thread(self._orphans))
                group.create_task(self._patrol())
                await ready()
                await self._stop.wait()
                for kept in self._kept.values():
                    kept.changed.set()
        finally:
            self._pool.shutdown()

    def stop(self) -> None:
        """Lets all targets go as they are: the kernel ends each condition in time, and the next agent goes on with it.

        What is cleared already loses its devices first.
        """
        self._stop.set()

    # from any thread

    def keep(self, directory: Path, fd: int, state: Path) -> None:
        """The engine's `keep`: this target is ours, unless another process keeps it already."""
        if self._loop is not None and keeper_process.claim(directory):
            self._loop.call_soon_threadsafe(self._take, directory.name, os.dup(fd))

    def _dropped(self, identity: str, packets: int) -> None:
        entry = entries.readable(self.engine.journal, identity)
        target = entry.target.reference if entry else identity
        LOG.info("%s: %d held packets were dropped: they had %g s to leave", target, packets, DRAIN_S)
        self.events.publish("held-packets-dropped", target=target, packets=packets)

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
        self._kept[identity] = _Kept(Keeper(self.engine, identity, fd, LINGER_S))
        self._group.create_task(self._serve(identity, self._kept[identity], fd))

    async def _serve(self, identity: str, kept: _Kept, fd: int) -> None:
        """Until nothing is left to keep."""
        try:
            while not self._stop.is_set():
                kept.changed.clear()
                more, pause = await self._turn(kept)
                if not more and not kept.changed.is_set():
                    break
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(kept.changed.wait(), pause)
                    await self._settled()
            if self._stop.is_set():
                kept.keeper.linger_s = 0.0
                await self._turn(kept)
        finally:
            del self._kept[identity]  # first: what is set from now on is kept anew
            await self._in_thread(self.peering.drop, identity)
            kept.keeper.close()
            await self._in_thread(self.let_go, self.engine.journal.directory(identity))
            os.close(fd)
            if kept.changed.is_set() and not self._stop.is_set():  # somebody set something while it was given up
                self._look(identity)

    async def _settled(self) -> None:
        """Waits a moment, or until all stops."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), SETTLING_S)

    async def _turn(self, kept: _Kept) -> tuple[bool, float]:
        """(whether there is more to keep, seconds until the next look)."""
        keeper, stamp = kept.keeper, kept.keeper.stamp
        try:
            more = await self._in_thread(keeper.turn)
            if more and keeper.stamp != stamp and not await self._in_thread(self._claimed, keeper):
                return False, 0.0  # a command took it away and set it anew since the last look, with a keeper of its own
        except Exception as error:  # whatever it is, the other targets are kept on
            LOG.warning("%s: %s", keeper.identity, error, exc_info=not isinstance(error, NetweatherError | OSError))
            return True, RETRY_S
        await self._tell_of_ended(kept, more=more)
        if more and keeper.entry is not None and changing(keeper.entry) != self.peering.words(keeper.identity):
            await self._in_thread(self.peering.follow, keeper.entry.target, keeper.fd, changing(keeper.entry))
        return more, keeper.pause(max(TURN_S, len(self._kept) / LOOKS_A_SECOND))

    def _claimed(self, keeper: Keeper) -> bool:
        """Whether it is ours to keep; asked while no command may be starting a keeper of its own."""
        with self.engine.journal.locked(keeper.identity):
            return keeper_process.claim(keeper.directory)

    def remember_counters(self, identity: str, found: Mapping[str, RuleCounters]) -> None:
        """What conditions that are ending have counted, until it is told."""
        for name, counted in found.items():
            self._counted[identity, name] = counted
        for key in list(self._counted)[:-MOST_COUNTED]:  # nobody told of them: a command in between put them back, say
            self._counted.pop(key, None)

    def last_counters(self, identity: str, name: str) -> dict[str, int | None] | None:
        """What a condition that has ended had counted; None when nobody knows."""
        counted = self._counted.pop((identity, name), None)
        return None if counted is None else asdict(counted)

    async def _tell_of_ended(self, kept: _Kept, *, more: bool) -> None:
        entry, before = kept.keeper.entry, kept.conditions
        kept.conditions = {c.condition.name: (c.reference, c.deadline) for c in entry.conditions} if entry and more else {}
        now = namespaces.boot_ns()
        for name in sorted(before.keys() - kept.conditions.keys()):
            counted = self.last_counters(kept.keeper.identity, name)
            self.events.publish("condition-ended", name=name, target=entry.target.reference if entry else "", counters=counted)
            reference, deadline = before[name]
            if deadline > now and entry is not None and is_named(entry.target):
                await self._in_thread(self.cleared, reference, name)

    async def _in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)

    # what nobody keeps

    def _orphans(self) -> set[str]:
        """The targets that no process keeps: an agent before, a keeper or a command left them behind. A command at work does so, too."""
        journal = self.engine.journal
        return {
            identity
            for identity in journal.identities()
            if identity not in self._kept and not keeper_process.kept_by_another(journal.directory(identity))
        }

    async def _patrol(self) -> None:
        """Takes over what nobody keeps two looks in a row; after one it may be what a command is making."""
        before: set[str] = set()
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), PATROL_S)
                return
            alone = await self._in_thread(self._orphans)
            await self._adopt_all(alone & before)
            before = alone

    async def _adopt_all(self, identities: Iterable[str]) -> None:
        await asyncio.gather(*map(self._adopt, identities))

    async def _adopt(self, identity: str) -> None:
        """Goes on with a target that nobody keeps: what is over ends, the rest is made whole."""
        try:
            await self._in_thread(self._wait_for_others, identity)
            if identity in self._kept:  # one of our own threads was at work, and has it kept now
                return
            names = await self._in_thread(self._make_whole, identity)
        except Exception as error:  # whatever it is, the other targets are kept on
            if self._told.get(identity) != str(error):
                LOG.warning("%s: %s", identity, error, exc_info=not isinstance(error, NetweatherError | OSError))
            self._told[identity] = str(error)
            return
        self._told.pop(identity, None)
        for target, name in names:
            self.events.publish("condition-resumed", name=name, target=target)

    def _wait_for_others(self, identity: str) -> None:
        """Until nobody is at work with a target."""
        with self.engine.journal.locked(identity):
            pass

    def _make_whole(self, identity: str) -> list[tuple[str, str]]:
        journal = self.engine.journal
        if keeper_process.kept_by_another(journal.directory(identity)):
            return []
        self.engine.sweep_known(identity)  # what is over, ended already, or a killed command's, and what no journal describes
        entry = journal.read(identity)
        if entry is None or not entry.target.reference:
            return []
        with entries.opened(entry.target) as fd:
            if fd is None:
                return []
            if not self.engine.expire(identity, fd):
                return []
            with journal.locked(identity):  # a command may start a keeper of its own just now
                self.keep(journal.directory(identity), fd, self.engine.settings.state)
        left = journal.read(identity)
        return [(left.target.reference, c.condition.name) for c in left.conditions] if left else []
