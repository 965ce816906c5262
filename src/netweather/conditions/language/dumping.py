"""Network conditions to plain data, JSON and YAML, in the long form: load(dump(x)) == x."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from netweather.conditions.language.codec import write
from netweather.conditions.language.loading import API_VERSION, KIND
from netweather.conditions.model import Condition, NetworkCondition, Rule


def dump(condition: NetworkCondition) -> dict[str, Any]:
    """The long form as plain data (dict, list, str, int, bool); a status can be added by its key."""
    spec = write(condition)
    metadata = {"name": spec.pop("name", condition.name)}
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec}


def dump_condition(condition: Condition) -> dict[str, Any]:
    """The long form of a condition alone."""
    plain: dict[str, Any] = write(condition)
    return plain


def dump_rule(rule: Rule) -> dict[str, Any]:
    """The long form of one rule."""
    plain: dict[str, Any] = write(rule)
    return plain


def dump_json(conditions: Iterable[NetworkCondition]) -> str:
    """A JSON list of long forms."""
    return json.dumps([dump(condition) for condition in conditions], indent=2, ensure_ascii=False)


def dump_yaml(conditions: Iterable[NetworkCondition]) -> str:
    """YAML documents of long forms."""
    from netweather.conditions.language.yamltext import dump_yaml_text

    return dump_yaml_text([dump(condition) for condition in conditions])


__all__ = ["dump", "dump_condition", "dump_json", "dump_rule", "dump_yaml"]
