"""The agent itself: its engine, its targets, its threads, its log; what it adds to the service. Not here: the verbs, and HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, TypeVar

from netweather import targets as runtimes
from netweather.agent.audit import Audit
from netweather.agent.events import Events
from netweather.agent.metrics import Metrics
from netweather.agent.principals import Tokens, again
from netweather.agent.selector_conditions import SelectorConditions
from netweather.agent.service_callbacks import AgentCallbacks, Audited
from netweather.agent.stats_sessions import Watches
from netweather.agent.supervisor import LOOKS_A_SECOND, Keeping
from netweather.agent.target_queues import TargetQueues
from netweather.engine import Engine
from netweather.engine.draining import LOOK_S, DrainMode
from netweather.engine.scenario_store import Playbook
from netweather.engine.views.system_reports import KernelReport
from netweather.errors import NetweatherError
from netweather.kernel.datapath.classifier_pool import Spares
from netweather.kernel.datapath.seam import TargetKernel
from netweather.kernel.datapath.target_cache import KeptTargets
from netweather.results import Cleared
from netweather.service import LocalService
from netweather.service.callers import ANYTHING, Caller
from netweather.service.local import worth_telling
from netweather.service.played_scenarios import Scenarios
from netweather.settings import Settings
from netweather.targets import Listing

AGENT: Final = Caller("agent", ANYTHING, root=True, origin="the agent")
THREADS: Final = 16
LOOKERS: Final = 2
"""Threads that look whether targets still drain: nobody else is held up by a look that takes long."""
TARGETS: Final = 4
"""Targets that one request sets at a time."""
PROOFS: Final = 4
"""Proofs at a time."""
T = TypeVar("T")


@dataclass
class Agent:
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
        later = partial(LocalService, self.engine, callbacks=Audited(self.audit))
        self.standing = SelectorConditions(self.engine, self.events, service=later)
        self.callbacks = AgentCallbacks(self.audit, self.events, self.keeping, self.standing, self.port)
        self.keeping.cleared = self.callbacks.cleared_elsewhere
        self.played = Scenarios(Playbook(self.settings.state))
        self.watches = Watches(lambda caller, reference, wanted: self.service(caller).stats(reference, wanted))
        self.pool = ThreadPoolExecutor(THREADS, thread_name_prefix="agent")
        self.looks = ThreadPoolExecutor(LOOKERS, thread_name_prefix="look")
        self.queues = TargetQueues()
        self._waiting = 0
        self.metrics = Metrics(lambda: self.keeping.count, lambda: self.events.listeners, self.engine.show)
        self.started = time.monotonic()
        self.proving = asyncio.Semaphore(PROOFS)

    async def measured(self, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """As `in_thread`, for what sends probe packets: so many at a time, since each takes a thread for its 10 seconds."""
        async with self.proving:
            return await self.in_thread(function, *arguments, **named)

    async def for_targets(self, references: Iterable[str], function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """As `in_thread`, for what may wait for these targets, or for any (none): few such requests have a thread at a time."""
        async with self.queues.turn(references):
            return await self.in_thread(function, *arguments, **named)

    async def in_thread(self, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Calls what may block, without blocking the others."""
        return await asyncio.get_running_loop().run_in_executor(self.pool, partial(function, *arguments, **named))

    async def clear(
        self, caller: Caller, references: Sequence[str], name: str | None, owner: str | None, held: DrainMode
    ) -> list[Cleared]:
        """As the service's; who waits for packets to come out has no thread meanwhile."""
        service = self.service(caller)
        if held != "wait":
            return await self.for_targets(references, service.clear, references, name, owner, held=held)
        ended = await self.for_targets(references, service.end, references, name, owner)
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
        self.played.stop_all(for_now=True)
        self.standing.close()
        self.watches.close()
        self.pool.shutdown()
        self.looks.shutdown()
        self.kept.close()
        self.spares.close()

    def service(self, caller: Caller) -> LocalService:
        """The verbs, for a caller."""
        return LocalService(self.engine, caller, self.callbacks, self.played)

    def go_on_with_scenarios(self) -> None:
        """With what an agent before played."""
        self.service(AGENT).go_on_with_scenarios(partial(again, tokens=self.tokens))

    # the rest of what the command line can do

    def targets(self) -> tuple[list[Listing], list[NetweatherError]]:
        """Possible targets, and the errors of runtimes that could not be listed."""
        problems: list[NetweatherError] = []
        return runtimes.list_targets(problems.append), problems

    def doctor(self) -> KernelReport:
        """What this kernel and host can do."""
        from netweather.kernel.features.features import probe_all

        return KernelReport.here(probe_all(self.settings.state))

    @property
    def version(self) -> str:
        return version("netweather")

    @property
    def uptime_s(self) -> float:
        return time.monotonic() - self.started
