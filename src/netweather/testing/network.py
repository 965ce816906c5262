"""Conditions for as long as a test or a command runs: kept alive, watched, undone, with the evidence for it all.

By the agent, or in this process when there is none: what is known is what the service tells, by the targets' identity.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any

from netweather.conditions import NetworkCondition
from netweather.conditions.partitions import partition
from netweather.connecting import connect
from netweather.errors import NetweatherError
from netweather.reports.network_evidence import Evidence
from netweather.results import ConditionStatus, TargetRef
from netweather.service import Service
from netweather.service.protocol import end_condition
from netweather.settings import Settings
from netweather.testing.claims import claimed
from netweather.testing.network_request import NetworkRequest, wish

TURN_S = 0.5
"""How often a condition is looked at while a test runs."""
_numbers = itertools.count(1)


class Degraded:
    """A network condition on its targets: a context manager, also an asynchronous one.

    Entered when the kernel holds it; left when it is undone, on every way out. Renewed while it lasts, so that a killed run
    ends by itself. Leaving raises NetweatherError(code="network-not-as-declared") when it was not in force all the time or met no packet;
    an error that the block itself raises stays what it is, with a note of that.
    """

    def __init__(
        self,
        service: Service,
        wanted: NetworkRequest,
        tell: Callable[[Evidence], None],
        known: dict[tuple[str, ...], list[TargetRef]],
    ) -> None:
        """known: whose networks references meant last time; a look-up for each test would double what a mark costs."""
        self.service, self.wish, self._known = service, wanted, known
        self.evidence: list[Evidence] = []
        self._tell = tell
        self._stack = contextlib.ExitStack()
        self._targets: list[TargetRef] = []
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="netweather-watch", daemon=True)
        self._paused: float | None = None
        self._began = 0.0
        self._before: dict[str, tuple[int, int]] = {}

    def __enter__(self) -> Degraded:
        references = self.wish.condition.targets
        known = self._known.pop(references, None)
        if (known is None or not self._entered(known)) and not self._entered(self._looked_up()):
            what, remedy = "the targets were replaced while the condition was set", "find out what restarts them, and try again"
            raise NetweatherError("network-not-as-declared", what, ", ".join(references), remedy)
        if not any(evidence.problems for evidence in self.evidence):
            self._known[references] = self._targets
        self._watcher.start()
        return self

    def _entered(self, targets: list[TargetRef]) -> bool:
        """Claims them, and sets it. False, and all is undone: the references mean others by now."""
        self._targets = targets
        with contextlib.ExitStack() as stack:
            stack.enter_context(claimed(tuple(self._targets), shared=self.wish.shared))
            words = described(self.wish.condition)
            self.evidence = [Evidence(self.wish.condition.name, target.reference, words) for target in self._targets]
            stack.callback(self._clear)
            if not self._set():
                return False
            self._began = time.monotonic()
            if self.wish.verify == "measure":
                self._measure()
            self._stack = stack.pop_all()
        return True

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._watcher.join()
        try:
            with self._lock:
                self._conclude()
        finally:
            self._stack.close()
            for evidence in self.evidence:
                self._tell(evidence)
        problems = "; ".join(f"{each.target}: {problem}" for each in self.evidence for problem in each.problems)
        what = "the network was not as the test declared it"
        if problems and error is None:
            remedy = "set allow_unmatched=True if no packet needs to match; otherwise find out what changed the network (netweather show)"
            raise NetweatherError("network-not-as-declared", what, problems, remedy)
        if problems and error is not None:  # which comes first, and may be why no packet met it
            error.add_note(f"{what}: {problems}")

    async def __aenter__(self) -> Degraded:
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await asyncio.to_thread(self.__exit__, kind, error, trace)

    def change(self, profile: str | None = None, /, **words: Any) -> Degraded:
        """Another condition for the same traffic, live: connections stay. Raises UsageError, and nothing is changed then."""
        with self._lock:
            wanted = self.wish.changed(profile, words)
            self._count()
            self.wish = wanted
            if self._paused is None:
                self._set()
        for evidence in self.evidence:
            evidence.condition += f", then {described(wanted.condition)}"
        return self

    @contextlib.contextmanager
    def pause(self) -> Iterator[None]:
        """The network as it is without the condition, for a while."""
        with self._lock:
            self._count()
            self._clear()
            self._paused = time.monotonic()
        try:
            yield
        finally:
            with self._lock:
                for evidence in self.evidence:
                    evidence.paused += time.monotonic() - self._paused
                self._paused = None
                self._set()

    @property
    def packets(self) -> int:
        """How many packets have met the condition so far, on all targets."""
        with self._lock:
            if self._paused is None:
                self._look()
            return sum(evidence.packets for evidence in self.evidence)

    # inside

    def _looked_up(self) -> list[TargetRef]:
        """Whose network it will be; what can't be done fails here, before anybody waits for anybody."""
        (plan,) = self.service.set([self.wish.condition], dry_run=True)
        return [result.target for result in plan.results]

    def _set(self) -> bool:
        """Returns when the kernel was read back: whether it is on the targets, and on no others."""
        (done,) = self.service.set([self.wish.condition])
        engines = {result.target.identity: result.engines for result in done.results}
        for target, evidence in zip(self._targets, self.evidence, strict=True):
            if target.identity not in engines:
                evidence.complain("it restarted and got another network meanwhile")
            evidence.engine = "; ".join(engines.get(target.identity, ()))
            self._before[target.identity] = (evidence.packets, evidence.dropped)
        return engines.keys() == {target.identity for target in self._targets}

    def _clear(self) -> None:
        end_condition(self.service, self.wish.condition.targets, self.wish.condition.name)

    def _watch(self) -> None:
        """Looks at it, and renews it in time."""
        lease = self.wish.condition.lease
        every = getattr(lease, "seconds", 30.0) / 3
        renewed = time.monotonic()
        while not self._over.wait(min(TURN_S, every)):
            with self._lock:
                if self._paused is not None:
                    continue
                try:
                    self._look()
                    if time.monotonic() - renewed > every:
                        renewed = time.monotonic()
                        self._renew()
                except (NetweatherError, OSError) as error:
                    for evidence in self.evidence:
                        evidence.complain(f"could not be examined: {getattr(error, 'what', error)}")

    def _renew(self) -> None:
        if not any(evidence.problems for evidence in self.evidence):  # what was broken stays broken: mending it would hide that
            self.service.set([self.wish.condition])

    def _look(self) -> None:
        """Reads the kernel: is it in force, and how many packets have met it."""
        name = self.wish.condition.name
        found = self.service.show(self.wish.condition.targets)
        held = {shown.target.identity: shown for shown in found if shown.condition.name == name}
        for target, evidence in zip(self._targets, self.evidence, strict=True):
            shown = held.get(target.identity)
            after = time.monotonic() - self._began if self._began else 0.0
            if shown is None:
                evidence.complain(
                    f"it was not in force after {after:.1f} s: it was cleared, its lease ended, or its target stopped"
                )
                continue
            if not shown.in_force:
                evidence.complain(f"it was not in force after {after:.1f} s: {'; '.join(shown.problems)}")
            if shown.unwanted_drops:
                evidence.complain(f"{shown.unwanted_drops} packets were lost by Netweather's own devices")
            self._counted(target, evidence, shown)

    def _counted(self, target: TargetRef, evidence: Evidence, shown: ConditionStatus) -> None:
        packets, dropped = self._before.get(target.identity, (0, 0))
        evidence.packets = packets + sum(rule.packets for rule in shown.rules)
        evidence.dropped = dropped + sum(rule.dropped for rule in shown.rules)
        evidence.seen(time.monotonic() - self._began)

    def _count(self) -> None:
        """Before counters begin anew."""
        if self._paused is None:
            self._look()

    def _measure(self) -> None:
        from netweather.engine.verification import VerifyOptions as Measurement
        from netweather.measure import Verdict, open_questions

        wanted = Measurement(self.wish.condition.name)
        for reference in self.wish.condition.targets:
            for found in self.service.verify(reference, wanted):
                for evidence in [each for each in self.evidence if each.target == found.target]:
                    doubts = open_questions(found) if found.verdict is Verdict.CANT_TELL else ""
                    evidence.measured.append(f"measured: {found.verdict.value}" + (f" ({doubts})" if doubts else ""))
                    if found.verdict is Verdict.FAIL:
                        evidence.complain(f"measured otherwise: {'; '.join(found.problems) or 'see netweather verify'}")
        self._look()
        for target, evidence in zip(self._targets, self.evidence, strict=True):
            self._before[target.identity] = (-evidence.packets, -evidence.dropped)  # the probe's packets don't count
            evidence.packets = evidence.dropped = 0
            evidence.series.clear()
        self._began = time.monotonic()

    def _conclude(self) -> None:
        if self._paused is None:
            try:
                self._look()
            except (NetweatherError, OSError) as error:
                for evidence in self.evidence:
                    evidence.complain(f"could not be examined: {getattr(error, 'what', error)}")
        for evidence in self.evidence:
            evidence.seconds = time.monotonic() - self._began - evidence.paused
            if not evidence.packets and not self.wish.allow_unmatched:
                evidence.complain("no packet matched it: check target, peer and port")


