from __future__ import annotations

import pytest

from netweather.conditions import (
    LOSS_MODELS,
    Condition,
    Corrupt,
    Delay,
    Duplicate,
    Match,
    NetworkCondition,
    RateLimit,
    Reorder,
    Rule,
    Slot,
)
from netweather.conditions.declare import camel, declared_field, declared_fields, is_declared
from netweather.units import Duration

CLASSES = (NetworkCondition, Rule, Match, Condition, Delay, Duplicate, Corrupt, Reorder, RateLimit, Slot, *LOSS_MODELS.values())


def test_names_in_yaml() -> None:
    assert camel("loss_in_bad") == "lossInBad"
    assert camel("delay") == "delay"


@pytest.mark.parametrize("cls", CLASSES)
def test_every_field_says_what_it_means(cls: type) -> None:
    assert is_declared(cls)
    for field in declared_fields(cls):
        assert field.about.doc, field
        assert not field.about.doc.endswith("."), field
        assert field.about.doc.isprintable()
        assert field.about.example or field.about.flat or field.attribute in ("rules", "condition"), field


def test_required_fields_are_known() -> None:
    assert [field.key for field in declared_fields(Delay) if field.required] == ["time"]
    assert declared_field(Delay, "keep_order").key == "keepOrder"
    with pytest.raises(KeyError, match="no field"):
        declared_field(Delay, "nonsense")


def test_values_are_not_declared() -> None:
    assert not is_declared(Duration)
    assert not is_declared(int)
    assert not is_declared("text")
