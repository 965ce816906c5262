"""Direct mode as a service: by reference, without open targets. The agent's client is one too, so front ends don't care which."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from netweather import targets as runtimes
from netweather.conditions import NetworkCondition
from netweather.engine import entries, verifying
from netweather.engine.connections import Chosen, Listed, connections, reset, with_lives
from netweather.engine.core import Engine
from netweather.engine.draining import Held
from netweather.engine.playbook import Playbook
from netweather.engine.proving import proof
from netweather.engine.results import Cleared, Shown
from netweather.engine.setting import Done, Wanted, opened, set_all
from netweather.engine.stats import Stats, open_stats
from netweather.engine.stats import Wanted as Counting
from netweather.engine.verifying import Progress, Wish, silent
from netweather.errors import NetweatherError, UsageError, target_is_gone
from netweather.measure import Evidence
from netweather.targets import Target, ids
from netweather.targets.references import lacks_project

if TYPE_CHECKING:
    from netweather.targets.compose import Own


class Service(Protocol):
    """What can be done with conditions. Everything raises NetweatherError."""

    def set(
        self,
        conditions: Sequence[NetworkCondition],
        *,
        dry_run: bool = False,
        host: bool = False,
        verify: bool = False,
        progress: Progress = silent,
    ) -> list[Done]:
        """Puts conditions in force on the targets that they name: all, or none. host: the target `host` is meant.

        verify: each is measured, which `progress` hears of; when one does not hold, all is as before, and it is not-proved.
        """

    def show(self, references: Sequence[str] = (), *, lived: bool = False) -> list[Shown]:
        """The conditions in force on these targets, or on all. lived: with what the connections of each rule lived through."""

    def clear(
        self, references: Sequence[str] = (), name: str | None = None, owner: str | None = None, *, held: Held = "drain"
    ) -> list[Cleared]:
        """Ends conditions on these targets, or on all: those of this name and owner, or all. What fails on one is in its answer.

        Whatever was set by one of these references ends, also where the reference does not lead any more.
        held: what becomes of packets that are held; with "wait" and "drop" everything is as before when this returns.
        """

    def complete(self, reference: str) -> str:
        """The reference with an id in full in place of its beginning, and a compose service with its project: for words of a
        command line (`targets.complete`)."""

    def verify(self, reference: str, wish: Wish, progress: Progress = silent) -> list[Evidence]:
        """The evidence for a target's conditions."""

    def connections(self, reference: str, which: Chosen | None = None) -> list[Listed]:
        """The connections of each target that is named."""

    def reset(self, reference: str, which: Chosen, *, host: bool = False) -> list[Listed]:
        """Ends connections, and returns those; host: the target `host` is meant."""

    def stats(self, reference: str, wanted: Counting) -> Stats:
        """Begins to count what the sockets of targets do; the caller closes it."""


