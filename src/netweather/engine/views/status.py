"""What is in force, told from the journal and from what the kernel is seen to hold. Reads only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from netweather.engine import engine_choice, entries
from netweather.engine.views import counters, reach
from netweather.journal import Entry
from netweather.kernel import namespaces
from netweather.kernel.datapath.seam import TargetKernel
from netweather.kernel.datapath.spec import NEVER, Datapath, Line, LineCounts, LineId, Observed, RuleId, digest_of
from netweather.kernel.netlink.netem_attributes import unpack
from netweather.lines.netem_line import may_overflow
from netweather.results import ConditionStatus


def shown(kernel: TargetKernel, entry: Entry, desired: Datapath) -> list[ConditionStatus]:
    observed = kernel.observe()
    wrong = problems(entry, desired, observed)
    matched = kernel.counters(list(entry.slots.counters.values()))
    lines, overflowed = _lines(kernel, entry, desired)
    drops = kernel.unwanted_drops() + overflowed
    entry.conditions = entries.in_force(entry, observed)
    found = []
    for each in _as_written(entry, observed.hook):
        alone = replace(entry, conditions=[c for c in entry.conditions if c.condition.name == each.condition.name])
        names = [RuleId(each.condition.name, number) for number in range(len(each.condition.rules))]
        rules = tuple(
            counters.of_rule([rule], [matched.get(entry.slots.counters.get(rule, -1), (0, 0, 0))], lines, entry.carried)
            for rule in names
        )
        found.append(
            replace(
                each,
                in_force=not wrong and each.remaining_ns != 0,
                problems=(*wrong, *map(departed, entry.departed), *uncovered(alone, observed), *observed.hidden),
                rules=rules,
                unwanted_drops=drops,
                notes=tuple(reach.notes(observed, each.condition)),
                engine=_engine(desired, each.condition.name),
                queue_drops=sum(rule.queue or 0 for rule in rules),
            )
        )
    return found


BUSY: Final = "busy: another command is changing this target, so this shows the journal and not the kernel"


def unread(entry: Entry, why: str = BUSY) -> list[ConditionStatus]:
    """What the journal says of a target whose kernel was not asked, and why it was not."""
    return [replace(each, problems=(why,)) for each in _as_written(entry, entry.hook or "tcx")]


def _as_written(entry: Entry, hook: str) -> Iterator[ConditionStatus]:
    """What the journal says of each condition, in the order in which they apply."""
    now = namespaces.boot_ns()
    for active in sorted(entry.conditions, key=lambda each: each.created):
        yield ConditionStatus(
            target=entry.target,
            condition=active.condition,
            remaining_ns=None if active.deadline == NEVER else max(0, active.deadline - now),
            in_force=False,
            problems=(),
            interfaces=tuple(i.name for i in entry.interfaces),
            peers={word: tuple(map(str, p)) for word, p in active.peers.items()},
            rules=tuple(counters.of_rule([], [], {}, {}) for _ in active.condition.rules),
            unwanted_drops=0,
            engine="unknown",
            engines=engine_choice.told(active.rules),
            hook=hook,
        )


def problems(entry: Entry, desired: Datapath, observed: Observed) -> tuple[str, ...]:
    found: list[str] = []
    if not desired.interfaces:
        return ("no interface is left that it could act on",)
    names = {ifindex: name for name, ifindex in observed.interfaces}  # a rename is nothing wrong
    names |= {each.ifindex: each.name for each in observed.left_out}
    missing = [i for i in desired.interfaces if names.get(i.ifindex, i.name) not in observed.attached]
    here = sorted(i.name for i in missing if i.ifindex in names)
    if here:
        found.append(f"the classifier is not attached to {', '.join(here)}")
    found += [departed(i.name) for i in missing if i.ifindex not in names]
    if observed.rules != digest_of(desired.rules):
        found.append("the kernel has other rules")
    if desired.lines and not observed.port:
        found.extend(observed.port_faults or ("the device nw0 is missing",))
    lost = {line.index for line in desired.lines} - observed.lines
    if lost and observed.port:
        found.append(f"{len(lost)} of {len(desired.lines)} emulated links are missing")
    if any(line.engine == "pump" for line in desired.lines) and not observed.pump:
        found.append("the pump is not running: traffic passes without the condition")
    if entry.state != "made":
        found.append("a command that changes it has not finished")
    return tuple(found)


def uncovered(entry: Entry, observed: Observed) -> tuple[str, ...]:
    """Of each interface that the conditions mean and that came later than they did: a keeper covers it within a moment."""
    known = {i.ifindex for i in entry.interfaces}
    return tuple(
        f"the interface {name} came after the condition was set: its traffic is not affected until it is set again"
        for name, ifindex, _ in entries.meant(entry, observed)
        if ifindex not in known
    )


def departed(name: str) -> str:
    """Of an interface that was covered."""
    return f"the interface {name} was moved to another namespace, or deleted: the condition does not apply to it any more"


def _engine(desired: Datapath, name: str) -> str:
    """What makes the lines of a condition; without lines the classifier does it all."""
    engines = {line.engine for line in desired.lines if line.rule_id.condition == name}
    return " and ".join(sorted(engines)) or "classifier"


def _may_overflow(line: Line) -> bool:
    """Whether a full queue is part of what was asked; a pump's queue has no limit unless something asked for makes one."""
    return line.engine == "pump" or may_overflow(unpack(line.parameters))


def _lines(kernel: TargetKernel, entry: Entry, desired: Datapath) -> tuple[dict[LineId, LineCounts], int]:
    """What each line has counted, as requested; and how many packets met a full queue that nobody requested."""
    found, unwanted = counters.of_lines(kernel, entry.slots.lines), 0
    for line in desired.lines:
        counted = found.get(line.id)
        if counted is not None and counted.queue and not _may_overflow(line):
            unwanted += counted.queue
            found[line.id] = replace(counted, dropped=counted.dropped - counted.queue, queue=0)
    return found, unwanted
