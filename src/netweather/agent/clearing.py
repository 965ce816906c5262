"""Ending conditions for somebody who may not own all of them. Not here: how one ends (engine)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from netweather import targets as runtimes
from netweather.agent.principals import SET, Principal
from netweather.conditions import NetworkCondition
from netweather.engine import Cleared, Engine, entries
from netweather.errors import NetweatherError, target_is_gone
from netweather.planning.rules import InForce

Look = Callable[[str], None]
Order = tuple[str, str]
"""The reference and the name of a condition that stands for what starts later."""


@dataclass(frozen=True)
class Which:
    """Which conditions: of this name and owner, or of all (None), as far as they are `who`'s."""

    who: Principal
    name: str | None
    owner: str | None

    def fits(self, condition: NetworkCondition) -> bool:
        """Whether this one is meant, and may be ended by `who`."""
        return self.name in (None, condition.name) and self.owner in (None, condition.owner) and self.who.owns(condition.owner)

    @property
    def everything(self) -> bool:
        """Whatever there is, whosever it is."""
        return self.who.root and self.name is None and self.owner is None

    def of(self, conditions: Sequence[InForce]) -> list[tuple[str, str]]:
        """The name and owner of each. Raises NetweatherError(code="other-owner") when the one that is named is another's."""
        asked = [
            each.condition
            for each in conditions
            if self.name in (None, each.condition.name) and self.owner in (None, each.condition.owner)
        ]
        mine = [(each.name, each.owner) for each in asked if self.who.owns(each.owner)]
        if self.name is not None and asked and not mine:
            raise NetweatherError(
                "other-owner",
                f"the condition {self.name!r} belongs to {asked[0].owner or 'nobody'}",
                f"you are {self.who.name}",
                "ask its owner, or root, to clear it",
            )
        return mine


def clear(engine: Engine, which: Which, references: Sequence[str], look: Look, ended: Iterable[Order] = ()) -> list[Cleared]:
    """Ends them on these targets, or on all. Raises no-such-condition when a name is in force on none of them, and other-owner.

    ended: orders, as (reference, name), that were given to nobody or to what is gone by now: their end is an answer, too.
    """
    if references:
        orders = set(ended)
        answers = [answer for reference in references for answer in _on_reference(engine, which, reference, look, orders)]
    else:
        which.who.need(SET)
        answers = [_on_known(engine, which, identity, look) for identity in engine.journal.identities()]
        answers += _of_orders(ended, answers)
    if which.name is not None and not any(answer.names for answer in answers):
        for answer in answers:
            if isinstance(answer.problem, NetweatherError):
                raise answer.problem
        where = f" on {', '.join(references)}" if references else ""
        raise NetweatherError(
            "no-such-condition", f"no condition {which.name!r} is in force{where}", "its lease is over, or it was never set",
            "`netweather show` lists them",
        )  # fmt: skip
    return [answer for answer in answers if answer.names or answer.problem or references]


def _on_reference(engine: Engine, which: Which, reference: str, look: Look, orders: Collection[Order]) -> list[Cleared]:
    """What the reference names now, and what it began elsewhere: a container can be renamed, or be gone."""
    own = [order for order in orders if order[0] == reference]
    with ExitStack() as stack:
        try:
            targets = [stack.enter_context(each) for each in runtimes.resolve_all([reference])]
        except NetweatherError as error:
            answers = _on_begun(engine, which, reference, look, ()) if target_is_gone(error) else []
            answers += _of_orders(own, answers)
            if not answers:
                raise
            return answers
        which.who.need_targets(targets)
        answers = [_on_known(engine, which, target.identity, look, target.reference) for target in targets]
        answers += _on_begun(engine, which, reference, look, [target.identity for target in targets])
        return answers + _of_orders(own, answers)


def _on_begun(engine: Engine, which: Which, reference: str, look: Look, but: Collection[str]) -> list[Cleared]:
    """Ends what was set by these words on targets that they don't name any more; never what others set there."""
    answers = []
    begun: dict[str, list[InForce]] = {}
    for identity, active in entries.begun_by(engine.journal, reference, but):
        begun.setdefault(identity, []).append(active)
    for identity, conditions in begun.items():
        try:
            answers.append(_one_by_one(engine, identity, which.of(conditions), reference))
        except (NetweatherError, OSError) as error:
            answers.append(Cleared(reference, (), error))
        finally:
            look(identity)
    return answers


def _of_orders(orders: Iterable[Order], answers: Sequence[Cleared]) -> list[Cleared]:
    """An answer for each order of which nothing was in force."""
    told = {name for answer in answers for name in answer.names}
    missing: dict[str, list[str]] = {}
    for reference, name in sorted(orders):
        if name not in told:
            missing.setdefault(reference, []).append(name)
    return [Cleared(reference, tuple(names)) for reference, names in missing.items()]


def _on_known(engine: Engine, which: Which, identity: str, look: Look, reference: str = "") -> Cleared:
    label = reference or identity
    try:
        if which.everything:  # also where the journal can't be read
            known = entries.readable(engine.journal, identity)
            label = reference or (known.target.reference if known else "") or identity
            return replace(engine.end_conditions(identity, None, None), target=label)
        entry = engine.journal.read(identity)
        if entry is None:
            return Cleared(label, ())
        label = reference or entry.target.reference
        return _one_by_one(engine, identity, which.of(entry.conditions), label)
    except (NetweatherError, OSError) as error:
        return Cleared(label, (), error)
    finally:
        look(identity)


def _one_by_one(engine: Engine, identity: str, conditions: list[tuple[str, str]], label: str) -> Cleared:
    ended = Cleared(label, ())
    for name, owner in conditions:
        try:
            ended = ended.then(engine.end_conditions(identity, name, owner))
        except NetweatherError as error:
            if error.code != "no-such-condition":  # its lease ended, or somebody was quicker
                raise
    return replace(ended, target=label)
