"""The verbs, once: by reference, for a caller. Direct mode is this service with root as its caller, the agent is it behind HTTP.

Not here: what a caller may do (callers).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from netweather import targets as runtimes
from netweather.conditions import NetworkCondition
from netweather.conditions.language.flags import match_to_short
from netweather.conditions.partitions import TargetGroup, partition
from netweather.conditions.peer_kinds import is_reference
from netweather.conditions.scenario import Scenario
from netweather.conditions.scenario_timeline import ScenarioTimeline, timeline
from netweather.engine import entries, verification
from netweather.engine.core import Engine
from netweather.engine.draining import DrainMode
from netweather.engine.scenario_runner import PlacedName, Player
from netweather.engine.scenario_store import Playbook, StoredScenario
from netweather.engine.transaction import Placement, opened, set_all
from netweather.engine.verification import ProgressCallback, VerifyOptions, silent
from netweather.engine.views.connections import SocketFilter, TargetSockets, connections, reset, with_lives
from netweather.engine.views.socket_stats import CounterSelection as Counting
from netweather.engine.views.socket_stats import Stats, open_stats
from netweather.errors import NetweatherError, UsageError
from netweather.measure import ConditionEvidence
from netweather.results import Cleared, ConditionStatus, SetOutcome
from netweather.service.callbacks import Callbacks
from netweather.service.callers import ANYTHING, DIRECT, READ, SET, Caller
from netweather.service.end_conditions import Clearing
from netweather.service.played_scenarios import Scenarios
from netweather.service.protocol import Heard, Turn, end_condition, unheard
from netweather.service.set_verified import proof
from netweather.targets import Target, ids
from netweather.targets.references import lacks_project
from netweather.wire.scenario_documents import PLAYED

if TYPE_CHECKING:
    from netweather.targets.runtimes.compose import Own


@dataclass
class LocalService:
    """The service of this very process, for one caller. It needs root."""

    engine: Engine
    caller: Caller = DIRECT
    callbacks: Callbacks = field(default_factory=Callbacks)
    played: Scenarios = field(default_factory=Scenarios)

    def set(
        self,
        conditions: Sequence[NetworkCondition],
        *,
        dry_run: bool = False,
        host: bool = False,
        verify: bool = False,
        progress: ProgressCallback = silent,
    ) -> list[SetOutcome]:
        self.caller.need(SET)
        owned = [self.callbacks.prepared(replace(each, owner=self.caller.owner(each.owner))) for each in conditions]
        self.caller.need_no_files(owned)
        check = proof(self.engine, progress, self.caller) if verify else None
        with self.callbacks.audited(self.caller, "plan" if dry_run else "set", owned), self._allowed(owned) as (wanted, targets):
            _need_host_spelt(targets, confirmed=host or dry_run)
            try:
                done = set_all(self.engine, wanted, dry_run=dry_run, check=check)
            finally:
                for target in targets:
                    self.callbacks.changed(target.identity)
        if not dry_run:
            self.callbacks.was_set(self.caller, done, renewed=False)
        return done

    def partition(
        self, groups: Sequence[TargetGroup], template: NetworkCondition, *, one_way: bool = False, dry_run: bool = False
    ) -> list[SetOutcome]:
        return self.set(partition(groups, template, one_way=one_way), dry_run=dry_run)

    def renew(self, conditions: Sequence[NetworkCondition]) -> None:
        """As `set` for what is in force, without a line in the log and an event each time."""
        with self._allowed(conditions) as (wanted, _):
            done = set_all(self.engine, wanted)
        self.callbacks.was_set(self.caller, done, renewed=True)

    @contextmanager
    def _allowed(self, conditions: Sequence[NetworkCondition]) -> Iterator[tuple[list[Placement], list[Target]]]:
        """Conditions with their targets open, all of which the caller may change, and their peers may look into."""
        with opened(conditions) as wanted:
            targets = [target for one in wanted for target in one.targets]
            self.caller.need_targets(targets)
            self.caller.need_peers(conditions)
            yield wanted, targets

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

    def show(self, references: Sequence[str] = (), *, lived: bool = False) -> list[ConditionStatus]:
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
        self, references: Sequence[str] = (), name: str | None = None, owner: str | None = None, *, held: DrainMode = "drain"
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
            self.played.stop_all(lambda owner: clearing.owner in (None, owner) and self.caller.owns(owner))
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

    def verify(
        self, reference: str, wish: VerifyOptions | None = None, progress: ProgressCallback = silent
    ) -> list[ConditionEvidence]:
        wish = wish or VerifyOptions()
        words = [word for word in (wish.peer, wish.to) if word and is_reference(word)]
        self.caller.need_no_files((), [reference, *words])
        with ExitStack() as stack:
            found = [stack.enter_context(one) for one in runtimes.resolve_all([reference])]
            self.caller.need_targets(found)
            self.caller.need_references(words)
            entering = replace(wish, may_enter=self.caller.may_change)
            return [each for one in found for each in verification.verify(self.engine, one, entering, progress)]

    def connections(self, reference: str, which: SocketFilter | None = None) -> list[TargetSockets]:
        return self.connections_of([reference], which or SocketFilter())

    def connections_of(self, references: Sequence[str], which: SocketFilter) -> list[TargetSockets]:
        """The connections of several targets."""
        self.caller.need(READ)
        self.caller.need_no_files((), [*references, *_peers(which)])
        with ExitStack() as stack:
            found = [stack.enter_context(one) for one in runtimes.resolve_all(references)]
            return [connections(self.engine, one, which) for one in found]

    def reset(self, reference: str, which: SocketFilter, *, host: bool = False) -> list[TargetSockets]:
        return self.reset_on([reference], which, host=host)

    def reset_on(self, references: Sequence[str], which: SocketFilter, *, host: bool = False) -> list[TargetSockets]:
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

    def _reset(self, targets: Sequence[Target], which: SocketFilter) -> list[TargetSockets]:
        ended: list[TargetSockets] = []
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

    def run_scenario(self, scenario: Scenario, heard: Heard = unheard) -> dict[str, Any]:
        self.caller.need(SET)
        owned = replace(scenario, owner=self.caller.owner(scenario.owner))
        line = timeline(owned)
        conditions = [each for moment in line.moments for each in moment.conditions]
        self.caller.need_no_files(conditions)
        with self.callbacks.audited(self.caller, "scenario-run", (), name=owned.name, owner=owned.owner, reason=owned.reason):
            self._need_later(conditions)
            mark = self.played.bookmark(owned, self.caller.remembered)
            self.played.run(player := Player(owned, line, _LocalStage(self, owned, heard), mark))
        return PLAYED.write(player)

    def _need_later(self, conditions: Iterable[NetworkCondition]) -> None:
        """Raises not-allowed for a target or peer that the caller may not enter; what is not there yet is checked when it is set."""
        entered = {(each.targets, *(rule.match.to for rule in each.rules)): each for each in conditions}
        for each in () if self.caller.scopes >= ANYTHING else entered.values():
            try:
                with self._allowed([each]):
                    pass
            except NetweatherError as error:
                if error.code == "not-allowed":
                    raise

    def go_on_with_scenarios(self, again: Callable[[dict[str, Any]], Caller]) -> None:
        """Goes on with what a process before played, as far as its caller (`again`) may still do so; else it ends."""
        for page in self.played.pages():
            name, owner = page.scenario.name, page.scenario.owner
            try:
                line = timeline(page.scenario)
                caller, refused = self._still(page, again)
            except (NetweatherError, KeyError, ValueError) as error:  # what another version wrote
                self.played.forget(name, error)
                continue
            with self.callbacks.audited(caller, "scenario-resume", (), name=name, owner=owner) as noted:
                noted.update({} if refused is None else {"refused": refused.code})
                stage = _LocalStage(replace(self, caller=caller), page.scenario, unheard, refused)
                mark, left = self.played.bookmark(page.scenario, page.asker), self._in_force(page.scenario, line)
                self.played.go_on(Player(page.scenario, line, stage, mark, place=page.place, left=left))

    def _still(self, page: StoredScenario, again: Callable[[dict[str, Any]], Caller]) -> tuple[Caller, NetweatherError | None]:
        """The caller of then with the rights of now, or why the scenario may not go on."""
        try:
            caller = again(page.asker)
            caller.need(SET)
            caller.owner(page.scenario.owner)
        except NetweatherError as error:
            return self.caller, error
        return caller, None

    def _in_force(self, scenario: Scenario, line: ScenarioTimeline) -> Collection[PlacedName]:
        """What of a scenario is in force, whoever put it there."""
        names = {each.name for moment in line.moments for each in moment.conditions}
        journal = self.engine.journal
        return {
            (words, each.condition.name)
            for identity in journal.identities()
            if (entry := entries.readable(journal, identity)) is not None
            for each in entry.conditions
            for words in each.condition.targets
            if each.condition.name in names and each.condition.owner == scenario.owner
        }

    def scenarios(self, name: str | None = None) -> list[dict[str, Any]]:
        self.caller.need(READ)
        players = self.played.all() if name is None else [self.played.one(name)]
        return [PLAYED.write(each) for each in players]

    def turn_scenario(self, name: str, how: Turn) -> dict[str, Any]:
        self.caller.need(SET)
        player = self.played.one(name)
        owner = player.scenario.owner
        if not self.caller.owns(owner):
            raise NetweatherError(
                "other-owner", f"the scenario {name!r} belongs to {owner or 'nobody'}",
                f"you are {self.caller.name}", f"ask its owner, or root, to {how} it",
            )  # fmt: skip
        with self.callbacks.audited(self.caller, f"scenario-{how}", (), name=name):
            getattr(player, how)()
            if how == "stop":
                player.join()
        return PLAYED.write(player)


@dataclass
class _LocalStage:
    """Where a scenario is played: this process. refused: why nothing of it may be set any more."""

    service: LocalService
    scenario: Scenario
    heard: Heard
    refused: NetweatherError | None = None

    def put(self, conditions: Sequence[NetworkCondition]) -> None:
        if self.refused is not None:
            raise self.refused
        self.service.set(conditions)

    def renew(self, conditions: Sequence[NetworkCondition]) -> None:
        self.service.renew(conditions)

    def end(self, target: str, name: str) -> None:
        ends = replace(self.service, caller=self.service.caller.unlimited)
        end_condition(ends, [target], name, self.scenario.owner)

    def tell(self, kind: str, data: dict[str, Any]) -> None:
        self.service.callbacks.scenario_changed(self.scenario, kind, data)
        self.heard(kind, data)


def worth_telling(references: Sequence[str], answers: Sequence[Cleared]) -> list[Cleared]:
    """Of all, only those of which something ended, or may have: where a journal was lost, nobody knows."""
    return [each for each in answers if references or each.names or each.problem or each.held or not each.identity]


def _peers(which: SocketFilter) -> list[str]:
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
