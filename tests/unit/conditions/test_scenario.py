"""Scenarios: their spellings, their schema, and what is refused."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest

from netweather.conditions import Condition, Delay, Match, PortRange
from netweather.conditions.embedding import own_profiles
from netweather.conditions.language.schema import document_schema
from netweather.conditions.scenario import (
    Flap,
    Ramp,
    Scenario,
    Step,
    dump_scenario,
    embedded_scenario,
    load_scenario,
    load_scenario_json,
    load_scenario_text,
)
from netweather.errors import UsageError
from netweather.units import Duration

TEXT = """
apiVersion: netweather.dev/v1alpha1
kind: Scenario
metadata: {name: bad-evening}
spec:
  targets: [docker:shop]
  repeat: 2
  steps:
  - {at: 0s, condition: {profile: 4g}}
  - {at: 30s, for: 10s, name: burst, ports: [80], condition: {loss: 5%}}
  - {at: 60s, for: 20s, partition: [[docker:a, docker:m], [docker:m, docker:b]], oneWay: true}
  - {at: 90s, for: 4s, condition: {block: drop}, flap: {on: 1s, off: 1s}}
  - {at: 100s, for: 3s, condition: {rtt: 20ms}, ramp: {to: {delay: 110ms}}}
"""
OWN = "home: {title: at home, source: measured, down: {rate: 50mbit}, up: {rate: 10mbit}}\n"
MS = 10**6


def test_yaml_and_json_and_back() -> None:
    scenario = load_scenario_text(TEXT)
    assert (scenario.name, scenario.repeat, len(scenario.steps)) == ("bad-evening", 2, 5)
    burst, parted, flapping, ramp = scenario.steps[1:]
    assert (burst.duration, burst.match) == (Duration(10 * 10**9), Match(ports=(PortRange(80, 80),)))
    assert (parted.partition, parted.one_way) == ((("docker:a", "docker:m"), ("docker:m", "docker:b")), True)
    assert flapping.flap == Flap(Duration(10**9), Duration(10**9))
    assert ramp.condition == Condition(delay=Delay(Duration(10 * MS)))
    assert ramp.ramp == Ramp(Condition(delay=Delay(Duration(110 * MS))))
    document = dump_scenario(scenario)
    assert load_scenario(document) == scenario
    import json

    assert load_scenario_json(json.dumps(document)) == scenario


def test_the_envelope_may_be_left_out() -> None:
    short = load_scenario_text("{name: x, steps: [{at: 0s, for: 1s, targets: [netns:a], condition: {delay: 1ms}}]}")
    assert short == Scenario(
        "x", steps=(Step(Duration(0), Duration(10**9), targets=("netns:a",), condition=Condition(delay=Delay(Duration(MS)))),)
    )


def test_the_schema_takes_what_is_dumped_and_no_other_key() -> None:
    document, schema = dump_scenario(load_scenario_text(TEXT)), document_schema(Scenario, "Scenario")
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document, schema)
    assert schema["title"] == "Scenario"
    for place in (document["spec"], document["spec"]["steps"][0], document):
        place["other"] = 1
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(document, schema)
        del place["other"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[]", "bad-type"),
        ("{kind: Scenario, spec: {steps: []}}", "missing-key"),
        ("{kind: NetworkCondition, spec: {}}", "unknown-kind"),
        ("{steps: [{at: 0s, fro: 1s}]}", "unknown-key"),
        ("{steps: [{for: 1s}]}", "missing-key"),
        ("{steps: [{at: 10}]}", "bad-duration"),
        ("{steps: [{at: 0s}], repeat: 0}", "out-of-range"),
        ("{kind: Scenario, spec: {steps: [{at: 0s}]}, sepc: {}}", "unknown-key"),
        ("{kind: Scenario, metadata: {label: {}}, spec: {}}", "unknown-key"),
        ("{a: 1}\n---\n{b: 2}", "bad-yaml"),
    ],
)
def test_what_is_no_scenario(text: str, code: str) -> None:
    with pytest.raises(UsageError) as wrong:
        load_scenario_text(text)
    assert wrong.value.code == code, wrong.value


def test_own_profiles_and_files_are_put_in(tmp_path: Path) -> None:
    trace = tmp_path / "a.trace"
    trace.write_text("1\n2\n5\n")
    (tmp_path / "home.yaml").write_text(OWN)
    own = own_profiles([tmp_path / "home.yaml"])
    steps = (
        Step(Duration(0), name="slow", condition=Condition(profile="home")),
        Step(Duration(1), condition=Condition(trace=str(trace))),
    )
    up, down, traced = embedded_scenario(Scenario(steps=steps), own).steps
    assert [(each.name, each.match.direction) for each in (up, down)] == [("slow-1", "egress"), ("slow-2", "ingress")]
    assert traced.condition is not None
    assert str(trace) not in str(traced.condition.trace)
