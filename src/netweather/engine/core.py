"""The engine: observe, plan, apply, read back, restore. The only orchestration; idempotent and synchronous.

Direct mode: the journal is shared with everybody else on this machine, and a keeper is left behind for each target.
"""

# long: the only orchestration; what it does on one target shares its lock

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from pathlib import Path

from netweather.conditions import NetworkCondition, validate
from netweather.conditions.embedding import embedded, own_profiles
from netweather.engine import draining, engine_choice, entries, recovery
from netweather.engine.draining import DrainMode, Dropped, ignore
from netweather.engine.safety import spare_own_session
from netweather.engine.views import counters, reach
from netweather.engine.views.reach import unreached
from netweather.engine.views.status import shown, unread
from netweather.errors import NetweatherError
from netweather.journal import Entry, Journal
from netweather.kernel import keeper_process, namespace_search, namespaces
from netweather.kernel.datapath import moved_interfaces
from netweather.kernel.datapath.operations import Lift, Operation, WriteRules
from netweather.kernel.datapath.real import RealTarget
from netweather.kernel.datapath.seam import TargetKernel
from netweather.kernel.datapath.spec import Datapath
from netweather.kernel.waiting import pause
from netweather.planning.plan import describe, plan
from netweather.planning.rule_lookup import overlaps
from netweather.planning.rules import InForce, PlainRule
from netweather.results import Cleared, ConditionStatus, Recovered, Rest, RuleCounters, SetResult, TargetRef
from netweather.settings import Settings
from netweather.targets import Target

Choose = Callable[[list[InForce]], list[InForce]]
SHOW_PATIENCE_S = 2.0
"""So long `show` waits for a command that changes a target; then it reports what the journal says."""


