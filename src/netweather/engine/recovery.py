"""What no living process looks after: completed, or removed. Nothing that fails on one target stops the others.

Not here: how one target is made and unmade (core), and what keeps a target that is whole (netweather.keeper, an agent).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from netweather.engine import entries
from netweather.errors import NetweatherError, reason
from netweather.journal import Entry
from netweather.kernel import keeper_process, namespaces
from netweather.kernel.datapath.seam import TargetKernel
from netweather.kernel.datapath.spec import Observed
from netweather.kernel.namespace_search import every_namespace
from netweather.kernel.waiting import pause
from netweather.results import Recovered, TargetRef

if TYPE_CHECKING:
    from netweather.engine.core import Engine

SECOND_LOOK_S = 3.0
"""After so long what another state directory is setting is in force, or what its keeper mends is mended."""
ELSEWHERE = "in force or being set, but not from this state directory"


@contextlib.contextmanager
def seen(engine: Engine, whose: TargetRef, fd: int) -> Iterator[tuple[TargetKernel, Entry, Observed]]:
    """The seam, what the journal has of this namespace, and what the kernel is seen to hold; to be used under the journal's lock.

    The journal may be of a namespace that is gone and had the same inode, when nobody was there to end what was in force in it, or
    of what was ended already: these remains are removed first, and nothing of them comes into force here.
    """
    entry = engine.journal.read(whose.identity)
    with engine.kernel(whose, fd, entry.hook if entry else "") as kernel:
        observed = kernel.observe()
        if entry is None or not (entries.of_another(entry, observed.cookie) or _was_ended(engine, entry, observed)):
            if entry is not None:
                entry.conditions = entries.in_force(entry, observed)
            yield kernel, entry or Entry(replace(whose, cookie=observed.cookie)), observed
            return
    engine._remove_remains(whose.identity)
    with engine.kernel(whose, fd, "") as kernel:
        yield kernel, Entry(replace(whose, cookie=observed.cookie)), kernel.observe()


def sweep(engine: Engine, *, orphans: bool) -> list[Recovered]:
    """Each target that has a journal, as `sweep_one`. A target on which a command is at work is that command's."""
    found: list[Recovered] = []
    for identity in engine.journal.identities():
        if not orphans and _is_kept_whole(engine, identity):
            continue
        try:
            with engine.journal.locked(identity, None if orphans else 0.0):
                found += sweep_one(engine, identity, orphans=orphans)
        except (NetweatherError, OSError) as error:
            if orphans or getattr(error, "code", "") != "busy":
                name = entries.entry_or_remains(engine.journal, identity).target.name
                found.append(Recovered(name, f"skipped: {told(error)}", taken=False))
    return found


def _is_kept_whole(engine: Engine, identity: str) -> bool:
    """Whether a process keeps a target on which nothing is left half done, as far as can be seen without its lock."""
    entry = entries.readable(engine.journal, identity)
    return keeper_process.running(engine.journal.directory(identity)) and not (entry and entry.begun)


def sweep_one(engine: Engine, identity: str, *, orphans: bool) -> list[Recovered]:
    """Completes what a killed command began; ends what is past its lease, or whose target is gone, and has no keeper to do it.

    orphans: also ends what no living process keeps, and what no journal describes. While the target's lock is held.
    """
    directory = engine.journal.directory(identity)
    if not os.path.lexists(directory):
        return []
    kept = keeper_process.kept_by_another(directory)
    if entries.is_lost(engine.journal, identity):
        return [] if kept and not orphans else _sweep_unknown(engine, identity, orphans=orphans)
    entry = entries.entry_or_remains(engine.journal, identity)
    if kept and not entry.begun:
        names = ", ".join(c.condition.name for c in entry.conditions)
        return (
            [Recovered(entry.target.name, f"{names}: in force, and kept by a living process", taken=False)]
            if orphans and names
            else []
        )
    now = namespaces.boot_ns()
    ended = [c for c in entry.conditions if (orphans and not kept) or c.deadline <= now]
    with entries.opened(entry.target) as fd:
        if fd is not None and entry.conditions and not ended and not entry.begun:
            if not _ended_already(engine, entry, fd):
                return []
            ended = list(entry.conditions)
        entry.conditions = [c for c in entry.conditions if c not in ended]
        if entry.conditions and fd is not None:
            return [_completed(engine, entry, fd)]
        engine._settle(entry, fd)
    names = ", ".join(c.condition.name for c in ended) or "remains"
    return [Recovered(entry.target.name, names)]


