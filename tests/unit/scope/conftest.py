"""A plugin without a process: a service that remembers what it was asked, and containers as a test wants them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from netweather.conditions import NetworkCondition, builtin_profiles
from netweather.engine.draining import DrainMode
from netweather.errors import NetweatherError
from netweather.kernel.sockets.netns_stats import Faring
from netweather.results import Cleared, ConditionStatus, RuleCounters, SetOutcome, SetResult, TargetRef
from netweather.scope.buttons import controls
from netweather.scope.picture import Painter
from netweather.scope.steering import Steering
from netweather.targets.census import Container, ContainerState
from netweather.units import Duration

NUMBER = "ab" * 32
MINUTE = Duration(60 * 10**9)


def container(id: str = NUMBER, **more: Any) -> Container:  # noqa: A002 - Docker's word
    """One that runs, unless told otherwise."""
    fields = {
        "name": id[:4],
        "runtime": "docker",
        "state": "running",
        "reference": f"docker:{id}",
        "identity": f"4-{int(id[:4], 16)}",
    }
    return Container(**{"id": id, **fields, **more})


def shown(each: Container, condition: NetworkCondition, **more: Any) -> ConditionStatus:
    """A condition in force on a container, a minute before its end."""
    dev, _, ino = (each.identity or "").partition("-")
    whose = TargetRef(each.reference, each.name, int(dev), int(ino), None, None, each.runtime)
    fields = {
        "remaining_ns": MINUTE.ns, "in_force": True, "problems": (), "interfaces": ("eth0",), "peers": {},
        "rules": tuple(RuleCounters(0, 0, 0) for _ in condition.rules), "unwanted_drops": 0, "engine": "pump",
    }  # fmt: skip
    return ConditionStatus(whose, condition, **{**fields, **more})


@dataclass
class Fake:
    """A `Service` and a census. in_force: by the target's reference; fails: raised by everything."""

    containers: list[Container] = field(default_factory=list)
    in_force: dict[str, list[NetworkCondition]] = field(default_factory=dict)
    asked: list[tuple[str, ...]] = field(default_factory=list)
    fails: NetweatherError | None = None
    problems: list[NetweatherError] = field(default_factory=list)
    notes: tuple[str, ...] = ()
    counted: int = 0
    fare: dict[str, Faring] = field(default_factory=dict)

    def look(self) -> tuple[list[Container], list[NetweatherError]]:
        return list(self.containers), list(self.problems)

    def states(self) -> tuple[dict[str, ContainerState], bool]:
        return {each.id: each.state for each in self.containers}, not self.problems

    def farings(self) -> dict[str, Faring]:
        return self.fare

    def show(self, references: Sequence[str] = (), *, lived: bool = False) -> list[ConditionStatus]:
        self._ask("show", *references)
        counters = (RuleCounters(self.counted, 10 * self.counted, self.counted // 2),)
        return [
            shown(each, condition, rules=counters)
            for each in self.containers
            for condition in self.in_force.get(each.reference, [])
            if not references or each.reference in references
        ]

    def set(self, conditions: Sequence[NetworkCondition], *, dry_run: bool = False, host: bool = False) -> list[SetOutcome]:
        self._ask("set", *(name for each in conditions for name in each.targets))
        for each in conditions:
            for reference in each.targets:
                others = [old for old in self.in_force.get(reference, []) if old.name != each.name]
                self.in_force[reference] = [*others, each]
        nowhere = TargetRef("", "", 0, 0, None, None, "")
        return [SetOutcome(each, (SetResult(nowhere, each, (), True, {}, (), self.notes),)) for each in conditions]

    def clear(
        self, references: Sequence[str] = (), name: str | None = None, owner: str | None = None, *, held: DrainMode = "drain"
    ) -> list[Cleared]:
        self._ask("clear", *references, *([name] if name else []))
        for reference in references:
            self.in_force[reference] = [each for each in self.in_force.get(reference, []) if name not in (None, each.name)]
        return [Cleared(reference, ()) for reference in references]

    def verify(self, *_: Any) -> list[Any]:
        raise NotImplementedError

    def _ask(self, *words: str) -> None:
        self.asked.append(words)
        if self.fails:
            raise self.fails


@pytest.fixture
def fake() -> Fake:
    return Fake([container()])


@pytest.fixture
def steering(fake: Fake) -> Steering:
    """Over a picture that was looked at once."""
    painter = Painter(fake, fake)
    painter.look()
    fake.asked.clear()
    return Steering(fake, painter, controls(builtin_profiles().values()), MINUTE)
