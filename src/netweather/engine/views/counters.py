"""What became of each rule's packets, by cause. The one place that computes it; every view reads RuleCounters.

The classifier counts what matches and what it blocks. A line counts the rest, and begins at zero when it is made anew: what it had
counted before is kept in the journal (`carried`), so that a rule's figures only rise until its condition's rules change.
None: the engine does not tell (netem counts its losses and its full queue together, and no duplicates).
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Mapping

from netweather.errors import NetweatherError
from netweather.journal import Entry
from netweather.kernel.datapath.seam import TargetKernel
from netweather.kernel.datapath.spec import LineCounts, LineId, RuleId
from netweather.results import RuleCounters

Carried = dict[RuleId, dict[str, int | None]]
"""By rule: what is to be added to what its lines count now; below zero for what is not the rule's."""


def of_lines(kernel: TargetKernel, slots: Mapping[LineId, int]) -> dict[LineId, LineCounts]:
    """What each of these lines has counted. No figure is worth a failure of what is being done."""
    found: Mapping[int, LineCounts] = {}
    if slots:
        with contextlib.suppress(NetweatherError, OSError):
            pumped = [index for line, index in slots.items() if line.engine == "pump"]
            found = kernel.line_counts(pumped, netem=len(pumped) < len(slots))
    return {line: found[index] for line, index in slots.items() if index in found}


@contextlib.contextmanager
def kept(kernel: TargetKernel, before: Entry, after: Entry, renewed: str | None = None) -> Iterator[None]:
    """While lines change: what those that begin anew had counted is in `after` then. Both may be the same entry.

    renewed: the condition that begins anew: what its lines had counted is not asked.
    """
    sums, slots = before.carried, dict(before.slots.lines)
    earlier = of_lines(kernel, {line: index for line, index in slots.items() if line.rule.condition != renewed})
    yield
    later = of_lines(kernel, after.slots.lines)
    others = {line for line, index in after.slots.lines.items() if slots.get(line) != index}
    after.carried = carried(sums, earlier, later, renewed, after.slots.counters, others)


def carried(
    before: Carried, earlier: Mapping[LineId, LineCounts], later: Mapping[LineId, LineCounts], renewed: str | None,
    rules: Iterable[RuleId], others: Collection[LineId] = (),
) -> Carried:  # fmt: skip
    """What is to be added from now on. earlier, later: of the lines before and after a change.

    renewed: the condition that begins anew. others: lines that are not the same line as before.
    """
    found: Carried = {}
    for rule in rules:
        sums: dict[str, int | None]
        if rule.condition == renewed:
            now = _sum(vars(counts) for counts in _of_rule(rule, later))
            sums = {name: -(value or 0) for name, value in now.items()}
        else:
            lost = [
                vars(counts)
                for line, counts in earlier.items()
                if line.rule == rule and _anew(counts, None if line in others else later.get(line))
            ]
            sums = _sum([before.get(rule, {}), *lost])
        if any(value != 0 for value in sums.values()):
            found[rule] = sums
    return found


def of_rule(
    rules: Iterable[RuleId], matched: Iterable[tuple[int, int, int]], lines: Mapping[LineId, LineCounts], kept: Carried
) -> RuleCounters:
    """Of these rules together. matched: of the classifier."""
    packets, size, blocked = (sum(each) for each in zip((0, 0, 0), *matched, strict=True))
    names = list(rules)
    sums = _sum([*(kept.get(name, {}) for name in names), *(vars(line) for name in names for line in _of_rule(name, lines))])
    counted = {name: value if value is None else max(0, value) for name, value in sums.items()}
    dropped = blocked + (counted.pop("dropped") or 0)
    return RuleCounters(packets, size, dropped, blocked, **counted)


def last(kernel: TargetKernel, entry: Entry) -> dict[str, RuleCounters]:
    """What each condition that is no longer in an entry has counted, as long as the kernel holds its rules; by name."""
    present = {each.condition.name for each in entry.conditions}
    ending: dict[str, list[RuleId]] = {}
    for rule in entry.slots.counters:
        if rule.condition not in present and not rule.excluded:
            ending.setdefault(rule.condition, []).append(rule)
    if not ending or entry.state == "unmaking":  # it has been told already
        return {}
    matched = kernel.counters([entry.slots.counters[rule] for rules in ending.values() for rule in rules])
    lines = of_lines(kernel, entry.slots.lines)
    return {
        name: of_rule(rules, [matched[entry.slots.counters[rule]] for rule in rules], lines, entry.carried)
        for name, rules in ending.items()
    }


def _of_rule(rule: RuleId, lines: Mapping[LineId, LineCounts]) -> list[LineCounts]:
    return [counts for line, counts in lines.items() if line.rule == rule]


def _anew(line: LineCounts, now: LineCounts | None) -> bool:
    """Whether a line is gone, or has begun at zero again."""
    if now is None:
        return True
    return any(value < (vars(line)[name] or 0) for name, value in vars(now).items() if value is not None)


def _sum(counted: Iterable[Mapping[str, int | None]]) -> dict[str, int | None]:
    total: dict[str, int | None] = dict(vars(LineCounts()))
    for each in counted:
        for name, value in each.items():
            one = total[name]
            total[name] = None if one is None or value is None else one + value
    return total