class Network:
    """Makes the network of a test's targets bad: `with network.degrade("docker:db", delay="2s", loss="3%"): …`"""

    def __init__(
        self,
        test: str,
        *,
        targets: tuple[str, ...] = (),
        lease: str = "30s",
        service: Service | None = None,
        tell: Callable[[Evidence], None] = lambda evidence: None,
        known: dict[tuple[str, ...], list[TargetRef]] | None = None,
    ) -> None:
        """test: for whom, in any words; targets: those of calls that name none; lease: how soon all ends when we are killed;
        service: who does it (default: the agent when there is one, else this process, which needs root); tell: is given the
        evidence of each condition when it ends; known: one for all tests of a run, in which look-ups are remembered."""
        self._known = known if known is not None else {}
        self.test, self.targets, self.lease = test, targets, lease
        self.service: Service = service if service is not None else connect(Settings.load())
        self._tell = tell
        self.conditions: list[Degraded] = []
        """Those that the test's marks and its own calls made, in order."""

    def degrade(self, target: str | Sequence[str] | None = None, profile: str | None = None, /, **words: Any) -> Degraded:
        """A condition on a target (default: --network-target). words: the command line's options with _ for -, and
        verify="measure", allow_unmatched, shared. Raises UsageError."""
        words = {**words, "target": target} if target is not None else words
        wanted = wish(profile, words, name=_name(self.test), reason=self.test[:200], lease=self.lease, targets=self.targets)
        made = Degraded(self.service, wanted, self._tell, self._known)
        self.conditions.append(made)
        return made

    def partition(
        self,
        one: str | Sequence[str],
        other: str | Sequence[str],
        *more: str | Sequence[str],
        one_way: bool = False,
        **words: Any,
    ) -> Parted:
        """Nothing gets through between groups of targets, both ways, silently; who stands in several groups reaches everybody.

        one_way: only what an earlier group sends to a later one is lost. words: as those of `degrade`. Raises UsageError.
        """
        groups = [[group] if isinstance(group, str) else list(group) for group in (one, other, *more)]
        words = {"block": "drop", **words}
        template = wish(None, {**words, "target": groups[0][0]}, name=_name(self.test), reason=self.test[:200], lease=self.lease)
        parts = []
        for condition in partition(groups, template.condition, one_way=one_way):
            parts.append(Degraded(self.service, replace(template, condition=condition), self._tell, self._known))
        self.conditions += parts
        return Parted(parts)


