"""What can be done with conditions, whoever does it: the service of this process, or an agent through its client."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

from netweather.conditions import NetworkCondition
from netweather.conditions.partitions import TargetGroup
from netweather.conditions.scenario import Scenario
from netweather.engine.draining import DrainMode
from netweather.engine.verification import ProgressCallback, VerifyOptions, silent
from netweather.engine.views.connections import SocketFilter, TargetSockets
from netweather.engine.views.socket_stats import CounterSelection, Stats
from netweather.errors import NetweatherError, has_ended
from netweather.measure import ConditionEvidence
from netweather.results import Cleared, ConditionStatus, SetOutcome

Turn = Literal["pause", "resume", "stop"]
Heard = Callable[[str, dict[str, Any]], None]
"""Hears what happens: the kind of an event, and its data."""


def unheard(kind: str, data: dict[str, Any]) -> None:
    """Hears nothing."""


class Service(Protocol):
    """What can be done with conditions. Everything raises NetweatherError."""

    def set(
        self,
        conditions: Sequence[NetworkCondition],
        *,
        dry_run: bool = False,
        host: bool = False,
        verify: bool = False,
        progress: ProgressCallback = silent,
    ) -> list[SetOutcome]:
        """Puts conditions in force on the targets that they name: all, or none. host: the target `host` is meant.

        verify: each is measured, which `progress` hears of; when one does not hold, all is as before, and it is not-proved.
        """

    def partition(
        self, groups: Sequence[TargetGroup], template: NetworkCondition, *, one_way: bool = False, dry_run: bool = False
    ) -> list[SetOutcome]:
        """Separates groups of targets: sets the conditions of `conditions.partitions.partition` on all targets, or on none."""

    def show(self, references: Sequence[str] = (), *, lived: bool = False) -> list[ConditionStatus]:
        """The conditions in force on these targets, or on all. lived: with what the connections of each rule lived through."""

    def clear(
        self, references: Sequence[str] = (), name: str | None = None, owner: str | None = None, *, held: DrainMode = "drain"
    ) -> list[Cleared]:
        """Ends conditions on these targets, or on all: those of this name and owner, or all.

        Of several targets, what fails on one is in its answer; the failure of a single one is raised.
        Whatever was set by one of these references ends, also where the reference does not lead any more.
        held: what becomes of packets that are held; with "wait" and "drop" everything is as before when this returns.
        """

    def complete(self, reference: str) -> str:
        """The reference with an id in full in place of its beginning, and a compose service with its project: for words of a
        command line (`targets.complete`)."""

    def verify(self, reference: str, wish: VerifyOptions, progress: ProgressCallback = silent) -> list[ConditionEvidence]:
        """The evidence for a target's conditions."""

    def connections(self, reference: str, which: SocketFilter | None = None) -> list[TargetSockets]:
        """The connections of each target that is named."""

    def reset(self, reference: str, which: SocketFilter, *, host: bool = False) -> list[TargetSockets]:
        """Ends connections, and returns those; host: the target `host` is meant."""

    def stats(self, reference: str, wanted: CounterSelection) -> Stats:
        """Begins to count what the sockets of targets do; the caller closes it."""

    def run_scenario(self, scenario: Scenario, heard: Heard = unheard) -> dict[str, Any]:
        """Begins to play a scenario; returns its document when the first moment is in force.

        heard: hears of each step where this process plays it; an agent publishes events instead.
        """

    def turn_scenario(self, name: str, how: Turn) -> dict[str, Any]:
        """Holds a scenario, goes on with it, or ends it: returns its document when nothing of it is in force any more."""

    def scenarios(self, name: str | None = None) -> list[dict[str, Any]]:
        """The scenarios that are played and the last that were, or the one of a name, with where each stands."""


def end_condition(service: Service, references: Sequence[str], name: str, owner: str | None = None) -> None:
    """Ends the condition of a name; that it is not in force any more is no failure. Raises NetweatherError, OSError."""
    try:
        problems = [each.problem for each in service.clear(references, name, owner)]
    except NetweatherError as error:
        problems = [error]
    for problem in problems:
        if problem is not None and not has_ended(problem):
            raise problem
