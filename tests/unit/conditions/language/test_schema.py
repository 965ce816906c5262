from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netweather.conditions import (
    NetworkCondition,
    builtin_profiles,
    dump,
    json_schema,
    kubernetes_schema,
    load,
)
from netweather.conditions.language.codec import write
from tests.unit.conditions import strategies

jsonschema = pytest.importorskip("jsonschema", reason="jsonschema (extra dev) is not installed")


def valid(data: Any) -> bool:
    return bool(jsonschema.Draft202012Validator(json_schema()).is_valid(data))


def long(**condition: Any) -> dict[str, Any]:
    return {
        "apiVersion": "netweather.dev/v1alpha1",
        "kind": "NetworkCondition",
        "metadata": {"name": "x"},
        "spec": {"rules": [{"condition": condition}]},
    }


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())
    json.dumps(json_schema())


@given(strategies.network_conditions)
def test_every_long_form_is_valid(condition: NetworkCondition) -> None:
    assert valid(dump(condition))


@pytest.mark.parametrize("name", sorted(builtin_profiles()))
def test_every_profile_is_valid(name: str) -> None:
    assert valid(long(**write(builtin_profiles()[name].up)))


@pytest.mark.parametrize(
    "data",
    [
        {},
        {**long(), "kind": "Pod"},
        {**long(), "extra": 1},
        {**long(), "metadata": {"name": "Not A Name"}},
        long(dealy={"time": "1ms"}),
        long(delay={"jitter": "1ms"}),
        long(delay={"time": "1"}),
        long(delay={"time": 1}),
        long(loss={"percent": "1%"}),
        long(loss={"model": "random", "percent": "101%"}),
        long(loss={"model": "random", "percent": "3"}),
        long(loss={"model": "every", "n": 0}),
        long(loss={"model": "every", "n": 3, "percent": "1%"}),
        long(loss={"model": "gemodel", "p": "1%"}),
        long(rate={"bitrate": "10mbps"}),
        long(block="deny"),
        long(mtu=67),
        long(ecn="on"),
    ],
)
def test_what_the_loaders_refuse_is_not_valid(data: dict[str, Any]) -> None:
    assert not valid(data)


@given(
    st.sampled_from(["time", "percent", "bitrate"]),
    st.text(max_size=8) | st.from_regex(r"[0-9.]{1,4}[a-z%]{0,4}", fullmatch=True),
)
def test_a_text_the_schema_takes_the_loaders_take(which: str, text: str) -> None:
    place = {"time": "delay", "percent": "duplicate", "bitrate": "rate"}[which]
    if valid(long(**{place: {which: text}})):
        load(long(**{place: {which: text}}))


def test_descriptions_and_defaults_come_from_the_declarations() -> None:
    condition = json_schema()["properties"]["spec"]["properties"]["rules"]["items"]["properties"]["condition"]["properties"]
    assert condition["delay"]["properties"]["time"]["description"] == "added delay of each packet (time)"
    assert condition["delay"]["properties"]["jitter"]["default"] == "0s"
    assert condition["block"]["enum"] == ["drop", "reject"]
    assert condition["mtu"]["minimum"] == 68


def nodes(schema: Any) -> list[dict[str, Any]]:
    if isinstance(schema, list):
        return [node for item in schema for node in nodes(item)]
    if not isinstance(schema, dict):
        return []
    return [schema, *(node for item in schema.values() for node in nodes(item))]


def test_the_kubernetes_form_is_structural() -> None:
    """No keyword that structural schemas forbid; every property has a type, or is an int or a string."""
    for node in nodes(kubernetes_schema()):
        assert not {"additionalProperties", "oneOf", "not", "const", "$ref", "$schema", "$defs"} & set(node)
        if isinstance(properties := node.get("properties"), dict) and node.get("type") == "object":
            for key, schema in properties.items():
                assert "type" in schema or schema.get("x-kubernetes-int-or-string"), key
        if node.get("type") == "array":
            assert "items" in node
        assert abs(node["maximum"]) < 2**53 if isinstance(node.get("maximum"), int) else True
