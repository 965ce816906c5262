"""The engine: observe, plan, apply, read back, restore. The only orchestration; idempotent and synchronous.

Direct mode: the journal is shared with everybody else on this machine, and a keeper is left behind for each target.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from netweather.conditions import FOREVER, NetworkCondition, Rule, validate
from netweather.conditions.profiles import expand
from netweather.engine import choosing
from netweather.engine.results import Recovered, SetResult, Shown
from netweather.engine.sparing import spare_own_session
from netweather.engine.status import shown
from netweather.errors import NetweatherError
from netweather.journal import Entry, Journal, Whose
from netweather.kernel import keeper_process, namespaces
from netweather.kernel.finding import every_namespace, open_namespace
from netweather.kernel.operations import Operation, WriteRules
from netweather.kernel.real import RealTarget
from netweather.kernel.seam import TargetKernel
from netweather.kernel.spec import MAX_INTERFACES, NEVER, Datapath, Interface, Observed, Prefix
from netweather.planning.overlaps import overlaps
from netweather.planning.plan import plan
from netweather.planning.rules import InForce, Slots, flatten
from netweather.planning.vectors import normal_prefix
from netweather.settings import Settings
from netweather.targets import Target, resolve_peers


@dataclass
class Engine:
    """One engine; cheap to make.

    settings: where the journals are, and the default owner. open_kernel: the seam (namespace fd, state directory, hook or None).
    """

    settings: Settings = field(default_factory=Settings.load)
    open_kernel: Callable[[int, Path, str | None], TargetKernel] = RealTarget

    def __post_init__(self) -> None:
        self.journal = Journal(self.settings.state)

    # set

    def set(self, target: Target, condition: NetworkCondition, *, dry_run: bool = False) -> SetResult:
        """Puts a network condition in force on a target, in place of the one of the same name.

        Returns when the kernel was read back and holds it. Raises NetweatherError; nothing is changed then.
        """
        if target.runtime == "host":
            condition = spare_own_session(condition, os.environ)
        validate(condition)
        choosing.refuse(condition)
        peers = _resolve(condition)
        whose = Whose(target.reference, target.name, target.dev, target.ino, target.pid, target.path, target.runtime)
        with self._locked(whose.identity), self._kernel(whose, target.netns_fd) as kernel:
            before = self.journal.read(whose.identity) or Entry(whose)
            observed = kernel.observe()
            now = namespaces.boot_ns()
            after = self._with(before, condition, peers, now, observed)
            desired, after.slots = self._datapath(after)
            operations = plan(desired, observed)
            changed = _rules_of(before, condition.name) != condition.rules or observed.rules is None
            result = SetResult(
                whose,
                condition,
                tuple(operations),
                changed,
                {word: tuple(map(str, prefixes)) for word, prefixes in peers.items()},
                tuple(i.name for i in after.interfaces),
                (*self._notes(observed), *overlaps(desired, after.slots.leases)),
                choosing.told(condition),
            )
            if not dry_run:
                self._carry_out(kernel, target.netns_fd, before, after, operations, condition.name if changed else None)
        return result

    def _carry_out(
        self,
        kernel: TargetKernel,
        fd: int,
        before: Entry,
        after: Entry,
        operations: list[Operation],
        renewed: str | None,
    ) -> None:
        self.journal.write(after)
        try:
            self._apply(kernel, operations)
            if renewed is not None:
                kernel.reset_counters([n for key, n in after.slots.counters.items() if key.startswith(f"{renewed}/")])
            after.state = "made"
            self.journal.write(after)
            keeper_process.ensure(self.journal.directory(after.target.identity), fd, self.settings.state)
        except BaseException:
            self._go_back(kernel, before)
            raise

    def _go_back(self, kernel: TargetKernel, before: Entry) -> None:
        """What was in force before is in force again; never hides the error that led here."""
        with contextlib.suppress(NetweatherError, OSError):
            self._restore(kernel, before)

    def _restore(self, kernel: TargetKernel, entry: Entry) -> None:
        """Makes the kernel hold what an entry says, and the journal too; an entry without conditions leaves nothing."""
        observed = kernel.observe()
        if not entry.conditions:
            self._unmake(kernel, entry)
            return
        entry.interfaces = _interfaces(entry, observed)
        desired, entry.slots = self._datapath(entry)
        self.journal.write(entry)
        self._apply(kernel, plan(desired, observed))
        entry.state = "made"
        self.journal.write(entry)

    def _unmake(self, kernel: TargetKernel, entry: Entry) -> None:
        entry.conditions, entry.state = [], "unmaking"
        self.journal.write(entry)
        for operation in plan(Datapath(), kernel.observe()):
            kernel.apply(operation)
        keeper_process.stop_keeper(self.journal.directory(entry.target.identity))
        kernel.close()
        self.journal.forget(entry.target.identity)

    def _apply(self, kernel: TargetKernel, operations: list[Operation]) -> None:
        for operation in operations:
            kernel.apply(operation)
        for operation in operations:
            if isinstance(operation, WriteRules) and (wrong := kernel.differences(operation)):
                raise NetweatherError(
                    "not-in-force",
                    "the kernel does not hold what was asked",
                    f"different: {', '.join(wrong[:5])}",
                    "`netweather recover`, then try again; report it when it stays so",
                )

    def _with(
        self, before: Entry, condition: NetworkCondition, peers: dict[str, tuple[Prefix, ...]], now: int, observed: Observed
    ) -> Entry:
        """The journal's entry with this condition in it, and those whose lease is over left out."""
        owner = condition.owner or self.settings.owner
        for other in before.conditions:
            if other.condition.name == condition.name and other.deadline > now and other.condition.owner != owner:
                raise NetweatherError(
                    "other-owner",
                    f"the condition {condition.name!r} of {before.target.name} belongs to {other.condition.owner or 'nobody'}",
                    f"you are {owner or 'nobody'}",
                    "choose another --name, or ask its owner to clear it",
                )
        old = next((c for c in before.conditions if c.condition.name == condition.name), None)
        others = [c for c in before.conditions if c.condition.name != condition.name and c.deadline > now]
        deadline = NEVER if condition.lease is FOREVER else now + condition.lease.ns
        active = InForce(replace(condition, owner=owner), peers, deadline, old.created if old else now)
        entry = Entry(before.target, [*others, active], before.slots, before.interfaces, observed.hook)
        entry.interfaces = _interfaces(entry, observed)
        return entry

    def _datapath(self, entry: Entry) -> tuple[Datapath, Slots]:
        owners = sorted({c.condition.owner for c in entry.conditions if c.condition.owner})
        names = ", ".join(c.condition.name for c in entry.conditions)
        alias = f"netweather: {names} {'of ' + ', '.join(owners) if owners else ''}".strip()[:250]
        active = [replace(c, condition=expand(c.condition)) for c in entry.conditions]
        return flatten(active, entry.interfaces, choosing.look, entry.slots, alias)

    def _notes(self, observed: Observed) -> tuple[str, ...]:
        notes = list(observed.hidden)
        if observed.hook == "clsact":
            notes.append("this kernel has no tcx (Linux 6.6): adding and removing clsact may cost the interface a few packets")
        return tuple(notes)

    # show

    def show(self, target: Target | None = None) -> list[Shown]:
        """The conditions in force on a target, or on all of them; ended ones are swept away first."""
        self.sweep()
        identities = self.journal.identities() if target is None else [target.identity]
        return [shown for identity in identities for shown in self._show(identity)]

    def _show(self, identity: str) -> list[Shown]:
        with self._locked(identity):
            entry = self.journal.read(identity)
            if entry is None:
                return []
            with _opened(entry.target) as fd:
                if fd is None:
                    return []
                with self._kernel(entry.target, fd) as kernel:
                    return shown(kernel, entry, self._datapath(entry)[0])

    # clear

    def clear(self, target: Target, name: str | None = None, *, owner: str | None = None) -> list[str]:
        """Ends the condition of this name, or all; returns their names when the network is as it was before.

        owner: only this one's. Raises NetweatherError(code="no-such-condition") for a name that isn't in force.
        """
        return self._clear(target.identity, name, owner, target.netns_fd)

    def clear_all(self) -> dict[str, list[str]]:
        """Ends every condition on this machine; names by target."""
        return {i: self._clear(i, None, None, None) for i in self.journal.identities()}

    def _clear(self, identity: str, name: str | None, owner: str | None, known: int | None) -> list[str]:
        with self._locked(identity):
            entry = self.journal.read(identity)
            present = [c.condition.name for c in entry.conditions] if entry else []
            if name is not None and name not in present:
                raise NetweatherError(
                    "no-such-condition",
                    f"no condition {name!r} is in force",
                    f"there are: {', '.join(present) or 'none'}",
                    "`netweather show` lists them",
                )
            if entry is None:
                return []
            gone = [
                c
                for c in entry.conditions
                if (name is None or c.condition.name == name) and (owner is None or c.condition.owner == owner)
            ]
            entry.conditions = [c for c in entry.conditions if c not in gone]
            self._settle(entry, known)
            return [c.condition.name for c in gone]

    def _settle(self, entry: Entry, known: int | None = None) -> None:
        """Makes what remains of an entry so, or removes all of ours when its namespace is gone."""
        with contextlib.ExitStack() as stack:
            fd = known if known is not None else stack.enter_context(_opened(entry.target))
            if fd is None:
                self._remove_remains(entry.target.identity)
                return
            self._restore(stack.enter_context(self._kernel(entry.target, fd)), entry)

    def _remove_remains(self, identity: str) -> None:
        """The target's namespace is gone, and its devices with it; ours, the pump and the files are left."""
        directory = self.journal.directory(identity)
        keeper_process.stop_keeper(directory)
        keeper_process.stop_pump(directory)
        namespaces.remove(directory / "netns")
        self.journal.forget(identity)

    # recover

    def sweep(self) -> list[Recovered]:
        """Ends what is past its lease, or whose target is gone, and has no keeper to do it; every command begins with it."""
        return self._recover(orphans=False)

    def recover(self, *, force: bool = False) -> list[Recovered]:
        """Takes away all that dead processes left: also conditions whose lease is not over when nobody keeps them.

        What no journal here knows but is in force, such as a container's with a state directory of its own, is left alone
        unless `force`.
        """
        return self._recover(orphans=True) + self._strays(force)

    def _recover(self, *, orphans: bool) -> list[Recovered]:
        found: list[Recovered] = []
        for identity in self.journal.identities():
            if keeper_process.running(self.journal.directory(identity)):
                continue
            with self._locked(identity):
                found += self._recover_one(identity, orphans=orphans)
        return found

    def _recover_one(self, identity: str, *, orphans: bool) -> list[Recovered]:
        if not self.journal.directory(identity).exists() or keeper_process.running(self.journal.directory(identity)):
            return []
        try:
            entry = self.journal.read(identity)
        except NetweatherError:
            if not orphans:
                return []
            entry = None
        if entry is None:
            entry = Entry(_unknown(identity))
        now = namespaces.boot_ns()
        ended = [c for c in entry.conditions if orphans or c.deadline <= now]
        with _opened(entry.target) as fd:
            if fd is not None and entry.conditions and not ended:
                return []
            entry.conditions = [c for c in entry.conditions if c not in ended]
            self._settle(entry, fd)
        names = ", ".join(c.condition.name for c in ended) or "remains"
        return [Recovered(entry.target.name, names)]

    def _strays(self, force: bool) -> list[Recovered]:
        """What is ours by name and alias, or by program name, in namespaces that no journal knows."""
        known = set(self.journal.identities())
        found = []
        for path, dev, ino, fd in every_namespace():
            whose = Whose(path, path, dev, ino, None, path, "netns")
            if whose.identity in known:
                continue
            with self._kernel(whose, fd) as kernel:
                observed = kernel.observe()
                if not observed.attached and not observed.port:
                    continue
                if observed.alive and not force:
                    found.append(Recovered(whose.name, "in force, but not from this state directory", taken=False))
                    continue
                with self._locked(whose.identity):
                    self._unmake(kernel, Entry(whose))
                found.append(Recovered(whose.name, "devices and programs without a journal"))
        return found

    # for the keeper

    def expire(self, identity: str, fd: int) -> bool:
        """Ends the conditions whose lease is over; makes good what is broken. Returns whether any remain. For the keeper."""
        with self._locked(identity):
            entry = self.journal.read(identity)
            if entry is None:
                return False
            now = namespaces.boot_ns()
            entry.conditions = [c for c in entry.conditions if c.deadline > now]
            remains = bool(entry.conditions)
            self._settle(entry, fd)
            return remains

    def end(self, identity: str, fd: int) -> None:
        """Ends everything on a target, whatever state it is in. For the keeper."""
        with self._locked(identity):
            entry = self.journal.read(identity)
            if entry is not None:
                entry.conditions = []
                self._settle(entry, fd)

    # helpers

    @contextlib.contextmanager
    def _locked(self, identity: str) -> Iterator[None]:
        with self.journal.locked(identity):
            yield

    def _kernel(self, whose: Whose, fd: int) -> TargetKernel:
        directory = self.journal.directory(whose.identity)
        # What is in force stays where it is attached, whatever the settings of whoever comes later, such as the keeper.
        hook = self.journal.hook(whose.identity) or self.settings.hook
        return self.open_kernel(fd, directory, None if hook == "auto" else hook)


