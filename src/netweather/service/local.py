"""The verbs, once: by reference, for a caller. Direct mode is this service with root as its caller, the agent is it behind HTTP.

Not here: what a caller may do (callers).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from netweather import targets as runtimes
from netweather.conditions import NetworkCondition
from netweather.conditions.language.flags import match_to_short
from netweather.engine import entries, verification
from netweather.engine.core import Engine
from netweather.engine.draining import Held
from netweather.engine.scenario_store import Playbook
from netweather.engine.transaction import opened, set_all
from netweather.engine.verification import Progress, Wish, silent
from netweather.engine.views.connections import Chosen, Listed, connections, reset, with_lives
from netweather.engine.views.socket_stats import Stats, open_stats
from netweather.engine.views.socket_stats import Wanted as Counting
from netweather.errors import NetweatherError, UsageError
from netweather.measure import Evidence
from netweather.results import Cleared, Done, Shown
from netweather.service.callbacks import Callbacks
from netweather.service.callers import DIRECT, READ, SET, Caller
from netweather.service.end_conditions import Clearing
from netweather.service.set_verified import proof
from netweather.targets import Target, ids
from netweather.targets.references import is_reference, lacks_project

if TYPE_CHECKING:
    from netweather.targets.runtimes.compose import Own


@dataclass
class LocalService:
    """The service of this very process, for one caller. It needs root."""

    engine: Engine
    caller: Caller = DIRECT
    callbacks: Callbacks = field(default_factory=Callbacks)

    def set(
        self,
        conditions: Sequence[NetworkCondition],
        *,
        dry_run: bool = False,
        host: bool = False,
        verify: bool = False,
        progress: Progress = silent,
    ) -> list[Done]:
        self.caller.need(SET)
        owned = [self.callbacks.prepared(replace(each, owner=self.caller.owner(each.owner))) for each in conditions]
        self.caller.need_no_files(owned)
        check = proof(self.engine, progress, self.caller) if verify else None
        with self.callbacks.audited(self.caller, "plan" if dry_run else "set", owned), opened(owned) as wanted:
            targets = [target for one in wanted for target in one.targets]
            self.caller.need_targets(targets)
            self.caller.need_peers(owned)
            _need_host_spelt(targets, confirmed=host or dry_run)
            try:
                done = set_all(self.engine, wanted, dry_run=dry_run, check=check)
            finally:
                for target in targets:
                    self.callbacks.changed(target.identity)
        if not dry_run:
            self.callbacks.was_set(self.caller, done)
        return done

    def set_later(self, target: Target, condition: NetworkCondition) -> None:
        """Sets what stands for a target that has started since. Raises as `set`; the log has the success or the refusal."""
        try:
            self.caller.need_targets([target])
            self.caller.need_peers([condition])
        except NetweatherError:
            with self.callbacks.audited(self.caller, "set-later", [condition], container=target.name):
                raise
        self.engine.set(target, condition)
        with self.callbacks.audited(self.caller, "set-later", [condition], container=target.name):
            pass

    def show(self, references: Sequence[str] = (), *, lived: bool = False) -> list[Shown]:
        self.caller.need(READ)
        self.caller.need_no_files((), references)
        if references:
            with ExitStack() as stack:
                found = [stack.enter_context(target) for target in runtimes.resolve_all(references)]
                shown = [each for target in found for each in self.engine.show(target)]
        else:
            shown = self.engine.show()
        return with_lives(self.engine, shown) if lived else shown

    def clear(
        self, references: Sequence[str] = (), name: str | None = None, owner: str | None = None, *, held: Held = "drain"
    ) -> list[Cleared]:
        ended = self.end(references, name, owner)
        return worth_telling(references, [self.engine.finish(each, held) for each in ended])

    def end(self, references: Sequence[str] = (), name: str | None = None, owner: str | None = None) -> list[Cleared]:
        """As `clear`, which then does with each answer what `held` says and returns those that are worth telling."""
        self.caller.need_no_files((), references)
        with self.callbacks.audited(self.caller, "clear", name=name or "", targets=list(references)) as line:
            clearing = Clearing(self.engine, self.caller, self.callbacks, name, owner)
            answers = clearing.on(references) if references else self._clear_everywhere(clearing)
            line["cleared"] = [{"target": each.target, "names": list(each.names)} for each in answers if each.names]
            if len(answers) == 1 and answers[0].problem and not answers[0].names:
                raise answers[0].problem
        self.callbacks.was_cleared(self.caller, answers, clearing.ended)
        return answers

    def _clear_everywhere(self, clearing: Clearing) -> list[Cleared]:
        if clearing.name is None and clearing.owner is None and self.caller.root:
            Playbook(self.engine.settings.state).forget_all()  # first: what a scenario has put is not to come back
        answers = clearing.everywhere()
        if clearing.name is None:
            self.callbacks.stop_scenarios(self.caller, clearing.owner)
        return answers

    def complete(self, reference: str, own: Own | None = None) -> str:
        """As `Service.complete`. own: of which Compose project the caller is, where that is not this process's."""
        found = runtimes.complete(reference, own)
        is_beginning = ids.is_beginning(reference.rpartition(":")[2].rpartition("/")[2])
        if found != reference or not (is_beginning or lacks_project(reference)):
            return found
        journal = self.engine.journal
        known = {
            active.reference
            for identity in journal.identities()
            for active in entries.entry_or_remains(journal, identity).conditions
        }
        service = f"/{reference.partition(':')[2]}"
        begun = [
            w for w in known if (w.startswith(reference) if is_beginning else w.startswith("compose:") and w.endswith(service))
        ]
        return begun[0] if len(begun) == 1 and reference not in known else found

    def verify(self, reference: str, wish: Wish | None = None, progress: Progress = silent) -> list[Evidence]:
        wish = wish or Wish()
        words = [word for word in (wish.peer, wish.to) if word and is_reference(word)]
        self.caller.need_no_files((), [reference, *words])
        with ExitStack() as stack:
            found = [stack.enter_context(one) for one in runtimes.resolve_all([reference])]
            self.caller.need_targets(found)
            self.caller.need_references(words)
            entering = replace(wish, may_enter=self.caller.may_change)
            return [each for one in found for each in verification.verify(self.engine, one, entering, progress)]

    def connections(self, reference: str, which: Chosen | None = None) -> list[Listed]:
        return self.connections_of([reference], which or Chosen())

    def connections_of(self, references: Sequence[str], which: Chosen) -> list[Listed]:
        """The connections of several targets."""
        self.caller.need(READ)
        self.caller.need_no_files((), [*references, *_peers(which)])
        with ExitStack() as stack:
            found = [stack.enter_context(one) for one in runtimes.resolve_all(references)]
            return [connections(self.engine, one, which) for one in found]

    def reset(self, reference: str, which: Chosen, *, host: bool = False) -> list[Listed]:
        return self.reset_on([reference], which, host=host)

    def reset_on(self, references: Sequence[str], which: Chosen, *, host: bool = False) -> list[Listed]:
        """Ends connections of several targets; one of several that has none is no error."""
        self.caller.need_no_files((), [*references, *_peers(which)])
        with (
            self.callbacks.audited(self.caller, "reset", targets=list(references), match=match_to_short(which.match)) as line,
            ExitStack() as stack,
        ):
            found = [stack.enter_context(one) for one in runtimes.resolve_all(references)]
            self.caller.need_targets(found)
            _need_host_spelt(found, confirmed=host)
            ended = self._reset(found, which)
            line["reset"] = [live.connection for each in ended for live in each.connections]
        self.callbacks.was_reset(self.caller, ended)
        return ended

    def _reset(self, targets: Sequence[Target], which: Chosen) -> list[Listed]:
        ended: list[Listed] = []
        none: list[NetweatherError] = []
        for target in targets:
            try:
                ended.append(reset(self.engine, target, which, os.environ.items()))
            except NetweatherError as error:
                if error.code != "no-such-connection":
                    raise
                none.append(error)
        if none and not ended:
            raise none[0]
        return ended

    def stats(self, reference: str, wanted: Counting | None = None) -> Stats:
        self.caller.need(READ)
        self.caller.need_no_files((), [reference])
        return open_stats(reference, wanted or Counting())


def worth_telling(references: Sequence[str], answers: Sequence[Cleared]) -> list[Cleared]:
    """Of all, only those of which something ended, or may have: where a journal was lost, nobody knows."""
    return [each for each in answers if references or each.names or each.problem or each.held or not each.identity]


def _peers(which: Chosen) -> list[str]:
    return [word for match in (which.match, *which.exclude) for word in match.to]


def _need_host_spelt(targets: Iterable[Target], *, confirmed: bool) -> None:
    """Raises UsageError(code="host-not-confirmed") when the host's own network is among the targets."""
    if not confirmed and any(target.runtime == "host" for target in targets):
        raise UsageError(
            "host-not-confirmed",
            "the target is the host's own network, which your session uses too",
            "a mistake can lock you out until the lease ends",
            "add --yes (API: confirmHost=true), and --exclude port=22 to keep SSH unchanged",
        )
