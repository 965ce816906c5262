"""One schema, four spellings: Python, plain data, JSON, YAML and flags say the same."""

from __future__ import annotations

import dataclasses

from hypothesis import example, given, settings

from netweather.conditions import (
    Condition,
    Delay,
    NetworkCondition,
    Reorder,
    Rule,
    dump,
    dump_condition,
    dump_json,
    dump_rule,
    dump_yaml,
    load,
    load_condition,
    load_json,
    load_rule,
    load_yaml,
    network_condition_from_flags,
    network_condition_to_flags,
    rule_from_flags,
    rule_to_flags,
)
from netweather.units import Duration, Percent
from tests.unit.conditions import strategies


@given(strategies.network_conditions)
def test_plain_data_says_the_same(condition: NetworkCondition) -> None:
    assert load(dump(condition)) == condition


@given(strategies.network_conditions)
def test_json_and_yaml_say_the_same(condition: NetworkCondition) -> None:
    assert load_json(dump_json([condition])) == (condition,)
    assert load_yaml(dump_yaml([condition])) == (condition,)
    assert load_yaml(dump_json([condition])) == (condition,), "JSON is YAML"


@given(strategies.network_conditions, strategies.network_conditions)
@settings(max_examples=20)
def test_several_in_one_text(one: NetworkCondition, other: NetworkCondition) -> None:
    assert load_yaml(dump_yaml([one, other])) == (one, other)
    assert load_json(dump_json([one, other])) == (one, other)


@given(strategies.rules)
@example(Rule(condition=Condition(delay=Delay(Duration(0)), reorder=Reorder())))
@example(Rule(condition=Condition(delay=Delay(Duration(0)), reorder=Reorder(correlation=Percent(1)))))
def test_flags_say_the_same(rule: Rule) -> None:
    assert rule_from_flags(rule_to_flags(rule)) == rule
    assert load_rule(dump_rule(rule)) == rule


@given(strategies.network_conditions, strategies.rules)
def test_flags_of_a_whole_say_the_same(condition: NetworkCondition, rule: Rule) -> None:
    condition = dataclasses.replace(condition, rules=(rule,))
    flags = network_condition_to_flags(condition)
    assert network_condition_from_flags(flags, condition.targets, condition.owner) == condition


@given(strategies.conditions)
def test_a_condition_alone_says_the_same(condition: Condition) -> None:
    assert load_condition(dump_condition(condition)) == condition
