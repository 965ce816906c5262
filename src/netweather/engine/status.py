"""What is in force, told from the journal and from what the kernel is seen to hold. Reads only."""

from __future__ import annotations

from netweather.conditions import NetworkCondition
from netweather.conditions.profiles import expand_rule
from netweather.engine import choosing
from netweather.engine.results import RuleCounters, Shown
from netweather.journal import Entry
from netweather.kernel import hooks, namespaces
from netweather.kernel.netem import unpack
from netweather.kernel.seam import TargetKernel
from netweather.kernel.spec import NEVER, Datapath, Line, Observed, digest_of
from netweather.lines.netem import may_overflow
from netweather.planning.rules import Slots


def shown(kernel: TargetKernel, entry: Entry, desired: Datapath) -> list[Shown]:
    observed = kernel.observe()
    wrong = problems(entry, desired, observed)
    counters = kernel.counters(list(entry.slots.counters.values()))
    overflowed = kernel.queue_drops()
    drops = kernel.unwanted_drops() + sum(overflowed.get(line.index, 0) for line in desired.lines if not _may_overflow(line))
    now = namespaces.boot_ns()
    found = []
    for active in sorted(entry.conditions, key=lambda each: each.created):  # in the order in which they apply
        found.append(
            Shown(
                target=entry.target,
                condition=active.condition,
                remaining_ns=None if active.deadline == NEVER else max(0, active.deadline - now),
                in_force=not wrong and active.deadline > now,
                problems=(*wrong, *map(departed, entry.departed), *observed.hidden),
                interfaces=tuple(i.name for i in entry.interfaces),
                peers={word: tuple(map(str, p)) for word, p in active.peers.items()},
                rules=tuple(_sum(counters, numbers) for numbers in _counter_slots(active.condition, entry.slots)),
                unwanted_drops=drops,
                engine=_engine(desired, active.condition.name),
                engines=choosing.told(active.condition),
                hook=observed.hook,
                notes=hooks.told(observed.hook),
                queue_drops=_queue_drops(desired, overflowed, active.condition.name),
            )
        )
    return found


def problems(entry: Entry, desired: Datapath, observed: Observed) -> tuple[str, ...]:
    found: list[str] = []
    if not desired.interfaces:
        return ("no interface is left that it could act on",)
    names = {ifindex: name for name, ifindex in observed.interfaces}  # a rename is nothing wrong
    missing = [i for i in desired.interfaces if names.get(i.ifindex, i.name) not in observed.attached]
    here = sorted(i.name for i in missing if i.ifindex in names)
    if here:
        found.append(f"the classifier is not attached to {', '.join(here)}")
    found += [departed(i.name) for i in missing if i.ifindex not in names]
    if observed.rules != digest_of(desired.rules):
        found.append("the kernel holds other rules")
    if desired.lines and not observed.port:
        found.extend(observed.port_faults or ("the device nw0 is gone",))
    lost = {line.index for line in desired.lines} - observed.lines
    if lost and observed.port:
        found.append(f"{len(lost)} of {len(desired.lines)} lines are gone")
    if any(line.engine == "pump" for line in desired.lines) and not observed.pump:
        found.append("the pump is not running: traffic passes as if nothing was asked")
    if entry.state != "made":
        found.append("a command that changes it has not finished")
    return tuple(found)


def departed(name: str) -> str:
    """Of an interface that was covered."""
    return f"the interface {name} was moved to another namespace, or deleted: the condition does not cover it any more"


def _engine(desired: Datapath, name: str) -> str:
    """What makes the lines of a condition; without lines the classifier does it all."""
    engines = {line.engine for line in desired.lines if line.key.startswith(f"{name}/")}
    return " and ".join(sorted(engines)) or "classifier"


def _may_overflow(line: Line) -> bool:
    """Whether a full queue is part of what was asked; a pump's queue has no limit unless something asked for makes one."""
    return line.engine == "pump" or may_overflow(unpack(line.parameters))


def _queue_drops(desired: Datapath, overflowed: dict[int, int], name: str) -> int:
    """Packets of a condition that met a full queue, as its rate or limit has it."""
    lines = [line for line in desired.lines if line.key.startswith(f"{name}/") and _may_overflow(line)]
    return sum(overflowed.get(line.index, 0) for line in lines)


def _counter_slots(condition: NetworkCondition, slots: Slots) -> list[list[int]]:
    """For each rule as it was asked the counters of the rules it became: a profile is one for each direction."""
    found, number = [], 0
    for rule in condition.rules:
        parts = len(expand_rule(rule))
        keys = [f"{condition.name}/{number + i}" for i in range(parts)]
        found.append([slots.counters[key] for key in keys if key in slots.counters])
        number += parts
    return found


def _sum(counters: dict[int, tuple[int, int, int]], slots: list[int]) -> RuleCounters:
    values = [counters.get(slot, (0, 0, 0)) for slot in slots]
    return RuleCounters(sum(v[0] for v in values), sum(v[1] for v in values), sum(v[2] for v in values))
