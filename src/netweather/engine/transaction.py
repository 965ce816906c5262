"""Conditions onto several targets: all, or none and everything as it was. Not here: parsing and printing (front ends)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

from netweather import targets as runtimes
from netweather.conditions import Condition, NetworkCondition
from netweather.engine.views import before_after
from netweather.errors import NetweatherError, UsageError
from netweather.measure import ConditionEvidence
from netweather.planning.rules import InForce, PlainRule
from netweather.results import SetOutcome, SetResult
from netweather.targets import Target

if TYPE_CHECKING:
    from netweather.engine.core import Engine


@dataclass(frozen=True)
class Placement:
    """A network condition, and the open targets it is for."""

    condition: NetworkCondition
    targets: tuple[Target, ...]


@contextlib.contextmanager
def opened(conditions: Iterable[NetworkCondition]) -> Iterator[list[Placement]]:
    """The conditions with their targets open. Raises what `targets.resolve_all` raises."""
    with contextlib.ExitStack() as stack:
        wanted = []
        for condition in conditions:
            targets = runtimes.resolve_all(condition.targets)
            for target in targets:
                stack.enter_context(target)
            wanted.append(Placement(condition, tuple(targets)))
        _refuse_repeated(wanted)
        yield wanted


def _refuse_repeated(wanted: list[Placement]) -> None:
    """Two conditions of one name on one target: the second would silently replace the first."""
    seen: set[tuple[str, str]] = set()
    for one in wanted:
        for target in one.targets:
            key = (target.identity, one.condition.name)
            if key in seen:
                why = f"both are for {target.reference}, and names are unique on a target"
                raise UsageError("repeated-name", f"two conditions are named {key[1]!r}", why, "give them different names")
            seen.add(key)


Check = Callable[[Target, NetworkCondition], Sequence[ConditionEvidence]]
_Set = tuple[SetResult, Sequence[ConditionEvidence]]
Undo = list[tuple[str, Callable[[], object]]]
"""What puts each target back that was changed, with its reference."""


def set_all(engine: Engine, wanted: list[Placement], *, dry_run: bool = False, check: Check | None = None) -> list[SetOutcome]:
    """Sets everything, or nothing: when one target fails, those already done are put back as they were.

    check: called for each target once it is set, one after the other; what it raises undoes everything, too.
    Raises the NetweatherError of the one that failed, which says so.
    """
    several = sum(len(one.targets) for one in wanted) > 1
    if several and not dry_run:  # what can be known to fail, fails before anybody's traffic is touched
        set_all(engine, wanted, dry_run=True)
    undo: Undo = []
    done = []
    try:
        for one in wanted:
            work = partial(_set_one, engine, one.condition, undo, None if dry_run else check, dry_run=dry_run, several=several)
            each = _on_each(work, one.targets, engine.at_once if check is None else 1)
            results = tuple(replace(result, notes=tuple(dict.fromkeys(_notes(result)))) for result, _ in each)
            condition = results[0].condition if results else one.condition
            done.append(SetOutcome(condition, results, dry_run, tuple(proof for _, found in each for proof in found)))
    except BaseException as error:
        failures = [] if dry_run else _take_back(undo)
        if isinstance(error, NetweatherError) and several:
            raise _with_the_others(error, len(undo) if not dry_run else 0, failures) from error
        raise
    return done


def _set_one(
    engine: Engine,
    condition: NetworkCondition,
    undo: Undo,
    check: Check | None,
    target: Target,
    *,
    dry_run: bool,
    several: bool,
) -> _Set:
    before = engine.active(target)
    anew = not dry_run and all(each.condition.name != condition.name for each in before)
    seen = before_after.look(target) if anew else b""
    undo.append(step := (target.reference, _undo(engine, target, condition, before)))  # first: a signal may come at any moment
    try:
        with _naming(target, several=several):
            result = engine.set(target, condition, dry_run=dry_run)
    except Exception:
        undo.remove(step)  # the engine has put it back
        raise
    if anew:
        before_after.remember(engine.journal.directory(target.identity), condition.name, seen)
    return result, () if check is None else check(target, condition)


def _on_each(work: Callable[[Target], _Set], targets: Sequence[Target], at_once: int) -> list[_Set]:
    """The results, in the order of the targets. After a failure none is begun any more, and those under way are waited for."""
    if min(at_once, len(targets)) <= 1:
        return [work(target) for target in targets]
    with ThreadPoolExecutor(at_once, thread_name_prefix="set") as pool:
        futures = [pool.submit(work, target) for target in targets]
        wait(futures, return_when=FIRST_EXCEPTION)
        for future in futures:
            future.cancel()
    begun = [future for future in futures if not future.cancelled()]
    for future in begun:
        if (error := future.exception()) is not None:
            raise error
    return [future.result() for future in begun]


@contextlib.contextmanager
def _naming(target: Target, *, several: bool) -> Iterator[None]:
    """Errors of one among several targets say whose they are."""
    try:
        yield
    except NetweatherError as error:
        if several and target.reference not in error.what and target.name not in error.what:
            raise type(error)(error.code, f"{target.reference}: {error.what}", error.why, error.remedy) from error
        raise


def _undo(engine: Engine, target: Target, condition: NetworkCondition, before: tuple[InForce, ...]) -> Callable[[], object]:
    """What puts a target back: the condition of that name as it was, with what is left of its lease, or none."""
    old = next((each for each in before if each.condition.name == condition.name), None)
    return lambda: engine.put_back(target, condition.name, old)


def _take_back(undo: Undo) -> list[str]:
    """Undoes everything, last first, whatever fails. Returns what failed."""
    failures = []
    for reference, put_back in reversed(undo):
        try:
            put_back()
        except (NetweatherError, OSError) as error:
            failures.append(f"{reference} could not be put back: {error.what if isinstance(error, NetweatherError) else error}")
    return failures


def _with_the_others(error: NetweatherError, count: int, failures: list[str]) -> NetweatherError:
    """The same error, with what became of the other targets behind its reason."""
    fate = "; ".join(failures)
    if not failures:
        fate = f"{count} target{'s were' if count > 1 else ' was'} put back as before" if count else "no target was changed"
    return type(error)(error.code, error.what, "\n".join(part for part in (error.why, fate) if part), error.remedy)


_TOLD_AT_SET = frozenset(
    {"jitter-reorders", "jitter-clamped", "jitter-missing", "limit-too-small", "rate-zero", "correlation-changes-share",
     "ecn-needs-both", "mtu-below-ipv6"}
)  # fmt: skip
"""Surprises by which the network is not what was asked; the rest, on what an application sees, is `explain`'s."""


def _notes(result: SetResult) -> Iterator[str]:
    """What the engine says, and where a condition surprises."""
    from netweather.conditions.estimates.explanation import explain

    yield from result.notes
    for up, down in _directions(result.rules):
        for trap in explain(up, down).traps:
            if trap.code in _TOLD_AT_SET:
                yield f"{trap.what}; {trap.remedy}"


def _directions(rules: tuple[PlainRule, ...]) -> Iterator[tuple[Condition, Condition]]:
    """What each of the user's rules does to egress and to ingress."""
    for _, group in groupby(rules, key=lambda plain: plain.origin):
        ways = {"egress": Condition(), "ingress": Condition()}
        for plain in group:
            direction = plain.rule.match.direction
            ways |= dict.fromkeys(ways if direction == "both" else (direction,), plain.rule.condition)
        yield ways["egress"], ways["ingress"]
