"""Scenarios: conditions that come and go by a timeline, as frozen dataclasses; their spelling in YAML and JSON. Pure.

    kind: Scenario
    metadata: {name: bad-evening}
    spec:
      targets: [docker:shop]
      steps:
      - {at: 0s, condition: {profile: 4g}}
      - {at: 30s, for: 10s, condition: {loss: 5%}}
One that fails: a step at 30s with neither a condition nor a partition (missing-key). Not here: what is in force when (timeline).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from netweather.conditions.declare import about
from netweather.conditions.embedding import embedded_rule
from netweather.conditions.language.codec import read, write
from netweather.conditions.language.documents import API_VERSION, fields_of, parse_json, parse_one
from netweather.conditions.match import Match
from netweather.conditions.model import Condition, Rule
from netweather.conditions.validation import check_types
from netweather.errors import UsageError
from netweather.units import Duration

KIND: Final = "Scenario"
MOST_STEPS: Final = 1000
SECOND: Final = 10**9


@dataclass(frozen=True, slots=True)
class Ramp:
    """The step's condition changes to another one in equal increments, over the step's duration."""

    to: Condition = field(
        metadata=about("the condition at the end; times, percentages and rates change to it in equal increments")
    )
    every: Duration = field(default=Duration(SECOND), metadata=about("time between two increments", unit="time", example="1s"))


@dataclass(frozen=True, slots=True)
class Flap:
    """The step's condition is on and off in turns, over the step's duration."""

    on: Duration = field(metadata=about("how long it is on", unit="time", example="2s"))
    off: Duration = field(metadata=about("how long it is off", unit="time", example="1s"))


@dataclass(frozen=True, slots=True)
class Step:
    """A condition or a partition, with a start and a duration. It replaces earlier steps for the traffic that it matches."""

    at: Duration = field(
        metadata=about("when the step begins, counted from the start of the scenario", unit="time", example="30s")
    )
    duration: Duration | None = field(
        default=None,
        metadata=about(
            "how long it lasts; unless given until a step of the same name, or the end (spelt `for`, too)",
            unit="time", example="10s", aliases=("for",),
        ),
    )  # fmt: skip
    name: str = field(
        default="", metadata=about("name of the step; a later step with the same name replaces it", example="burst")
    )
    targets: tuple[str, ...] = field(
        default=(), metadata=about("targets of the step; default: the scenario's targets", example="docker:shop-api")
    )
    match: Match = field(default=Match(), metadata=about("the traffic that the step matches", flat=True))
    condition: Condition | None = field(default=None, metadata=about("how that traffic is degraded"))
    partition: tuple[tuple[str, ...], ...] = field(
        default=(),
        metadata=about(
            "groups of targets that cannot reach each other; packets are dropped silently unless the condition has block: reject"
        ),
    )
    one_way: bool = field(
        default=False, metadata=about("partitions only: drop only packets from an earlier group to a later one")
    )
    ramp: Ramp | None = field(default=None, metadata=about("the condition changes to another one in equal increments"))
    flap: Flap | None = field(default=None, metadata=about("the condition is on and off in turns"))


@dataclass(frozen=True, slots=True)
class Scenario:
    """Steps on a timeline. Each step has a short lease that the player renews. If the player dies, the leases end the steps."""

    name: str = field(default="scenario", metadata=about("the scenario's name, unique on an agent", example="bad-evening"))
    targets: tuple[str, ...] = field(
        default=(),
        metadata=about("targets of all steps that name none, such as docker:shop", example="docker:shop"),
    )
    steps: tuple[Step, ...] = field(default=(), metadata=about("the steps", always=True))
    length: Duration | None = field(
        default=None,
        metadata=about("duration of one round; default: until the end of the last step", unit="time", example="5m"),
    )
    repeat: int = field(default=1, metadata=about("number of rounds", example="3", minimum=1, maximum=1_000_000))
    lease: Duration = field(
        default=Duration(30 * SECOND),
        metadata=about("lease of each step: the steps end after this time if the player dies", unit="time", example="30s"),
    )
    owner: str = field(default="", metadata=about("owner of the scenario", example="alice@ci-7"))
    reason: str = field(
        default="", metadata=about("purpose of the scenario, free text", example="does checkout survive the evening?")
    )


def load_scenario(data: object) -> Scenario:
    """A scenario from plain data, with or without the envelope; only its form is checked (timeline checks the rest). Raises UsageError."""
    plain = fields_of(data, KIND, "a scenario")
    steps = plain.get("steps", ())
    if isinstance(steps, list | tuple) and not 0 < len(steps) <= MOST_STEPS:  # before any is read
        raise UsageError("missing-key", f"steps: there are {len(steps)}", f"1 to {MOST_STEPS} are possible", "add a step")
    loaded: Scenario = read(Scenario, plain, "")
    check_types(loaded, "")
    return loaded


def load_scenario_text(text: str) -> Scenario:
    """The one scenario of a YAML or JSON text. Raises UsageError."""
    return load_scenario(parse_one(text, "a scenario"))


def load_scenario_json(text: str) -> Scenario:
    """The scenario of a JSON text. Raises UsageError."""
    return load_scenario(parse_json(text))


def dump_scenario(scenario: Scenario) -> dict[str, Any]:
    """The long form as plain data: load_scenario(dump_scenario(x)) == x."""
    spec = write(scenario)
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": spec.pop("name", scenario.name)}, "spec": spec}


def embedded_scenario(scenario: Scenario, own: Mapping[str, Any] | None = None) -> Scenario:
    """The same, needing no file and no profile of this machine's. Raises UsageError unreadable-file, unknown-profile."""
    return replace(scenario, steps=tuple(part for step in scenario.steps for part in _embedded(step, own)))


def _embedded(step: Step, own: Mapping[str, Any] | None) -> list[Step]:
    """A step whose own profile differs by direction becomes two."""
    if step.condition is None:
        return [step]
    rules = embedded_rule(Rule(step.match, step.condition), own)
    named = [f"{step.name}-{number}" if step.name and len(rules) > 1 else step.name for number in range(1, len(rules) + 1)]
    return [replace(step, name=name, match=rule.match, condition=rule.condition) for name, rule in zip(named, rules, strict=True)]


__all__ = [
    "KIND", "Flap", "Ramp", "Scenario", "Step", "dump_scenario", "embedded_scenario", "load_scenario", "load_scenario_json",
    "load_scenario_text",
]  # fmt: skip
