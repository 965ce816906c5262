"""YAML, JSON and plain data, in the long form or the short ones, to validated network conditions.

    apiVersion: netweather.dev/v1alpha1
    kind: NetworkCondition
    metadata: {name: slow-database}
    spec: {targets: [docker:shop-api], rules: [{ports: 5432, condition: {delay: 100ms, loss: 1%}}]}
Short: the envelope may be left out, with `name` and the fields of spec at the top. `status` is taken and forgotten.
One that fails: `delay: 100` (bad-duration: write 100ms). YAML is read as YAML 1.2 (`on`, `no` and `10:20` are texts), and a
key that stands twice is an error, as is one that is not known.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from netweather.conditions.codec import bad_type, read
from netweather.conditions.model import Condition, NetworkCondition, Rule
from netweather.conditions.nearest import unknown
from netweather.conditions.validation import validate
from netweather.errors import UsageError

API_VERSION: Final = "netweather.dev/v1alpha1"
KIND: Final = "NetworkCondition"
_TOP: Final = ("apiVersion", "kind", "metadata", "spec", "status")
_METADATA: Final = frozenset(
    {"name", "namespace", "labels", "annotations", "uid", "resourceVersion", "generation", "creationTimestamp", "finalizers"}
    | {"deletionTimestamp", "deletionGracePeriodSeconds", "ownerReferences", "managedFields", "generateName", "selfLink"}
)


def load(data: object) -> NetworkCondition:
    """One network condition from plain data (dict, list, str, int, bool). Raises UsageError."""
    if not isinstance(data, Mapping):
        raise bad_type(data, "a network condition", "the top", "start with apiVersion: " + API_VERSION)
    loaded: NetworkCondition = read(NetworkCondition, _without_envelope(data), "")
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
    from netweather.conditions.yamltext import parse_yaml

    return tuple(load(item) for document in parse_yaml(text) for item in _items(document))


def load_json(text: str) -> tuple[NetworkCondition, ...]:
    """All network conditions of a JSON text (an object or a list of them). Raises UsageError."""
    try:
        data = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=str)
    except (ValueError, RecursionError) as error:
        raise UsageError("bad-json", "the text is not JSON", str(error)[:200], "check it with a JSON parser") from error
    return tuple(load(item) for item in _items(data))


def _items(document: object) -> Iterable[object]:
    if isinstance(document, Mapping) and document.get("kind") == "List" and isinstance(document.get("items"), list):
        return list(document["items"])
    return document if isinstance(document, list) else [document]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    plain = dict(pairs)
    if len(plain) != len(pairs):
        twice = next(key for index, (key, _) in enumerate(pairs) if key in dict(pairs[:index]))
        raise UsageError("duplicate-key", f"the key {twice!r} stands twice", "only one can hold", "leave one out")
    return plain


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is not a number")


def _without_envelope(data: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of NetworkCondition, whether an envelope is around them or not."""
    if not any(key in data for key in ("apiVersion", "kind", "metadata", "spec")):
        return {key: value for key, value in data.items() if key != "status"}
    for key in data:
        if key not in _TOP:
            raise unknown("unknown-key", key, _TOP, "the top")
    for key, wanted in (("apiVersion", API_VERSION), ("kind", KIND)):
        if data.get(key, wanted) != wanted:
            why = f"this release reads {wanted}"
            raise UsageError(f"unknown-{key.removeprefix('api').lower()}", f"{key}: {data[key]!s:.60}", why, f"write {wanted}")
    spec = data.get("spec", {})
    if not isinstance(spec, Mapping):
        raise bad_type(spec, "a mapping", "spec")
    if "name" in spec:
        raise UsageError("unknown-key", "spec: 'name' is no known key", "", "the name belongs to metadata.name")
    return {**spec, **_name(data.get("metadata", {}))}


def _name(metadata: object) -> dict[str, Any]:
    if not isinstance(metadata, Mapping):
        raise bad_type(metadata, "a mapping", "metadata")
    for key in metadata:
        if key not in _METADATA:
            raise unknown("unknown-key", key, _METADATA, "metadata")
    return {"name": metadata["name"]} if "name" in metadata else {}


__all__ = ["API_VERSION", "KIND", "load", "load_condition", "load_json", "load_rule", "load_yaml"]
