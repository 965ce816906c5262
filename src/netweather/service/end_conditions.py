"""Conditions end: those on the targets of references, or on all; as far as the caller owns them. Not here: how one ends (core)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial

from netweather import targets as runtimes
from netweather.conditions import NetworkCondition
from netweather.engine import entries
from netweather.engine.core import Engine
from netweather.errors import NetweatherError, has_ended
from netweather.planning.rules import InForce
from netweather.results import Cleared
from netweather.service.callbacks import Callbacks, Order
from netweather.service.callers import SET, Caller
from netweather.targets import Target

Failure = NetweatherError | OSError


@dataclass
class Clearing:
    """One clear: the conditions of this name and owner, or all (None), that belong to the caller. ended: by which words they were set."""

    engine: Engine
    caller: Caller
    callbacks: Callbacks
    name: str | None = None
    owner: str | None = None
    ended: set[Order] = field(default_factory=set)

    def on(self, references: Sequence[str]) -> list[Cleared]:
        """Ends what these references name and what they began elsewhere. What fails is in its answer.

        All references are opened, and the caller checked, before anything ends. Raises NetweatherError(code="not-allowed").
        """
        with ExitStack() as stack:
            found = [self._opened(reference, stack) for reference in references]
            self.caller.need_targets(target for targets, _ in found for target in targets)
            orders = stack.enter_context(self.callbacks.orders_withdrawn(self._fits, references))
            return [
                answer
                for reference, (targets, problem) in zip(references, found, strict=True)
                for answer in self._on(reference, targets, problem, orders)
            ]

    def everywhere(self) -> list[Cleared]:
        """Ends them on all targets. Raises not-allowed; for a name that ended nowhere, what failed or no-such-condition."""
        self.caller.need(SET)
        with self.callbacks.orders_withdrawn(self._fits, ()) as orders:
            answers = [self._end(identity) for identity in self.engine.journal.identities() if self._concerns(identity)]
            answers += _of_orders(orders, answers)
            if self.name is not None and not any(answer.names for answer in answers):
                raise next((answer.problem for answer in answers if answer.problem), None) or no_such_condition(self.name)
            return answers

    def _opened(self, reference: str, stack: ExitStack) -> tuple[list[Target], Failure | None]:
        try:
            return [stack.enter_context(target) for target in runtimes.resolve(reference)], None
        except (NetweatherError, OSError) as error:
            return [], error

    def _on(self, reference: str, targets: list[Target], problem: Failure | None, orders: Iterable[Order]) -> list[Cleared]:
        """What the reference names now, and what it began elsewhere: a container can be renamed, or be gone."""
        elsewhere = self._elsewhere(reference, [target.identity for target in targets])
        here = [self._end(target.identity, target.reference, target) for target in targets]
        here += [Cleared(reference, (), problem)] if problem else []
        elsewhere += _of_orders([order for order in orders if order[0] == reference], [*here, *elsewhere])
        return [*(answer for answer in here if not (elsewhere and has_ended(answer.problem))), *elsewhere]

    def _elsewhere(self, reference: str, but: Collection[str]) -> list[Cleared]:
        """Ends what the reference began on targets that it does not name any more; never what others set there."""
        begun = entries.begun_by(self.engine.journal, reference, but)
        identities = dict.fromkeys(identity for identity, each in begun if self._is_meant(each.condition))
        return [self._end(identity, reference, None, reference) for identity in identities]

    def _end(self, identity: str, reference: str = "", target: Target | None = None, begun_by: str | None = None) -> Cleared:
        container, fd = (target.name, target.netns_fd) if target else ("", None)
        choose = None if self.caller.root and begun_by is None else partial(self._chosen, begun_by)
        try:
            cleared = self.engine.end_conditions(identity, self.name, self.owner, fd, choose)
        except (NetweatherError, OSError) as error:
            known = entries.readable(self.engine.journal, identity)
            return Cleared(reference or (known and known.target.reference) or identity, (), error, container=container)
        finally:
            self.callbacks.changed(identity)
        self.ended |= set(zip(cleared.begun_by, cleared.names, strict=True))
        return replace(cleared, target=reference or cleared.target, container=container)

    def _chosen(self, begun_by: str | None, found: Sequence[InForce]) -> list[InForce]:
        """Those of a target's that the caller owns. Raises NetweatherError(code="other-owner") when the one that is named is another's."""
        asked = [each for each in found if begun_by in (None, each.reference)]
        own = [each for each in asked if self.caller.owns(each.condition.owner)]
        if self.name is not None and asked and not own:
            raise NetweatherError(
                "other-owner",
                f"the condition {self.name!r} belongs to {asked[0].condition.owner or 'nobody'}",
                f"you are {self.caller.name}",
                "ask its owner, or root, to clear it",
            )
        return own

    def _is_meant(self, condition: NetworkCondition) -> bool:
        return self.name in (None, condition.name) and self.owner in (None, condition.owner)

    def _fits(self, condition: NetworkCondition) -> bool:
        return self._is_meant(condition) and self.caller.owns(condition.owner)

    def _concerns(self, identity: str) -> bool:
        """Whether a target has the condition that is named, as far as is known: the others' locks are not waited for."""
        if self.name is None:
            return True
        entry = entries.readable(self.engine.journal, identity)
        return entry is None or self.name in entries.names_of(entry.conditions)


def no_such_condition(name: str) -> NetweatherError:
    """For a name that is nowhere in force."""
    return NetweatherError(
        "no-such-condition", f"no condition {name!r} is in force", "its lease has ended, or it was never set",
        "`netweather show` lists them",
    )  # fmt: skip


def _of_orders(orders: Iterable[Order], answers: Sequence[Cleared]) -> list[Cleared]:
    """An answer for each order of which nothing was in force."""
    ended = {name for answer in answers for name in answer.names}
    missing: dict[str, list[str]] = {}
    for reference, name in sorted(orders):
        if name not in ended:
            missing.setdefault(reference, []).append(name)
    return [Cleared(reference, tuple(names)) for reference, names in missing.items()]
