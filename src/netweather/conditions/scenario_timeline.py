"""What of a scenario is in force when: its steps become moments, each with all the network conditions there are from then on. Pure.

A later step has a lower priority number, so for the traffic that it matches it takes the place of the earlier ones.
"""

from __future__ import annotations

import dataclasses
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final

from netweather.conditions.declare import is_declared
from netweather.conditions.model import Condition, NetworkCondition, Rule
from netweather.conditions.partitions import NOTHING_ARRIVES, partition
from netweather.conditions.peer_kinds import is_reference
from netweather.conditions.scenario import Scenario, Step
from netweather.conditions.validation import validate, validate_condition
from netweather.errors import UsageError
from netweather.units import Duration, Percent, Rate

MOST_MOMENTS: Final = 10_000
_SHORTEST: Final = 50_000_000
"""50 ms: setting takes some milliseconds, and what comes faster is no step but jitter."""
IsTarget = Callable[[str], bool]


@dataclass(frozen=True)
class ScenarioMoment:
    """From `at` (ns from the round's start) on, these conditions are in force, and no others of the scenario."""

    at: int
    conditions: tuple[NetworkCondition, ...]


@dataclass(frozen=True)
class ScenarioTimeline:
    """One round: moments in order, the first at 0, and its length in ns."""

    moments: tuple[ScenarioMoment, ...]
    length: int

    def at(self, ns: int) -> tuple[ScenarioMoment, int]:
        """What is in force then, and when it is over: ns from the round's start."""
        place = bisect_right(self.moments, ns, key=lambda moment: moment.at)
        return self.moments[place - 1], self.moments[place].at if place < len(self.moments) else self.length


@dataclass(frozen=True)
class Stretch:
    """One state of a step: its conditions from begin until end, ns from the round's start. number: the step's, from 0."""

    begin: int
    end: int
    number: int
    step: str
    conditions: tuple[NetworkCondition, ...]


def timeline(scenario: Scenario, is_target: IsTarget = is_reference) -> ScenarioTimeline:
    """The moments of one round. is_target: as `partition` takes it.

    Raises UsageError: what validation says of the conditions, missing-key, missing-target, conflicting-fields, out-of-range.
    """
    found, length = stretches(scenario, is_target)
    return ScenarioTimeline(tuple(_moments(_edges(found, length), found)), length)


def stretches(scenario: Scenario, is_target: IsTarget) -> tuple[list[Stretch], int]:
    """The same, state by state, step after step, and the length of a round in ns. Raises as `timeline`."""
    steps = sorted(enumerate(scenario.steps), key=lambda each: each[1].at.ns)
    length = _length(scenario)
    if scenario.lease.ns < 10**9:
        raise UsageError(
            "bad-lease", f"lease: {scenario.lease} is too short", "the player could not renew it", "write 1s or more"
        )
    found: list[Stretch] = []
    for place, (number, step) in enumerate(steps):
        where = f"steps[{number}]"
        end = _end(step, [other for _, other in steps[place + 1 :]], length, where)
        for begin, until, conditions in _states(scenario, step, _name(step, number), -place, end, where, is_target):
            found.append(Stretch(begin, until, number, _name(step, number), conditions))
    edges = _edges(found, length)
    if len(edges) > MOST_MOMENTS:
        why = f"the maximum is {MOST_MOMENTS}"
        raise UsageError("out-of-range", f"one round of the scenario has {len(edges)} changes", why, "flap or ramp more slowly")
    return found, length


def _name(step: Step, number: int) -> str:
    return step.name or f"step-{number + 1}"


def _edges(found: list[Stretch], length: int) -> list[int]:
    return sorted({0, *(edge for each in found for edge in (each.begin, each.end) if edge < length)})


def _moments(edges: list[int], stretches: list[Stretch]) -> Iterator[ScenarioMoment]:
    """What is there at each edge, in the order of the steps."""
    coming = sorted(enumerate(stretches), key=lambda each: -each[1].begin)
    there: dict[int, Stretch] = {}
    for edge in edges:
        while coming and coming[-1][1].begin <= edge:
            number, stretch = coming.pop()
            there[number] = stretch
        there = {number: each for number, each in sorted(there.items()) if each.end > edge}
        yield ScenarioMoment(edge, tuple(condition for each in there.values() for condition in each.conditions))


def _length(scenario: Scenario) -> int:
    ends = max(step.at.ns + (step.duration.ns if step.duration else 0) for step in scenario.steps)
    length = scenario.length.ns if scenario.length else ends
    if length < ends:
        what = f"length: {scenario.length} is before the end of the last step, {Duration(ends)}"
        raise UsageError("out-of-range", what, "every step is played to its end", "leave it out, or write a longer one")
    return length


