"""Desired and observed become ordered operations.

Making: namespace, port, classifier's tables, pump, lines, rules, and the hooks last, so that nothing is sent where nothing is.
Unmaking: leases first, then the lines are closed; hooks and devices follow when the lines hold nothing any more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from netweather.kernel.datapath.operations import (
    Attach,
    ChangeLine,
    CloseLine,
    Detach,
    DetachElsewhere,
    Lift,
    LoadClassifier,
    MakeHelper,
    MakeLine,
    MakePort,
    Operation,
    RemoveHelper,
    RemoveLine,
    RemovePort,
    StartPump,
    StopPump,
    WriteRules,
)
from netweather.kernel.datapath.spec import Datapath, Observed
from netweather.planning.vectors import compile_tables


def plan(desired: Datapath, observed: Observed) -> list[Operation]:
    """The operations that turn what is observed into what is desired. Applying them twice changes nothing more.

    What stands behind the last CloseLine may be done only when the closed lines hold nothing (`tears_down`).
    """
    if desired.empty:
        return _unmake(observed)
    tables = compile_tables(desired.rules, desired.interfaces)
    reload = observed.classifier is None or not observed.classifier.holds(tables.room)
    operations: list[Operation] = [DetachElsewhere()] if observed.left else []
    if desired.lines:
        operations += _make_ways(desired, observed)
    if reload:
        operations.append(LoadClassifier(tables.room))
    operations += _make_lines(desired, observed)
    operations.append(WriteRules(tables, desired.leases, desired))
    wanted = {interface.name: interface for interface in desired.interfaces}
    for interface in wanted.values():
        if reload or interface.name not in observed.attached:
            operations.append(Attach(interface.name, interface.ifindex))
    operations += [Detach(name) for name in sorted((observed.attached | observed.half_attached) - set(wanted))]
    return operations + _leftovers(observed, frozenset(line.index for line in desired.lines))


def _make_ways(desired: Datapath, observed: Observed) -> list[Operation]:
    operations: list[Operation] = []
    if not observed.helper:
        operations.append(MakeHelper())
    if not observed.port:
        operations.append(MakePort(desired.alias))
    return operations


def _make_lines(desired: Datapath, observed: Observed) -> list[Operation]:
    kept = tuple(line for line in desired.lines if line.index in observed.lines and observed.port)
    operations: list[Operation] = []
    if not any(observed.leases):  # no rule leads there: what is left of an earlier condition is nothing of this one's
        operations += [CloseLine(line.index, drop=True) for line in kept]
        kept = ()
    if any(line.engine == "pump" for line in desired.lines) and not observed.pump:
        operations.append(StartPump(tuple(line for line in kept if line.engine == "pump")))
    for line in desired.lines:
        operations.append(ChangeLine(line) if line in kept else MakeLine(line))
    return operations


def _leftovers(observed: Observed, keep: frozenset[int], unhook: Iterable[str] = ()) -> list[Operation]:
    """Lines that no rule leads to any more; and all of our devices at once when none is needed."""
    gone = sorted((observed.lines | observed.broken) - keep)
    operations: list[Operation] = [CloseLine(index) for index in gone]
    if keep:
        return operations + [RemoveLine(index) for index in gone]
    operations += [Detach(name) for name in unhook]
    operations.append(StopPump())
    if observed.helper:
        operations.append(RemoveHelper())
    if observed.port or observed.port_faults:
        operations.append(RemovePort())
    return operations


def _unmake(observed: Observed) -> list[Operation]:
    operations: list[Operation] = [Lift()] if observed.classifier is not None else []
    operations += [DetachElsewhere()] if observed.left else []
    return operations + _leftovers(observed, frozenset(), sorted(observed.attached | observed.half_attached))


def tears_down(operation: Operation, held: Collection[int]) -> bool:
    """Whether an operation behind the CloseLines would destroy what closed lines (their numbers) hold."""
    if isinstance(operation, RemoveLine):
        return operation.index in held
    return bool(held) and isinstance(operation, Detach | StopPump | RemoveHelper | RemovePort)


def describe(operation: Operation) -> str:
    """One line for people, of `--dry-run`."""
    match operation:
        case MakeHelper():
            return "create Netweather's own network namespace for this target"
        case MakePort():
            return "make the veth pair nw0 (in the target) and nwh (in Netweather's namespace), without addresses and ARP"
        case LoadClassifier(room=room):
            return f"load the classifier, with room for {room.rules} rules"
        case StartPump():
            return "start the pump"
        case MakeLine(line=line) | ChangeLine(line=line):
            verb = "make" if isinstance(operation, MakeLine) else "set"
            return f"{verb} emulated link {line.index} ({line.engine}) for {line.direction} of {line.interface.name}: {line.id}"
        case WriteRules(tables=tables):
            return f"write {len(tables.rules)} rules and switch to them atomically"
        case Attach(interface=name):
            return f"attach to {name}, egress and ingress, before other programs"
        case Detach(interface=name):
            return f"detach from {name}"
        case DetachElsewhere():
            return "detach from interfaces that have left this namespace, wherever they are"
        case Lift():
            return "end every lease: no rule matches any more"
        case CloseLine(index=index):
            return f"drain emulated link {index}"
        case RemoveLine(index=index):
            return f"remove emulated link {index} when it is empty"
        case StopPump():
            return "stop the pump"
        case RemoveHelper():
            return "remove Netweather's own network namespace and everything in it"
        case RemovePort():
            return "wait until nw0 and nwh are removed"