@dataclass
class Direct:
    """The service of this very process: it needs root."""

    engine: Engine

    def set(
        self,
        conditions: Sequence[NetworkCondition],
        *,
        dry_run: bool = False,
        host: bool = False,
        verify: bool = False,
        progress: Progress = silent,
    ) -> list[Done]:
        with opened(conditions) as wanted:
            need_host_spelt(wanted, confirmed=host or dry_run)
            return set_all(self.engine, wanted, dry_run=dry_run, check=proof(self.engine, progress) if verify else None)

    def show(self, references: Sequence[str] = (), *, lived: bool = False) -> list[Shown]:
        shown = show_all(self.engine, references)
        return with_lives(self.engine, shown) if lived else shown

    def clear(
        self, references: Sequence[str] = (), name: str | None = None, owner: str | None = None, *, held: Held = "drain"
    ) -> list[Cleared]:
        if references:
            answers = [answer for reference in references for answer in self._clear(reference, name, owner)]
        else:
            answers = self._clear_all() if name is None and owner is None else self._clear_everywhere(name, owner)
        return [self.engine.finish(answer, held) for answer in answers]

    def _clear_all(self) -> list[Cleared]:
        Playbook(self.engine.settings.state).forget_all()  # first: what a scenario has put is not to come back
        return self.engine.clear_all()

    def _clear_everywhere(self, name: str | None, owner: str | None) -> list[Cleared]:
        """Those of this name and owner, wherever they are in force. Raises NetweatherError(code="no-such-condition")."""
        answers = []
        for identity in self.engine.journal.identities():
            try:
                entry = self.engine.journal.read(identity)
                if entry is None or all(name not in (None, each.condition.name) for each in entry.conditions):
                    continue
                ended = self.engine.end_conditions(identity, name, owner)
                answers += [replace(ended, target=entry.target.reference)] if ended.names else []
            except (NetweatherError, OSError) as error:
                answers.append(Cleared(identity, (), error))
        if not answers:
            raise NetweatherError(
                "no-such-condition", f"no condition {name!r} is in force", "its lease is over, or it was never set",
                "`netweather show` lists them",
            )  # fmt: skip
        return answers

    def _clear(self, reference: str, name: str | None, owner: str | None) -> list[Cleared]:
        with ExitStack() as stack:
            try:
                found = [stack.enter_context(target) for target in runtimes.resolve(reference)]
            except (NetweatherError, OSError) as error:
                elsewhere = self._clear_elsewhere(reference, name, owner, ())
                return elsewhere if elsewhere and target_is_gone(error) else [*elsewhere, Cleared(reference, (), error)]
            elsewhere = self._clear_elsewhere(reference, name, owner, [target.identity for target in found])
            here = [self._clear_one(target, name, owner) for target in found]
            return [*(each for each in here if not (elsewhere and _is_missing(each))), *elsewhere]

    def _clear_elsewhere(self, reference: str, name: str | None, owner: str | None, found: Collection[str]) -> list[Cleared]:
        """Ends what this reference began on targets that it does not name any more, or that are gone."""
        answers = []
        for identity, active in list(entries.begun_by(self.engine.journal, reference, but=found)):
            one = active.condition
            if name in (None, one.name) and owner in (None, one.owner):
                try:
                    answers.append(replace(self.engine.end_conditions(identity, one.name, one.owner), target=reference))
                except (NetweatherError, OSError) as error:
                    answers.append(Cleared(reference, (), error))
        return answers

    def _clear_one(self, target: Target, name: str | None, owner: str | None) -> Cleared:
        label = target.reference if target.name in target.reference else f"{target.reference} ({target.name})"
        try:
            return replace(self.engine.end_conditions(target.identity, name, owner, target.netns_fd), target=label)
        except (NetweatherError, OSError) as error:
            return Cleared(label, (), error)

    def complete(self, reference: str) -> str:
        return complete(self.engine, reference)

    def verify(self, reference: str, wish: Wish, progress: Progress = silent) -> list[Evidence]:
        with ExitStack() as stack:
            found = [stack.enter_context(one) for one in runtimes.resolve_all([reference])]
            return [each for one in found for each in verifying.verify(self.engine, one, wish, progress)]

    def connections(self, reference: str, which: Chosen | None = None) -> list[Listed]:
        with ExitStack() as stack:
            found = [stack.enter_context(one) for one in runtimes.resolve_all([reference])]
            return [connections(self.engine, one, which) for one in found]

    def reset(self, reference: str, which: Chosen, *, host: bool = False) -> list[Listed]:
        with ExitStack() as stack:
            found = [stack.enter_context(one) for one in runtimes.resolve_all([reference])]
            return reset_all(self.engine, found, which, confirmed=host)

    def stats(self, reference: str, wanted: Counting) -> Stats:
        return open_stats(reference, wanted)


def complete(engine: Engine, reference: str, own: Own | None = None) -> str:
    """As `targets.complete`; of what is gone, as it was set. Raises as that does."""
    found = runtimes.complete(reference, own)
    is_beginning = ids.is_beginning(reference.rpartition(":")[2].rpartition("/")[2])
    if found != reference or not (is_beginning or lacks_project(reference)):
        return found
    known = {
        active.reference
        for identity in engine.journal.identities()
        for active in entries.entry_or_remains(engine.journal, identity).conditions
    }
    service = f"/{reference.partition(':')[2]}"
    begun = [w for w in known if (w.startswith(reference) if is_beginning else w.startswith("compose:") and w.endswith(service))]
    return begun[0] if len(begun) == 1 and reference not in known else found


def _is_missing(answer: Cleared) -> bool:
    return isinstance(answer.problem, NetweatherError) and answer.problem.code == "no-such-condition"


def show_all(engine: Engine, references: Sequence[str]) -> list[Shown]:
    """The conditions in force on these targets, or on all. Raises NetweatherError."""
    if not references:
        return engine.show()
    with ExitStack() as stack:
        found = [stack.enter_context(target) for target in runtimes.resolve_all(references)]
        return [shown for target in found for shown in engine.show(target)]


def reset_all(engine: Engine, targets: Sequence[Target], which: Chosen, *, confirmed: bool) -> list[Listed]:
    """Ends the connections of all of them; one of several that has none is no error. Raises as `reset`, and host-not-confirmed."""
    _need_host_spelt(targets, confirmed=confirmed)
    ended: list[Listed] = []
    none: list[NetweatherError] = []
    for target in targets:
        try:
            ended.append(reset(engine, target, which, os.environ.items()))
        except NetweatherError as error:
            if error.code != "no-such-connection":
                raise
            none.append(error)
    if none and not ended:
        raise none[0]
    return ended


def need_host_spelt(wanted: list[Wanted], *, confirmed: bool) -> None:
    """Raises UsageError(code="host-not-confirmed") when the host's own network is among the targets."""
    _need_host_spelt([target for one in wanted for target in one.targets], confirmed=confirmed)


def _need_host_spelt(targets: Iterable[Target], *, confirmed: bool) -> None:
    if not confirmed and any(target.runtime == "host" for target in targets):
        raise UsageError(
            "host-not-confirmed",
            "this would be the host's own network, and your session's with it",
            "host is a target like any other, but a mistake here can lock you out until the lease ends",
            "add --yes (confirmHost=true of the API); with --exclude port=22 your SSH session stays as it is",
        )