def _ended_already(engine: Engine, entry: Entry, fd: int) -> bool:
    if keeper_process.running(engine.journal.directory(entry.target.identity)):
        return False
    with engine.kernel(entry.target, fd, entry.hook) as kernel:
        return _was_ended(engine, entry, kernel.observe())


def _was_ended(engine: Engine, entry: Entry, observed: Observed) -> bool:
    """Whether an entry is of conditions that were ended where nothing could be written: the kernel holds nothing of them.

    What a keeper or an agent looks after was only broken by somebody.
    """
    there = {ifindex for _, ifindex in observed.interfaces} & {each.ifindex for each in entry.interfaces}
    holds = observed.classifier or observed.attached or observed.half_attached or observed.port or observed.port_faults
    directory = engine.journal.directory(entry.target.identity)
    return entry.state == "made" and bool(there) and not holds and not keeper_process.running(directory)


def _completed(engine: Engine, entry: Entry, fd: int) -> Recovered:
    """Makes what a killed command began, and has it kept; removes it when that can't be done any more."""
    names = ", ".join(c.condition.name for c in entry.conditions)
    try:
        engine._settle(entry, fd)
        engine._keep(entry, fd)
    except (NetweatherError, OSError):
        entry.conditions = []
        engine._settle(entry, fd)
        return Recovered(entry.target.name, names)
    return Recovered(entry.target.name, f"{names}: the command that set it was killed; now it is in force", taken=False)


def _sweep_unknown(engine: Engine, identity: str, *, orphans: bool) -> list[Recovered]:
    """The same where the journal can't be read: what the kernel holds decides."""
    entry = Entry(entries.unknown(identity))
    with entries.opened(entry.target) as fd:
        if fd is not None and not orphans and in_force(engine, entry.target, fd):
            return []
        engine._settle(entry, fd)
    return [Recovered(entry.target.name, "remains, of which no journal could be read")]


def in_force(engine: Engine, whose: TargetRef, fd: int) -> bool:
    """Whether the kernel holds a lease of this target's that is not over."""
    with engine.kernel(whose, fd, "") as kernel:
        now = namespaces.boot_ns()
        return any(lease > now for lease in kernel.observe().leases)


def strays(engine: Engine, force: Collection[str]) -> list[Recovered]:
    """What is ours by name and mark, or by program name, in namespaces that no journal here knows.

    What is not in force may just be set by somebody else: it is taken when a second look finds it the same. force: the
    namespaces, by path, from which it is taken whatever it is.
    """
    dead: dict[str, Observed] = {}

    def note(whose: TargetRef, kernel: TargetKernel, seen: Observed) -> None:
        if not seen.alive and whose.name not in force:
            dead[whose.identity] = seen

    taken: list[Recovered] = []

    def take(whose: TargetRef, kernel: TargetKernel, seen: Observed) -> None:
        if whose.name not in force and dead.get(whose.identity) != seen:
            taken.append(Recovered(whose.name, ELSEWHERE, taken=False, forcible=True, identity=whose.identity))
            return
        with engine.journal.locked(whose.identity):
            replace(engine, held="drop")._unmake(kernel, -1, Entry(whose))
        taken.append(Recovered(whose.name, "devices and programs without a journal"))

    skipped = _visit(engine, note)
    if dead:
        pause(SECOND_LOOK_S)
    skipped |= _visit(engine, take)
    return taken + [Recovered(path, f"skipped: {why}", taken=False) for path, why in skipped.items()]


def _visit(engine: Engine, act: Callable[[TargetRef, TargetKernel, Observed], None]) -> dict[str, str]:
    """Calls `act` for each namespace with something of ours that no journal here knows. Returns the paths that it skipped, and why."""
    known, skipped = set(engine.journal.identities()), dict[str, str]()
    for path, dev, ino, fd in every_namespace(skipped):
        whose = TargetRef(path, path, dev, ino, None, path, "netns")
        if whose.identity in known:
            continue
        try:
            with engine.kernel(whose, fd, "") as kernel:
                seen = kernel.observe()
                if seen.attached or seen.half_attached or seen.port or seen.port_faults:
                    act(whose, kernel, seen)
        except (NetweatherError, OSError) as error:
            skipped[path] = told(error)
    return skipped


def told(error: NetweatherError | OSError) -> str:
    """An error in one line."""
    return f"{error.what}: {error.why}" if isinstance(error, NetweatherError) else reason(error)