def _end(step: Step, later: list[Step], length: int, where: str) -> int:
    namesake = next((other.at.ns for other in later if step.name and other.name == step.name), None)
    if step.duration is None:
        end = length if namesake is None else namesake
        if end <= step.at.ns:
            why = "nothing says how long it lasts"
            raise UsageError("missing-key", f"{where}: for is missing", why, "add for: 10s, or the scenario's length")
        return end
    end = step.at.ns + step.duration.ns
    if namesake is not None and namesake < end:
        why = "two steps with the same name cannot be in force at the same time"
        raise UsageError(
            "conflicting-fields", f"{where}: the next step named {step.name!r} starts before this one ends", why, "shorten it"
        )
    return end


def _states(
    scenario: Scenario, step: Step, name: str, priority: int, end: int, where: str, is_target: IsTarget
) -> Iterator[tuple[int, int, tuple[NetworkCondition, ...]]]:
    """(begin, end, conditions) of each state of a step. Raises UsageError."""
    if step.condition is None and not step.partition:
        raise UsageError(
            "missing-key", f"{where}: condition is missing", "nothing would change", "add a condition or a partition"
        )
    if step.ramp is not None and step.flap is not None:
        raise UsageError(
            "conflicting-fields", f"{where}: ramp and flap are given", "a step can have only one of them", "make two steps"
        )
    made: dict[Condition | None, tuple[NetworkCondition, ...]] = {}
    for begin, until, condition in _shaped(step, end, where):
        if condition not in made:
            made[condition] = _conditions(scenario, step, f"{scenario.name}.{name}", priority, condition, where, is_target)
        yield begin, until, made[condition]


def _shaped(step: Step, end: int, where: str) -> Iterator[tuple[int, int, Condition | None]]:
    """(begin, end, condition) of each state that a step goes through."""
    begin = step.at.ns
    paces = {"ramp.every": step.ramp.every} if step.ramp else {}
    paces |= {"flap.on": step.flap.on, "flap.off": step.flap.off} if step.flap else {}
    for key, shape in paces.items():
        if shape.ns < _SHORTEST:
            raise UsageError("out-of-range", f"{where}.{key}: {shape} is too short", "the minimum is 50ms", "write 1s")
    if paces and (end - begin) // sum(shape.ns for shape in paces.values()) > MOST_MOMENTS:
        what = f"{where}: it changes more than {MOST_MOMENTS} times"
        raise UsageError(
            "out-of-range", what, "that is the maximum", "flap or ramp more slowly, or make the step shorter and repeat it"
        )
    if step.flap is not None:
        on, period = step.flap.on.ns, step.flap.on.ns + step.flap.off.ns
        for start in range(begin, end, period):
            yield start, min(start + on, end), step.condition
    elif step.ramp is not None:
        if step.condition is None:
            raise UsageError("missing-key", f"{where}: a ramp needs a start condition", "", "add condition: {delay: 0ms}")
        validate_condition(step.ramp.to, f"{where}.ramp.to")
        starts = range(begin, end, step.ramp.every.ns)
        last = max(1, len(starts) - 1)
        for number, (start, until) in enumerate(pairwise([*starts, end])):
            yield start, until, between(step.condition, step.ramp.to, number if len(starts) > 1 else 1, last)
    else:
        yield begin, end, step.condition


def _conditions(
    scenario: Scenario, step: Step, name: str, priority: int, condition: Condition | None, where: str, is_target: IsTarget
) -> tuple[NetworkCondition, ...]:
    """What is to be set for one state of a step."""
    rule = Rule(step.match, condition or NOTHING_ARRIVES.condition, priority)
    made = NetworkCondition(name, step.targets or scenario.targets, scenario.lease, (rule,), (), scenario.owner, scenario.reason)
    try:
        found = partition(step.partition, made, is_target, one_way=step.one_way) if step.partition else (made,)
        for each in found:
            validate(each)
    except UsageError as error:
        raise UsageError(error.code, f"{where}: {error.what}", error.why, error.remedy) from error
    if not all(each.targets for each in found):
        raise UsageError("missing-target", f"{where}: no target is given", "", "name the step's targets, or the scenario's")
    return found


# ramps


def between(one: Any, other: Any, number: int, parts: int) -> Any:
    """`number` of `parts` even steps from one value of the language to another; what has no numbers stays until the end."""
    if number >= parts:
        return other
    if isinstance(one, Duration) and isinstance(other, Duration):
        return Duration(_even(one.ns, other.ns, number, parts))
    if isinstance(one, Percent) and isinstance(other, Percent):
        return Percent(_even(one.ppb, other.ppb, number, parts))
    if isinstance(one, Rate) and isinstance(other, Rate):
        return Rate(_even(one.bits_per_second, other.bits_per_second, number, parts))
    if type(one) is type(other) and is_declared(type(one)):
        names = [each.name for each in dataclasses.fields(one)]
        return replace(one, **{name: between(getattr(one, name), getattr(other, name), number, parts) for name in names})
    return one


def _even(one: int, other: int, number: int, parts: int) -> int:
    return one + (other - one) * number // parts


__all__ = ["MOST_MOMENTS", "ScenarioMoment", "Stretch", "ScenarioTimeline", "between", "stretches", "timeline"]
