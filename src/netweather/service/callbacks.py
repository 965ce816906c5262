"""What the process around a service adds to its verbs: a log of changes, events, conditions for what starts later.

Here nothing happens, as in direct mode, where a command ends with its answer. The agent has all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from netweather.conditions import NetworkCondition
from netweather.conditions.scenario import Scenario
from netweather.engine.views.connections import TargetSockets
from netweather.results import Cleared, SetOutcome
from netweather.service.callers import Caller

Order = tuple[str, str]
"""A condition that stands for whatever a reference names, now and later: the reference and the condition's name."""
Fits = Callable[[NetworkCondition], bool]


class Callbacks:
    """Called by the service, by any thread."""

    def prepared(self, condition: NetworkCondition) -> NetworkCondition:
        """The condition as this process can set it."""
        return condition

    def audited(
        self, caller: Caller, action: str, conditions: Iterable[NetworkCondition] = (), **fields: Any
    ) -> AbstractContextManager[dict[str, Any]]:
        """Around a change, which may add fields to what is yielded."""
        return nullcontext(fields)

    def changed(self, identity: str) -> None:
        """Something was done to a target, or tried."""

    def was_set(self, caller: Caller, done: Sequence[SetOutcome], *, renewed: bool) -> None:
        """Conditions are in force. renewed: they were, and have a new lease."""

    def was_cleared(self, caller: Caller, answers: Sequence[Cleared], orders: Collection[Order]) -> None:
        """Conditions have ended. orders: by which words they had been set."""

    def was_reset(self, caller: Caller, ended: Sequence[TargetSockets]) -> None:
        """Connections have been ended."""

    def orders_withdrawn(self, fits: Fits, references: Collection[str]) -> AbstractContextManager[Collection[Order]]:
        """Around a clear: what starts meanwhile, or later, gets nothing of it. Yields what would have been given to it.

        references: only what was set by these words; none: all. A clear that raises restores them.
        """
        return nullcontext(())

    def scenario_changed(self, scenario: Scenario, kind: str, data: dict[str, Any]) -> None:
        """What happens to one that is played, as `Stage.tell` hears it."""
