"""What the agent adds to its service's verbs: the audit log, events, conditions for containers that start later."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Final

from netweather.agent.audit import Audit
from netweather.agent.events import Events
from netweather.agent.selector_conditions import SelectorConditions
from netweather.agent.supervisor import Keeping
from netweather.conditions import NetworkCondition
from netweather.conditions.scenario import Scenario
from netweather.engine import Cleared, SetOutcome, TargetSockets, entries
from netweather.engine.safety import on_host, spare_port
from netweather.service.callbacks import Callbacks, Fits, Order
from netweather.service.callers import Caller

LOG: Final = logging.getLogger("netweather.agent")
MOST_TOLD: Final = 100
"""Connections that an event names."""


@dataclass
class Audited(Callbacks):
    """Only the audit log: for what the agent sets by itself."""

    audit: Audit

    def audited(
        self, caller: Caller, action: str, conditions: Iterable[NetworkCondition] = (), **fields: Any
    ) -> AbstractContextManager[dict[str, Any]]:
        return self.audit.of(caller, action, conditions, **fields)


@dataclass
class AgentCallbacks(Audited):
    """All of it. port: the agent's own, which no condition of the host's network may cut off."""

    events: Events
    keeping: Keeping
    standing: SelectorConditions
    port: int | None = None

    def prepared(self, condition: NetworkCondition) -> NetworkCondition:
        return spare_port(condition, self.port) if on_host(condition) else condition

    def changed(self, identity: str) -> None:
        self.keeping.look(identity)

    def was_set(self, caller: Caller, done: Sequence[SetOutcome], *, renewed: bool) -> None:
        for each in done:
            self.standing.remember(each.condition, caller=caller)
            for result in () if renewed else each.results:
                what = {"name": each.condition.name, "target": result.target.reference, "owner": each.condition.owner}
                self.events.publish("condition-set", **what, by=caller.name)

    def was_cleared(self, caller: Caller, answers: Sequence[Cleared], orders: Collection[Order]) -> None:
        self._forget(orders)
        for each in answers:
            for ended in each.names:
                counted = self.keeping.last_counters(each.identity, ended)
                self.events.publish("condition-cleared", name=ended, target=each.target, by=caller.name, counters=counted)

    def was_reset(self, caller: Caller, ended: Sequence[TargetSockets]) -> None:
        for each in ended:
            names = [live.connection for live in each.connections]
            self.events.publish("connections-reset", target=each.target.reference, connections=names[:MOST_TOLD], by=caller.name)

    @contextmanager
    def orders_withdrawn(self, fits: Fits, references: Collection[str]) -> Iterator[Collection[Order]]:
        withdrawn = self.standing.withdraw(fits, references)
        try:
            yield withdrawn
        except BaseException:
            self.standing.restore(withdrawn)
            raise

    def scenario_changed(self, scenario: Scenario, kind: str, data: dict[str, Any]) -> None:
        if kind == "scenario-failed":
            LOG.warning("scenario %s: %s", scenario.name, data.get("why", ""))
        self.events.publish(kind, scenario=scenario.name, owner=scenario.owner, **data)

    def _forget(self, ended: Collection[Order]) -> None:
        """What ended by other words than its own, and is in force by them nowhere any more, doesn't come back."""
        if ended:
            journal = self.standing.engine.journal
            left = {
                (each.reference, each.condition.name)
                for identity in journal.identities()
                if (entry := entries.readable(journal, identity)) is not None
                for each in entry.conditions
            }
            self.standing.forget(set(ended) - left)

    def cleared_elsewhere(self, reference: str, name: str) -> None:
        """Direct mode ended a condition before its time."""
        self._forget([(reference, name)])
