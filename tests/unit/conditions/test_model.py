from __future__ import annotations

import dataclasses

import pytest

from netweather.conditions import FOREVER, Condition, Delay, NetworkCondition, Rule
from netweather.units import Duration


def test_no_condition_is_a_value() -> None:
    assert Condition() == Condition()
    assert Rule().condition == Condition()
    assert all(getattr(Condition(), field.name) in (None, False) for field in dataclasses.fields(Condition))


def test_no_delay_and_a_delay_of_zero_are_two_things() -> None:
    assert Condition(delay=Delay(Duration(0))) != Condition()


def test_everything_is_frozen_and_can_be_a_key() -> None:
    rule = Rule(condition=Condition(delay=Delay(Duration(1))))
    assert len({rule, Rule(condition=Condition(delay=Delay(Duration(1))))}) == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        rule.priority = 1  # type: ignore[misc]
    with pytest.raises((AttributeError, TypeError)):
        rule.colour = "red"  # type: ignore[attr-defined]


def test_the_lease_is_ten_minutes_and_never_forever_by_default() -> None:
    assert NetworkCondition().lease == Duration.parse("10m")
    assert str(FOREVER) == "forever"


def test_a_table_is_told_from_a_name() -> None:
    assert Delay(Duration(1), distribution="normal").table is None
    assert Delay(Duration(1), distribution="./mine.dist").table == "./mine.dist"
