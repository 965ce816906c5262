"""The agent itself: its engine, its targets, its threads, its log; what it adds to the service. Not here: the verbs, and HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, TypeVar

from netweather import targets as runtimes
from netweather.agent.audit import Audit
from netweather.agent.events import Events
from netweather.agent.metrics import Metrics
from netweather.agent.played_scenarios import Scenarios, wait_for
from netweather.agent.principals import Tokens
from netweather.agent.selector_conditions import Standing
from netweather.agent.stats_sessions import Watches
from netweather.agent.supervisor import LOOKS_A_SECOND, Keeping
from netweather.conditions import NetworkCondition
from netweather.engine import Engine, Listed
from netweather.engine.draining import LOOK_S, Held
from netweather.engine.safety import on_host, spare_port
from netweather.engine.views.system_reports import doctor_document, listing_document
from netweather.errors import NetweatherError
from netweather.journal import Entry
from netweather.kernel.datapath.classifier_pool import Spares
from netweather.kernel.datapath.seam import TargetKernel
from netweather.kernel.datapath.target_cache import KeptTargets
from netweather.results import Cleared, Done
from netweather.service import LocalService
from netweather.service.callbacks import Callbacks, Fits, Order
from netweather.service.callers import Caller
from netweather.service.local import worth_telling
from netweather.settings import Settings

THREADS: Final = 16
LOOKERS: Final = 2
"""Threads that look whether targets still drain: nobody else is held up by a look that takes long."""
TARGETS: Final = 4
"""Targets that one request sets at a time."""
PROOFS: Final = 4
"""Proofs at a time."""
MOST_TOLD: Final = 100
"""Connections that an event names."""
T = TypeVar("T")


@dataclass
class Agent(Callbacks):
    """One agent. tokens: of those who come by TCP, and port: the one they use. open_kernel: the seam, if not the real one.

    Every method that is not a coroutine may block: call it by `in_thread`.
    """

    settings: Settings = field(default_factory=Settings.load)
    tokens: Tokens = field(default_factory=Tokens)
    port: int | None = None
    open_kernel: Callable[[int, Path, str | None], TargetKernel] | None = None

    def __post_init__(self) -> None:
        self.events = Events()
        self.audit = Audit(self.settings.audit)
        self.spares = Spares()
        # What a process of its own keeps goes without our hearing of it: its namespaces must not be held.
        self.kept = KeptTargets(load=self.spares.load, wanted=lambda directory: self.keeping.keeps(directory.name))
        opening = self.open_kernel or self.kept
        self.keeping = Keeping(Engine(self.settings, opening), self.events)
        self.keeping.engine.counted = self.keeping.remember_counters
        self.keeping.engine.keep, self.keeping.let_go = self.keeping.keep, self.kept.drop
        self.engine = Engine(self.settings, opening, self.keeping.keep, devices_later=True, at_once=TARGETS)
        self.engine.counted = self.keeping.remember_counters
        self.standing = Standing(self.engine, self.events, service=self.service)
        self.scenarios = Scenarios(self)
        self.watches = Watches(lambda caller, reference, wanted: self.service(caller).stats(reference, wanted))
        self.keeping.cleared = self._cleared_elsewhere
        self.pool = ThreadPoolExecutor(THREADS, thread_name_prefix="agent")
        self.looks = ThreadPoolExecutor(LOOKERS, thread_name_prefix="look")
        self._waiting = 0
        self.metrics = Metrics(lambda: self.keeping.count, lambda: self.events.listeners, self.engine.show)
        self.started = time.monotonic()
        self.proving = asyncio.Semaphore(PROOFS)

    async def measured(self, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """As `in_thread`, for what sends probe packets: so many at a time, since each takes a thread for its 10 seconds."""
        async with self.proving:
            return await self.in_thread(function, *arguments, **named)

    async def in_thread(self, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Calls what may block, without blocking the others."""
        return await asyncio.get_running_loop().run_in_executor(self.pool, partial(function, *arguments, **named))

    async def clear(
        self, caller: Caller, references: Sequence[str], name: str | None, owner: str | None, held: Held
    ) -> list[Cleared]:
        """As the service's; who waits for packets to come out has no thread meanwhile."""
        service = self.service(caller)
        if held != "wait":
            return await self.in_thread(service.clear, references, name, owner, held=held)
        ended = await self.in_thread(service.end, references, name, owner)
        return worth_telling(references, await asyncio.gather(*map(self._drained, ended)))

    async def _drained(self, cleared: Cleared) -> Cleared:
        """Returns when nothing drains any more on a target. However many wait, they look LOOKS_A_SECOND times in all."""
        self._waiting += 1
        try:
            done = False
            while not done:
                looking = asyncio.get_running_loop().run_in_executor(self.looks, self.engine.look, cleared, "wait")
                done, cleared = await looking
                await asyncio.sleep(0 if done else max(LOOK_S, self._waiting / LOOKS_A_SECOND))
        finally:
            self._waiting -= 1
        return cleared

    def close(self) -> None:
        """Ends its threads. What is in force stays, but what a scenario put there."""
        self.scenarios.close()
        self.standing.close()
        self.watches.close()
        self.pool.shutdown()
        self.looks.shutdown()
        self.kept.close()
        self.spares.close()

    def service(self, caller: Caller) -> LocalService:
        """The verbs, for a caller."""
        return LocalService(self.engine, caller, self)

    # what the service calls

    def prepared(self, condition: NetworkCondition) -> NetworkCondition:
        return spare_port(condition, self.port) if on_host(condition) else condition

    def audited(
        self, caller: Caller, action: str, conditions: Iterable[NetworkCondition] = (), **fields: Any
    ) -> AbstractContextManager[dict[str, Any]]:
        return self.audit.of(caller, action, conditions, **fields)

    def changed(self, identity: str) -> None:
        self.keeping.look(identity)

    def was_set(self, caller: Caller, done: Sequence[Done]) -> None:
        for each in done:
            self.standing.remember(each.condition, caller=caller)
            for result in each.results:
                what = {"name": each.condition.name, "target": result.target.reference, "owner": each.condition.owner}
                self.events.publish("condition-set", **what, by=caller.name)

    def was_cleared(self, caller: Caller, answers: Sequence[Cleared], orders: Collection[Order]) -> None:
        self._forget(orders)
        for each in answers:
            for ended in each.names:
                counted = self.keeping.last_counters(each.identity, ended)
                self.events.publish("condition-cleared", name=ended, target=each.target, by=caller.name, counters=counted)

    def was_reset(self, caller: Caller, ended: Sequence[Listed]) -> None:
        for each in ended:
            names = [live.connection for live in each.connections]
            self.events.publish("connections-reset", target=each.target.reference, connections=names[:MOST_TOLD], by=caller.name)

    @contextmanager
    def orders_withdrawn(self, fits: Fits, references: Collection[str]) -> Iterator[Collection[Order]]:
        withdrawn = self.standing.withdraw(fits, references)
        try:
            yield withdrawn
        except BaseException:
            self.standing.restore(withdrawn)
            raise

    def stop_scenarios(self, caller: Caller, owner: str | None) -> None:
        wait_for(self.scenarios.stopped(caller, owner))

    def _forget(self, ended: Collection[Order]) -> None:
        """What ended by other words than its own, and is in force by them nowhere any more, doesn't come back."""
        if ended:
            left = {
                (each.reference, each.condition.name)
                for identity in self.engine.journal.identities()
                if (entry := self.known(identity)) is not None
                for each in entry.conditions
            }
            self.standing.forget(set(ended) - left)

    def _cleared_elsewhere(self, reference: str, name: str) -> None:
        """Direct mode ended a condition before its time."""
        self._forget([(reference, name)])

    def known(self, identity: str) -> Entry | None:
        """A target's journal, as far as it can be read."""
        try:
            return self.engine.journal.read(identity)
        except NetweatherError:
            return None

    # the rest of what the command line can do

    def targets(self) -> dict[str, Any]:
        """What there is to name, and which runtimes could not be asked."""
        problems: list[NetweatherError] = []
        found = runtimes.list_targets(problems.append)
        return {"items": [listing_document(each) for each in found], "problems": [each.as_problem() for each in problems]}

    def doctor(self) -> dict[str, Any]:
        """What this kernel and host can do."""
        from netweather.kernel.features.features import probe_all, works

        findings = probe_all(self.settings.state)
        return doctor_document(findings, works(findings))

    def health(self) -> dict[str, Any]:
        """That it is well, and for how long."""
        uptime = round(time.monotonic() - self.started, 3)
        return {"status": "ok", "version": version("netweather"), "targets": self.keeping.count, "uptimeSeconds": uptime}