def _opened(whose: Whose) -> contextlib.AbstractContextManager[int | None]:
    hints = [whose.path] if whose.path else []
    hints += [f"/proc/{whose.pid}/ns/net"] if whose.pid else []
    return open_namespace(whose.dev, whose.ino, tuple(hints))


def _unknown(identity: str) -> Whose:
    dev, _, ino = identity.partition("-")
    return Whose("", f"namespace {ino}", int(dev), int(ino), None, None, "netns")


def _rules_of(entry: Entry, name: str) -> tuple[Rule, ...] | None:
    return next((c.condition.rules for c in entry.conditions if c.condition.name == name), None)


def _interfaces(entry: Entry, observed: Observed) -> tuple[Interface, ...]:
    """The interfaces that rules can mean, with the slots that they have or get."""
    if not observed.interfaces:
        raise NetweatherError(
            "no-interfaces",
            f"{entry.target.name} has no interface that can carry a condition",
            "it has none but loopback, or none of Ethernet's kind",
            "connect it to a network first",
        )
    named = {name for c in entry.conditions for r in c.condition.rules for name in r.match.interfaces}
    everything = any(not r.match.interfaces for c in entry.conditions for r in c.condition.rules)
    present = [(n, i) for n, i in observed.interfaces if everything or n in named] or list(observed.interfaces)
    if len(present) > MAX_INTERFACES:
        raise NetweatherError(
            "too-many-interfaces",
            f"{entry.target.name} has {len(present)} interfaces",
            f"the most is {MAX_INTERFACES}",
            "name those you mean with --interface",
        )
    free = iter(n for n in range(MAX_INTERFACES) if n not in entry.slots.interfaces.values())
    found = []
    for name, ifindex in present:
        slot = entry.slots.interfaces.get(name)
        found.append(Interface(name, ifindex, next(free) if slot is None else slot))
    return tuple(found)


def _resolve(condition: NetworkCondition) -> dict[str, tuple[Prefix, ...]]:
    matches = [rule.match for rule in condition.rules] + list(condition.exclude)
    words = sorted({word for match in matches for word in match.to})
    return {word: tuple(normal_prefix(str(p.prefix)) for p in resolve_peers(word)) for word in words}
