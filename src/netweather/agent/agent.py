"""The agent itself: its engine, its targets, its threads, its log; what the handlers of requests call. Not here: HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, TypeVar

from netweather import targets as runtimes
from netweather.agent.audit import Audit
from netweather.agent.clearing import Which, clear
from netweather.agent.events import Events
from netweather.agent.keeping import Keeping
from netweather.agent.metrics import Metrics
from netweather.agent.paths import refuse_paths, refuse_references
from netweather.agent.principals import SET, Principal, Tokens
from netweather.agent.scenarios import Scenarios, wait_for
from netweather.agent.standing import Standing
from netweather.agent.watches import Watches
from netweather.conditions import NetworkCondition
from netweather.conditions.flags import match_to_short
from netweather.engine import Chosen, Cleared, Done, Engine, opened, set_all
from netweather.engine.connections import connections, with_lives
from netweather.engine.documents import connections_document, done_document, shown_document
from netweather.engine.draining import Held
from netweather.engine.proving import proof
from netweather.engine.reports import doctor_document, listing_document
from netweather.engine.service import need_host_spelt, reset_all, show_all
from netweather.engine.setting import Check
from netweather.engine.sparing import on_host, spare_port
from netweather.engine.verifying import Wish, silent, verify
from netweather.errors import NetweatherError
from netweather.journal import Entry
from netweather.kernel.kept import KeptTargets
from netweather.kernel.seam import TargetKernel
from netweather.kernel.spares import Spares
from netweather.settings import Settings
from netweather.targets import Target
from netweather.targets.references import is_reference

THREADS: Final = 16
TARGETS: Final = 4
"""Targets that one request sets at a time."""
PROOFS: Final = 4
"""Proofs at a time: each takes a thread for its 10 seconds."""
MOST_TOLD: Final = 100
"""Connections that an event names."""
T = TypeVar("T")


@dataclass
class Agent:
    """One agent. tokens: of those who come by TCP, and port: the one they use. open_kernel: the seam, if not the real one.

    Every method but `in_thread` may block: call them by it.
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
        self.standing = Standing(self.engine, self.events)
        self.scenarios = Scenarios(self)
        self.watches = Watches()
        self.keeping.cleared = self._cleared_elsewhere
        self.pool = ThreadPoolExecutor(THREADS, thread_name_prefix="agent")
        self.metrics = Metrics(lambda: self.keeping.count, lambda: self.events.listeners, self.engine.show)
        self.started = time.monotonic()
        self.proving = asyncio.Semaphore(PROOFS)

    async def in_thread(self, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Calls what may block, without blocking the others."""
        return await asyncio.get_running_loop().run_in_executor(self.pool, partial(function, *arguments, **named))

    def close(self) -> None:
        """Ends its threads. What is in force stays, but what a scenario put there."""
        self.scenarios.close()
        self.standing.close()
        self.watches.close()
        self.pool.shutdown()
        self.kept.close()
        self.spares.close()

    # conditions

    async def set_proved(
        self, who: Principal, conditions: Sequence[NetworkCondition], gone: Callable[[], bool], *, host: bool
    ) -> list[dict[str, Any]]:
        """Puts conditions in force and measures them, while nobody is `gone`. Raises NetweatherError not-proved, and as `set`."""
        async with self.proving:
            return await self.in_thread(self.set, who, conditions, host=host, check=proof(self.engine, silent, gone))

    def set(
        self,
        who: Principal,
        conditions: Sequence[NetworkCondition],
        *,
        dry_run: bool = False,
        host: bool = False,
        check: Check | None = None,
    ) -> list[dict[str, Any]]:
        """Puts conditions in force, all or none. Returns their documents. check: as of `set_all`. Raises NetweatherError."""
        owned = [replace(each, owner=who.owner(each.owner)) for each in conditions]
        owned = [spare_port(each, self.port) if on_host(each) else each for each in owned]
        for each in owned:
            refuse_paths(each)
        with self.audit.of(who, "plan" if dry_run else "set", owned), opened(owned) as wanted:
            targets = [target for one in wanted for target in one.targets]
            who.need_targets(targets)
            need_host_spelt(wanted, confirmed=host or dry_run)
            try:
                done = set_all(self.engine, wanted, dry_run=dry_run, check=check)
            finally:
                self._look_at(targets)
        if not dry_run:
            for one in done:
                self.standing.remember(one.condition)
            self._tell_of_set(who, done)
        now = datetime.now().astimezone()
        return [done_document(each, now, dry_run=dry_run) for each in done]

    def _look_at(self, targets: Iterable[Target]) -> None:
        for target in targets:
            self.keeping.look(target.identity)

    def _tell_of_set(self, who: Principal, done: list[Done]) -> None:
        for each in done:
            for result in each.results:
                target = result.target.reference
                self.events.publish(
                    "condition-set", name=each.condition.name, target=target, owner=each.condition.owner, by=who.name
                )

    def show(self, references: Sequence[str] = (), name: str | None = None, *, lived: bool = False) -> list[dict[str, Any]]:
        """The documents of the conditions in force: on these targets, or on all. Raises NetweatherError.

        lived: with what the connections of each rule lived through.
        """
        refuse_references(references)
        now = datetime.now().astimezone()
        shown = [each for each in show_all(self.engine, references) if name in (None, each.condition.name)]
        return [shown_document(each, now) for each in (with_lives(self.engine, shown) if lived else shown)]

    def clear(
        self,
        who: Principal,
        references: Sequence[str] = (),
        name: str | None = None,
        owner: str | None = None,
        *,
        held: Held = "drain",
    ) -> list[Cleared]:
        """Ends conditions: on these targets or all, of this name or all, of this owner or all that may be.

        held: what becomes of packets that emulated links hold, as `Engine.finish`.
        Raises NetweatherError no-such-condition for a name that is nowhere in force; other-owner for a name that is another's.
        """
        refuse_references(references)
        with self.audit.of(who, "clear", (), name=name or "", targets=list(references)) as line:
            which = Which(who, name, owner)
            if not references:
                who.need(SET)
            answers = self._cleared(which, references)
            if not references and name is None:  # what plays would put it again
                wait_for(self.scenarios.stopped(who, owner))
            line["cleared"] = [{"target": each.target, "names": list(each.names)} for each in answers]
        for each in answers:
            for ended in each.names:
                counted = self.keeping.last_counters(each.identity, ended)
                self.events.publish("condition-cleared", name=ended, target=each.target, by=who.name, counters=counted)
        return [self.engine.finish(each, held) for each in answers]

    def _cleared(self, which: Which, references: Sequence[str]) -> list[Cleared]:
        """Ends them all first: the devices of the one would keep the kernel's lock of all devices, for which the next waits."""
        before = self._in_force()
        # Orders before conditions: what just starts would get what is being cleared.
        withdrawn = self.standing.withdraw(which.fits, references)
        touched: list[str] = []
        try:
            answers = clear(self.engine, which, references, touched.append, withdrawn)
        except BaseException:
            self.standing.restore(withdrawn)
            raise
        finally:
            for identity in touched:
                self.keeping.look(identity)
        ended = {(reference, name) for identity, reference, name in before - self._in_force() if identity in touched}
        self._forget(ended)
        return answers

    def _in_force(self) -> frozenset[tuple[str, str, str]]:
        """(identity, reference, name) of each condition that the journals have."""
        return frozenset(
            (identity, each.reference, each.condition.name)
            for identity in self.engine.journal.identities()
            if (entry := self.known(identity)) is not None
            for each in entry.conditions
        )

    def _forget(self, ended: Iterable[tuple[str, str]]) -> None:
        """What ended by other words than its own, and is in force by them nowhere any more, doesn't come back."""
        left = {(reference, name) for _, reference, name in self._in_force()}
        self.standing.forget(order for order in ended if order not in left)

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
        from netweather.kernel.features import probe_all, works

        findings = probe_all(self.settings.state)
        return doctor_document(findings, works(findings))

    async def verify(self, who: Principal, target: str, wish: Wish) -> list[dict[str, Any]]:
        """The evidence for a target's conditions. Raises NetweatherError."""
        async with self.proving:
            return await self.in_thread(self._verify, who, target, wish)

    def _verify(self, who: Principal, target: str, wish: Wish) -> list[dict[str, Any]]:
        words = [word for word in (wish.peer, wish.to) if word and is_reference(word)]
        refuse_references([target, *words])
        with ExitStack() as stack:
            found = [stack.enter_context(each) for each in runtimes.resolve_all([target])]
            peers = [stack.enter_context(each) for each in runtimes.resolve_all(words)]
            who.need_targets([*found, *peers])
            return [each.plain() for one in found for each in verify(self.engine, one, wish)]

    def connections(self, references: Sequence[str], which: Chosen) -> list[dict[str, Any]]:
        """The connections of targets. Raises NetweatherError."""
        self._refuse(references, which)
        with ExitStack() as stack:
            targets = [stack.enter_context(each) for each in runtimes.resolve_all(references)]
            return [connections_document(connections(self.engine, each, which)) for each in targets]

    def reset(self, who: Principal, references: Sequence[str], which: Chosen, *, host: bool) -> list[dict[str, Any]]:
        """Ends connections. Raises NetweatherError."""
        self._refuse(references, which)
        with (
            self.audit.of(who, "reset", (), targets=list(references), match=match_to_short(which.match)) as line,
            ExitStack() as stack,
        ):
            targets = [stack.enter_context(each) for each in runtimes.resolve_all(references)]
            who.need_targets(targets)
            ended = reset_all(self.engine, targets, which, confirmed=host)
            line["reset"] = [live.connection for each in ended for live in each.connections]
        for each in ended:
            names = [live.connection for live in each.connections]
            self.events.publish("connections-reset", target=each.target.reference, connections=names[:MOST_TOLD], by=who.name)
        return [connections_document(each) for each in ended]

    def _refuse(self, references: Sequence[str], which: Chosen) -> None:
        refuse_references([*references, *(word for match in (which.match, *which.exclude) for word in match.to)])

    def health(self) -> dict[str, Any]:
        """That it is well, and for how long."""
        uptime = round(time.monotonic() - self.started, 3)
        return {"status": "ok", "version": version("netweather"), "targets": self.keeping.count, "uptimeSeconds": uptime}
