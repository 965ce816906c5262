"""YAML, JSON and plain data, in the long form or the short ones, to validated network conditions.

    apiVersion: netweather.dev/v1alpha1
    kind: NetworkCondition
    metadata: {name: slow-database}
    spec: {targets: [docker:shop-api], rules: [{ports: 5432, condition: {delay: 100ms, loss: 1%}}]}
Short: the envelope may be left out, with `name` and the fields of spec at the top. `status` is taken and forgotten.
One that fails: `delay: 100` (bad-duration: write 100ms). YAML is read as YAML 1.2 (`on`, `no` and `10:20` are texts), and a
key that stands twice is an error, as is one that is not known. Texts and envelopes: `documents`.
"""

from __future__ import annotations

from typing import Final

from netweather.conditions.language.codec import read
from netweather.conditions.language.documents import API_VERSION, fields_of, items_of, parse_json, parse_yaml
from netweather.conditions.model import Condition, NetworkCondition, Rule
from netweather.conditions.validation import refuse_many, validate

KIND: Final = "NetworkCondition"


def load(data: object) -> NetworkCondition:
    """One network condition from plain data (dict, list, str, int, bool). Raises UsageError."""
    plain = fields_of(data, KIND, "a network condition")
    refuse_many(plain)
    loaded: NetworkCondition = read(NetworkCondition, plain, "")
    return validate(loaded)


def load_condition(data: object) -> Condition:
    """The condition alone, such as {"delay": "100ms", "loss": "1%"}; not yet validated. Raises UsageError."""
    loaded: Condition = read(Condition, data, "condition")
    return loaded


def load_rule(data: object) -> Rule:
    """One rule alone, such as {"ports": [22], "condition": {"delay": "100ms"}}; not yet validated. Raises UsageError."""
    loaded: Rule = read(Rule, data, "rule")
    return loaded


def load_yaml(text: str) -> tuple[NetworkCondition, ...]:
    """All network conditions of a YAML text: several documents, a list, or a Kubernetes List. Raises UsageError."""
    return tuple(load(item) for document in parse_yaml(text) for item in items_of(document))


def load_json(text: str) -> tuple[NetworkCondition, ...]:
    """All network conditions of a JSON text (an object or a list of them). Raises UsageError."""
    return tuple(load(item) for item in items_of(parse_json(text)))


__all__ = ["API_VERSION", "KIND", "load", "load_condition", "load_json", "load_rule", "load_yaml"]
