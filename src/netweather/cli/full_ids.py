"""The words of a command line with whole ids: what people copy from `docker ps` is the beginning of one.

A service that completes the references it is given, once, and hands them on. Not for what files say. Not here: how one is completed
(targets.resolving), and completion by the shell (completing).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from netweather.connecting import connect
from netweather.settings import Settings

if TYPE_CHECKING:
    from netweather.conditions import Match, NetworkCondition
    from netweather.conditions.partitions import TargetGroup
    from netweather.conditions.scenario import Scenario
    from netweather.engine import SocketFilter, TargetSockets
    from netweather.engine.draining import DrainMode
    from netweather.engine.verification import ProgressCallback, VerifyOptions
    from netweather.engine.views.socket_stats import CounterSelection, Stats
    from netweather.measure import ConditionEvidence
    from netweather.results import Cleared, ConditionStatus, SetOutcome
    from netweather.service import Service
    from netweather.service.protocol import Heard, Turn


def connected(settings: Settings, *, direct: bool = False) -> Service:
    """The service of `connect`, for words that a person typed. Raises as that does."""
    return Completed(connect(settings, direct=direct))


def with_whole_id(service: Service, word: str) -> str:
    """A reference with an id in full, a compose service with its project; other words as they are, without asking anybody."""
    from netweather.conditions.peer_kinds import is_reference
    from netweather.targets import ids
    from netweather.targets.references import lacks_project

    beginning = ids.is_beginning(word.rpartition(":")[2].rpartition("/")[2])
    return service.complete(word) if lacks_project(word) or (beginning and is_reference(word)) else word


class Completed:
    """A Service whose callers may write the beginning of an id."""

    def __init__(self, service: Service) -> None:
        self.service = service

    def set(
        self,
        conditions: Sequence[NetworkCondition],
        *,
        dry_run: bool = False,
        host: bool = False,
        verify: bool = False,
        progress: ProgressCallback | None = None,
    ) -> list[SetOutcome]:
        more = {} if progress is None else {"progress": progress}
        meant = [self.condition(each) for each in conditions]
        return self.service.set(meant, dry_run=dry_run, host=host, verify=verify, **more)

    def partition(
        self, groups: Sequence[TargetGroup], template: NetworkCondition, *, one_way: bool = False, dry_run: bool = False
    ) -> list[SetOutcome]:
        whole = [self.references(group) for group in groups]
        return self.service.partition(whole, template, one_way=one_way, dry_run=dry_run)

    def show(self, references: Sequence[str] = (), *, lived: bool = False) -> list[ConditionStatus]:
        return self.service.show(self.references(references), lived=lived)

    def clear(
        self, references: Sequence[str] = (), name: str | None = None, owner: str | None = None, *, held: DrainMode = "drain"
    ) -> list[Cleared]:
        return self.service.clear(self.references(references), name, owner, held=held)

    def complete(self, reference: str) -> str:
        return self.service.complete(reference)

    def verify(self, reference: str, wish: VerifyOptions, progress: ProgressCallback | None = None) -> list[ConditionEvidence]:
        to, peer = (word and with_whole_id(self.service, word) for word in (wish.to, wish.peer))
        meant = replace(wish, to=to, peer=peer)
        more = () if progress is None else (progress,)
        return self.service.verify(with_whole_id(self.service, reference), meant, *more)

    def connections(self, reference: str, which: SocketFilter | None = None) -> list[TargetSockets]:
        return self.service.connections(with_whole_id(self.service, reference), which and self._chosen(which))

    def reset(self, reference: str, which: SocketFilter, *, host: bool = False) -> list[TargetSockets]:
        return self.service.reset(with_whole_id(self.service, reference), self._chosen(which), host=host)

    def stats(self, reference: str, wanted: CounterSelection) -> Stats:
        return self.service.stats(with_whole_id(self.service, reference), wanted)

    def run_scenario(self, scenario: Scenario, heard: Heard | None = None) -> dict[str, Any]:
        return self.service.run_scenario(scenario, *(() if heard is None else (heard,)))

    def turn_scenario(self, name: str, how: Turn) -> dict[str, Any]:
        return self.service.turn_scenario(name, how)

    def scenarios(self, name: str | None = None) -> list[dict[str, Any]]:
        return self.service.scenarios(name)

    def condition(self, condition: NetworkCondition) -> NetworkCondition:
        """The same, with whole ids: of its targets, and of its peers."""
        rules = tuple(replace(rule, match=self._match(rule.match)) for rule in condition.rules)
        exclude = tuple(map(self._match, condition.exclude))
        return replace(condition, targets=tuple(self.references(condition.targets)), rules=rules, exclude=exclude)

    def references(self, words: Iterable[str]) -> list[str]:
        """The same, with whole ids."""
        return [with_whole_id(self.service, word) for word in words]

    def _match(self, match: Match) -> Match:
        return replace(match, to=tuple(self.references(match.to)))

    def _chosen(self, which: SocketFilter) -> SocketFilter:
        return replace(which, match=self._match(which.match), exclude=tuple(map(self._match, which.exclude)))