@dataclass
class Engine:
    """One engine; cheap to make.

    settings: where the journals are, and the default owner. open_kernel: the seam (namespace fd, state directory, hook or None).
    keep: what keeps a target from now on (its directory, namespace fd, and the state directory); a keeper of its own unless given.
    devices_later: clearing returns once no packet is touched any more, and leaves the devices to who keeps the target (`expire`).
    held: what becomes of packets that lines hold when their condition ends: "drain", whoever keeps the target lets them out
    for DRAIN_S at most; "wait", the same, and clearing returns when it is done; "drop", they are dropped.
    dropped: called with a target's identity and the number of held packets that were dropped.
    counted: called with a target's identity and what each condition that ends there has counted.
    at_once: on how many targets `set_all` works at a time; most of a first set is waiting for the kernel.
    """

    settings: Settings = field(default_factory=Settings.load)
    open_kernel: Callable[[int, Path, str | None], TargetKernel] = RealTarget
    keep: Callable[[Path, int, Path], None] | None = None
    devices_later: bool = False
    held: DrainMode = "drain"
    dropped: Dropped = ignore
    counted: Callable[[str, dict[str, RuleCounters]], None] | None = None
    at_once: int = 1

    def __post_init__(self) -> None:
        self.journal = Journal(self.settings.state)

    # set

    def set(self, target: Target, condition: NetworkCondition, *, dry_run: bool = False) -> SetResult:
        """Puts a network condition in force on a target, in place of the one of the same name.

        Returns when the kernel was read back and holds it. Raises NetweatherError; nothing is changed then.
        """
        if target.runtime == "host":
            condition = spare_own_session(condition, os.environ)
        condition, rules = self._plain(validate(condition))
        condition = replace(condition, owner=condition.owner or self.settings.owner)
        peers = entries.resolved(condition, target)
        whose = entries.whose(target)
        with self.journal.locked(whose.identity), recovery.seen(self, whose, target.netns_fd) as (kernel, before, observed):
            reach.refuse_hidden_peers(kernel, observed, condition, peers)
            after = entries.added(before, condition, rules, peers, observed, whose.reference, draining.taken(before, kernel))
            desired = draining.datapath(kernel, observed, after)
            operations = plan(desired, observed)
            changed = entries.rules_of(before, condition.name) != condition.rules or observed.rules is None
            result = SetResult(
                whose,
                condition,
                tuple(operations),
                changed,
                {word: tuple(map(str, prefixes)) for word, prefixes in peers.items()},
                tuple(i.name for i in after.interfaces),
                (
                    *observed.hidden,
                    *reach.notes(observed, condition),
                    *overlaps(desired, after.slots.leases),
                    *unreached(rules, target, kernel, observed, peers, tuple(i.name for i in after.interfaces)),
                ),
                engine_choice.told(rules),
                tuple(map(describe, operations)) if dry_run else None,
                rules,
            )
            if not dry_run:
                self._carry_out(kernel, target.netns_fd, before, after, operations, condition.name if changed else None)
        return result

    def _plain(self, condition: NetworkCondition) -> tuple[NetworkCondition, tuple[PlainRule, ...]]:
        """The same, needing no file any more (it may be carried out again when that is gone), and its rules for the kernel."""
        named = any(rule.condition.profile for rule in condition.rules)
        whole = embedded(condition, own_profiles(self.settings.profiles) if named else None)
        return whole.condition, engine_choice.chosen(whole.rules, condition.engine)

    def _carry_out(
        self, kernel: TargetKernel, fd: int, before: Entry, after: Entry, operations: list[Operation], renewed: str | None
    ) -> None:
        try:
            self.journal.write(after)
            with counters.kept(kernel, before, after, renewed):
                self._apply(kernel, after, operations)
            if renewed is not None:
                kernel.reset_counters([n for rule, n in after.slots.counters.items() if rule.condition == renewed])
            after.state = "made"
            self.journal.write(after)
            self._keep(after, fd)
        except BaseException:
            self._go_back(kernel, fd, before)
            raise

    def _go_back(self, kernel: TargetKernel, fd: int, before: Entry) -> None:
        """What was in force before is in force again; never hides the error that led here."""
        with contextlib.suppress(NetweatherError, OSError):
            self._restore(kernel, fd, before)

    def _restore(self, kernel: TargetKernel, fd: int, entry: Entry) -> Rest:
        """Makes the kernel hold what an entry says, and the journal too; an entry without conditions leaves nothing."""
        observed = kernel.observe()
        entry.conditions = entries.in_force(entry, observed)
        if not entry.conditions:
            return self._unmake(kernel, fd, entry)
        with counters.kept(kernel, entry, entry):
            entry.interfaces = entries.interfaces(entry, observed)
            desired = draining.datapath(kernel, observed, entry)
            self.journal.write(entry)
            rest = self._apply(kernel, entry, plan(desired, observed))
        entry.state = "made"
        self.journal.write(entry)
        return rest

    def _unmake(self, kernel: TargetKernel, fd: int, entry: Entry) -> Rest:
        """Lifts every rule; removes everything of ours once lines hold nothing any more, which may be later (`expire`).

        It needs no write: where nothing can be written, nobody would know what drains, and it is removed at once.
        """
        at_once = replace(self, held="drop", devices_later=False)
        engine = self
        if entry.conditions or entry.state != "unmaking" or not entry.ended:
            entry.conditions, entry.state = [], "unmaking"
            entry.ended = entry.ended or namespaces.boot_ns()
            engine = self if self._noted(entry) else at_once
        operations = plan(Datapath(), kernel.observe())
        if engine.devices_later:
            self._apply(kernel, entry, [operation for operation in operations if isinstance(operation, Lift)])
            return Rest(sum(kernel.held().values()))
        rest = engine._apply(kernel, entry, operations)
        if entry.draining and self._noted(entry, fd):
            return rest
        if entry.draining:
            rest = at_once._apply(kernel, entry, plan(Datapath(), kernel.observe()))
        keeper_process.stop_keeper(self.journal.directory(entry.target.identity))
        kernel.close()
        self.journal.forget(entry.target.identity)
        return rest

    def _noted(self, entry: Entry, keep: int | None = None) -> bool:
        """Writes an entry that is being ended, and has it kept. Returns whether that could be done. keep: the target's namespace."""
        try:
            self.journal.write(entry)
            if keep is not None:
                self._keep(entry, keep)
        except (NetweatherError, OSError):
            return False
        return True

    def _keep(self, entry: Entry, fd: int) -> None:
        keep = self.keep or keeper_process.ensure
        keep(self.journal.directory(entry.target.identity), fd, self.settings.state)

    def _apply(self, kernel: TargetKernel, entry: Entry, operations: list[Operation]) -> Rest:
        """Carries out a plan, but for what would destroy packets that may still come out: those lines are in `entry.draining` then."""
        rest = draining.carry_out(kernel, entry, operations, drop=self.held == "drop")
        if rest.dropped:
            self.dropped(entry.target.identity, rest.dropped)
        for operation in operations:
            if isinstance(operation, WriteRules) and (wrong := kernel.differences(operation)):
                raise NetweatherError(
                    "not-in-force",
                    "the kernel differs from the request",
                    f"different: {', '.join(wrong[:5])}",
                    "`netweather recover`, then try again; report it if it happens again",
                )
        return rest

    def show(self, target: Target | None = None) -> list[ConditionStatus]:
        """The conditions in force on a target, or on all of them; ended ones are swept away first.

        Of all, one that can't be looked at has its problem in its answer.
        """
        self.sweep()
        identities = self.journal.identities() if target is None else [target.identity]
        return [shown for identity in identities for shown in self._show(identity, alone=target is not None)]

    def _show(self, identity: str, *, alone: bool) -> list[ConditionStatus]:
        try:
            return self._read_back(identity)
        except (NetweatherError, OSError) as error:
            if getattr(error, "code", "") == "busy":
                return unread(entries.entry_or_remains(self.journal, identity))
            if alone:
                raise
            return unread(entries.readable(self.journal, identity) or entries.unreadable(identity), recovery.told(error))

    def _read_back(self, identity: str) -> list[ConditionStatus]:
        with self.journal.locked(identity, SHOW_PATIENCE_S):
            entry = self.journal.read(identity)
            if entry is None:
                return []
            with entries.opened(entry.target) as fd:
                if fd is None:
                    return []
                with self.kernel(entry.target, fd, entry.hook) as kernel:
                    return shown(kernel, entry, entries.datapath(entry)[0])

    # clear

    def clear(self, target: Target, name: str | None = None, *, owner: str | None = None) -> list[str]:
        """Ends the condition of this name, or all; returns their names when no packet matches them any more.

        owner: only this one's. Raises NetweatherError(code="no-such-condition") for a name that isn't in force.
        """
        return list(self.end_conditions(target.identity, name, owner, target.netns_fd).names)

    def clear_known(self, identity: str, name: str | None = None, *, owner: str | None = None) -> list[str]:
        """The same for a target of which only the journal is known. Raises as `clear`."""
        return list(self.end_conditions(identity, name, owner).names)

    def rewrite(self, target: Target, change: Callable[[list[InForce]], list[InForce]]) -> bool:
        """Lets the conditions on a target become what `change` makes of them, with the leases and counters that they have.

        Returns whether that is anything else, once the kernel was read back. Raises NetweatherError; nothing is changed then.
        """
        with self.journal.locked(target.identity):
            before = self.journal.read(target.identity)
            if before is None or (current := change(before.conditions)) == before.conditions:
                return False
            with self.kernel(before.target, target.netns_fd, before.hook) as kernel:
                observed = kernel.observe()
                there = entries.in_force(before, observed)
                current = [each for each in current if each.condition.name in entries.names_of(there)]
                after = Entry(before.target, current, before.slots, before.interfaces, before.hook, draining=before.draining)
                after.interfaces = entries.interfaces(after, observed)
                desired = draining.datapath(kernel, observed, after)
                self._carry_out(kernel, target.netns_fd, before, after, plan(desired, observed), None)
        return True

    # for those who set several at once

    def active(self, target: Target) -> tuple[InForce, ...]:
        """The conditions of a target whose lease is not over, as its journal has them: cheap, and the kernel isn't asked."""
        entry = self.journal.read(target.identity)
        if entry is not None and entries.of_another(entry, namespaces.quick_cookie(target.netns_fd)):
            return ()
        now = namespaces.boot_ns()
        return tuple(c for c in entry.conditions if c.deadline > now) if entry else ()

    def put_back(self, target: Target, name: str, before: InForce | None) -> None:
        """Makes the condition of this name what `active` told of it before, with what is left of its lease; None: there was none.

        A condition that somebody has cleared since stays cleared.
        """
        with self.journal.locked(target.identity):
            entry = self.journal.read(target.identity)
            if entry is None or all(c.condition.name != name for c in entry.conditions):
                return
            still = [before] if before is not None and before.deadline > namespaces.boot_ns() else []
            entry.conditions = [*(c for c in entry.conditions if c.condition.name != name), *still]
            self._settle(entry, target.netns_fd)

    def end_conditions(
        self, identity: str, name: str | None, owner: str | None, fd: int | None = None, choose: Choose | None = None
    ) -> Cleared:
        """Ends the conditions of this name and owner, or all (None). fd: the target's namespace, if the caller has it.

        choose: which of these; without it, also what a journal that can't be read stands for.
        Raises NetweatherError(code="no-such-condition") for a name that isn't in force, and what `choose` raises.
        """
        with self.journal.locked(identity):
            if name is None and owner is None and choose is None and entries.is_lost(self.journal, identity):
                rest = self._settle(Entry(entries.unknown(identity)), fd)
                return Cleared(identity, (), None, rest.draining, rest.dropped)
            entry = self.journal.read(identity)
            if entry is not None and fd is not None and namespace_search.is_another(fd, entry.target.cookie):
                self._remove_remains(identity)
                entry = None
            gone = entries.chosen(entry, name, owner)
            if entry is None:
                return Cleared(identity, ())
            gone = gone if choose is None else choose(gone)
            target = entry.target.reference or entry.target.name
            if entry.conditions and not gone:
                return Cleared(target, (), identity=identity)
            entry.conditions = [c for c in entry.conditions if c not in gone]
            rest, problem = self._ended(entry, gone, fd)
        begun_by = tuple(each.reference for each in gone)
        cleared = Cleared(target, entries.names_of(gone), problem, rest.draining, rest.dropped, identity, begun_by=begun_by)
        return self.finish(cleared, "wait") if self.held == "wait" else cleared

    def _ended(self, entry: Entry, gone: list[InForce], known: int | None) -> tuple[Rest, NetweatherError | None]:
        """Settles an entry from which these conditions were taken.

        Where the journal can't be written, the kernel ends their leases: whoever comes next sees there that they have ended.
        """
        leases = frozenset(entry.slots.leases[name] for name in entries.names_of(gone) if name in entry.slots.leases)
        try:
            return self._settle(entry, known), None
        except NetweatherError as error:
            if error.code != "no-state":
                raise
            with contextlib.ExitStack() as stack:
                fd = known if known is not None else stack.enter_context(entries.opened(entry.target))
                if fd is None:
                    raise
                kernel = stack.enter_context(self.kernel(entry.target, fd, entry.hook))
                kernel.observe()
                kernel.apply(Lift(leases))
            what = f"{', '.join(entries.names_of(gone))} ended, but this could not be written: {error.what}"
            return Rest(), NetweatherError(error.code, what, error.why, "what ended stays ended; make the directory writable")

    def finish(self, cleared: Cleared, held: DrainMode) -> Cleared:
        """Returns when nothing drains any more on a target that was cleared: in its time ("wait"), or dropped now ("drop").

        Whatever was to be removed in the background is removed then. The journal is free while it waits.
        """
        done = held == "drain"
        while not done:
            done, cleared = self.look(cleared, held)
            if not done:
                pause(draining.LOOK_S)
        return cleared

    def look(self, cleared: Cleared, held: DrainMode) -> tuple[bool, Cleared]:
        """One look of `finish`, which does not wait: whether nothing drains any more, and what is known then."""
        if not cleared.identity or cleared.problem:
            return True, cleared
        at_once = replace(self, held=held, devices_later=False)
        done, dropped = draining.look(at_once, cleared.identity, at_once._settle)
        return done, replace(cleared, draining=0 if done else cleared.draining, dropped=cleared.dropped + dropped)

    def _settle(self, entry: Entry, known: int | None = None) -> Rest:
        """Makes what remains of an entry so, or removes all of ours when its namespace is gone."""
        with contextlib.ExitStack() as stack:
            fd = known if known is not None else stack.enter_context(entries.opened(entry.target))
            if fd is None:
                self._remove_remains(entry.target.identity)
                return Rest()
            kernel = stack.enter_context(self.kernel(entry.target, fd, entry.hook))
            if self.counted is not None:
                self.counted(entry.target.identity, counters.last(kernel, entry))
            return self._restore(kernel, fd, entry)

    def _remove_remains(self, identity: str) -> None:
        """The target's namespace is gone, and its devices with it; ours, the pump and the files are left."""
        directory = self.journal.directory(identity)
        keeper_process.stop_keeper(directory)
        keeper_process.stop_pump(directory)
        moved_interfaces.detach_remains(directory)
        namespaces.remove(directory / "netns")
        self.journal.forget(identity)

    # recover

    def sweep(self) -> list[Recovered]:
        """Completes what a killed command began; ends what is past its lease, or whose target is gone, and has no keeper to do it."""
        return recovery.sweep(self, orphans=False)

    def sweep_known(self, identity: str) -> list[Recovered]:
        """The same for one target, which this process keeps or nobody."""
        with self.journal.locked(identity):
            return recovery.sweep_one(self, identity, orphans=False)

    def recover(self, *, force: Collection[str] = ()) -> list[Recovered]:
        """Takes away all that dead processes left: also conditions whose lease is not over when nobody keeps them.

        What no journal here knows but is in force, such as a container's with a state directory of its own, is left alone, unless
        its namespace is named: `force` has those by what is in the answer.
        """
        return recovery.sweep(self, orphans=True) + recovery.strays(self, force)

    # for the keeper

    def expire(self, identity: str, fd: int) -> bool:
        """Ends the conditions whose lease is over; makes good what is broken. Returns whether any remain. For the keeper."""
        with self.journal.locked(identity):
            if not os.path.lexists(self.journal.directory(identity)):
                return False
            if entries.is_lost(self.journal, identity):
                return self._expire_unknown(entries.unknown(identity), fd)
            entry = entries.entry_or_remains(self.journal, identity)
            now = namespaces.boot_ns()
            entry.conditions = [c for c in entry.conditions if c.deadline > now]
            self._settle(entry, fd)
            return bool(entry.conditions or entry.draining)

    def drains(self, identity: str, fd: int) -> bool:
        """Whether there is nothing to do yet about a target's closed lines. For the keeper."""
        with self.journal.locked(identity):
            entry = self.journal.read(identity)
            return entry is not None and draining.still_drains(self, entry, fd)

    def _expire_unknown(self, whose: TargetRef, fd: int) -> bool:
        """The same without a journal that can be read: what the kernel holds decides."""
        if recovery.in_force(self, whose, fd):
            return True
        self._settle(Entry(whose), fd)
        return False

    def end(self, identity: str, fd: int, when: Callable[[Entry], bool] = lambda entry: True) -> bool:
        """Ends everything on a target, whatever state it is in. For the keeper.

        when: asked while nobody else can be at work on the target. Returns whether nothing is left.
        """
        with self.journal.locked(identity):
            if not os.path.lexists(self.journal.directory(identity)):
                return True
            entry = entries.entry_or_remains(self.journal, identity)
            if not when(entry):
                return False
            entry.conditions = []
            replace(self, held="drop")._settle(entry, fd)
            return True

    def kernel(self, whose: TargetRef, fd: int, hook: str) -> TargetKernel:
        """The seam's side of a target, which the caller closes; to be used while its journal is locked.

        hook: as the target's journal has it. What is in force stays where it is attached, whatever the settings of whoever comes
        later, such as the keeper.
        """
        hook = hook or self.settings.hook
        return self.open_kernel(fd, self.journal.directory(whose.identity), None if hook == "auto" else hook)