class Parted:
    """A partition: the conditions on its targets, entered together and left together. A context manager, also an asynchronous one."""

    def __init__(self, parts: list[Degraded]) -> None:
        self.parts = parts
        self._stack = contextlib.ExitStack()

    @property
    def evidence(self) -> list[Evidence]:
        return [each for part in self.parts for each in part.evidence]

    @property
    def packets(self) -> int:
        """How many packets have met it so far."""
        return sum(part.packets for part in self.parts)

    def __enter__(self) -> Parted:
        with contextlib.ExitStack() as stack:
            for part in self.parts:
                stack.enter_context(part)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.__exit__(kind, error, trace)

    async def __aenter__(self) -> Parted:
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await asyncio.to_thread(self.__exit__, kind, error, trace)


def described(condition: NetworkCondition) -> str:
    """What is wrong, and with which traffic, in the command line's own words."""
    from netweather.conditions.language.flags import rule_to_flags

    words = []
    for rule in condition.rules:
        for name, value in rule_to_flags(rule).items():
            text = ",".join(value) if isinstance(value, list | tuple) else str(value)
            words.append(name if value is True else f"{name} {text}")
    return " ".join(words)


def _name(test: str) -> str:
    """A condition's name, unlike any other's at the time."""
    words = re.sub(r"[^a-z0-9]+", "-", test.rpartition("::")[2].lower()).strip("-")[:40].strip("-")
    return f"test-{words or 'one'}-{os.getpid()}-{next(_numbers)}"
