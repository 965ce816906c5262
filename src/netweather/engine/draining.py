"""Packets that emulated links hold when their condition ends: they come out when they are due, for DRAIN_S at most, then they are dropped.

Nothing waits for them: a plan is carried out but for what would destroy them, and whoever keeps the target does that later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from netweather.engine import entries
from netweather.journal import Entry
from netweather.kernel import namespaces
from netweather.kernel.datapath.operations import CloseLine, Operation
from netweather.kernel.datapath.seam import TargetKernel
from netweather.kernel.datapath.spec import Datapath, Observed
from netweather.kernel.netlink.netem_attributes import differences, unpack
from netweather.lines.netem_line import holds_up
from netweather.planning.plan import tears_down
from netweather.results import Rest

if TYPE_CHECKING:
    from netweather.engine.core import Engine

DrainMode = Literal["drain", "wait", "drop"]
"""What becomes of held packets: they drain later, they drain and the caller waits for it, or they are dropped now."""
DRAIN_S: Final = 10.0
DRAIN_NS: Final = round(DRAIN_S * 1e9)
LOOK_S: Final = 0.05
"""Between two looks at lines that drain."""
Dropped = Callable[[str, int], None]


def ignore(identity: str, packets: int) -> None:
    """Nobody is to know of dropped packets."""


def carry_out(kernel: TargetKernel, entry: Entry, operations: Iterable[Operation], *, drop: bool) -> Rest:
    """Carries out a plan, but for what would destroy packets that may still come out: their lines are in `entry.draining` then."""
    work = _Work(kernel, entry, entry.draining, drop)
    entry.draining = {}
    for operation in operations:
        work.apply(operation)
    return work.rest or Rest()


@dataclass
class _Work:
    kernel: TargetKernel
    entry: Entry
    before: dict[int, int]
    drop: bool
    closed: frozenset[int] = frozenset()
    rest: Rest | None = None

    def apply(self, operation: Operation) -> None:
        if isinstance(operation, CloseLine) and not operation.drop:
            self.closed |= {operation.index}
        elif self.rest is None and tears_down(operation, self.closed):
            self.rest = self._let_out()
        if self.rest is None or not tears_down(operation, self.entry.draining):
            self.kernel.apply(operation)

    def _let_out(self) -> Rest:
        """Which closed lines go on draining, and until when; what has had its time is dropped."""
        now = namespaces.boot_ns()
        latest = (self.entry.ended or now) + DRAIN_NS
        held = {line: count for line, count in self.kernel.held().items() if line in self.closed}
        draining = {line: self.before.get(line, latest) for line in held}
        late = [line for line, until in draining.items() if self.drop or until <= now]
        for line in late:
            self.kernel.apply(CloseLine(line, drop=True))
        self.entry.draining = {line: until for line, until in draining.items() if line not in late}
        return Rest(sum(held[line] for line in self.entry.draining), sum(held[line] for line in late))


def taken(before: Entry, kernel: TargetKernel) -> dict[int, int]:
    """Lines that a new condition may not have: what they hold belongs to conditions that have ended."""
    if before.conditions:
        return before.draining
    latest = (before.ended or namespaces.boot_ns()) + DRAIN_NS
    return {line: before.draining.get(line, latest) for line in kernel.held()}


def datapath(kernel: TargetKernel, observed: Observed, entry: Entry) -> Datapath:
    """What the kernel has to hold for an entry, which gets the slots that it takes.

    Fresh lines where what a netem holds would delay what comes next: netem can't re-time packets.
    """
    desired, entry.slots = entries.datapath(entry)
    lines = [line for line in desired.lines if line.engine == "netem" and line.index in observed.lines]
    if not lines or not (held := kernel.held()):
        return desired
    there = kernel.netems()
    old = []
    for line in lines:
        wanted, found = unpack(line.parameters), there.get(line.index)
        if found is not None and differences(wanted, found) and holds_up(found, held.get(line.index, 0), wanted):
            old.append(line.index)
    if not old:
        return desired
    latest = namespaces.boot_ns() + DRAIN_NS
    entry.draining = {**entry.draining, **dict.fromkeys(old, latest)}
    entry.slots.lines = {key: line for key, line in entry.slots.lines.items() if line not in old}
    desired, entry.slots = entries.datapath(entry)
    return desired


def still_drains(engine: Engine, entry: Entry, known: int | None = None) -> bool:
    """Whether all lines that drain still hold packets, and may; asked while the journal is locked. known: the target's namespace."""
    if not entry.draining or min(entry.draining.values()) <= namespaces.boot_ns():
        return False
    with ExitStack() as stack:
        fd = known if known is not None else stack.enter_context(entries.opened(entry.target))
        if fd is None:
            return False
        return stack.enter_context(engine.kernel(entry.target, fd, entry.hook)).held().keys() >= entry.draining.keys()


def look(engine: Engine, identity: str, settle: Callable[[Entry], Rest]) -> tuple[bool, int]:
    """Removes a target's closed lines that hold nothing any more: (whether none is left, how many packets had to be dropped)."""
    with engine.journal.locked(identity):
        entry = engine.journal.read(identity)
        if entry is None or (entry.conditions and not entry.draining):
            return True, 0
        if engine.held != "drop" and still_drains(engine, entry):
            return False, 0
        rest = settle(entry)
        return not rest.draining, rest.dropped
