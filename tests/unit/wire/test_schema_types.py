"""Types that write, read and describe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from netweather.wire.schema_types import (
    MICROSECONDS,
    TEXT,
    WHOLE,
    Deferred,
    ListOf,
    MapOf,
    Named,
    Nullable,
    ObjectType,
    Property,
    WireType,
    choice,
    computed,
    group,
    items,
    of,
    scaled,
)  # fmt: skip


@dataclass(frozen=True)
class Inner:
    port: int


@dataclass(frozen=True)
class Outer:
    name: str
    rtt: float | None
    port: int = 0
    labels: tuple[str, ...] = ()

    @property
    def inner(self) -> Inner:
        return Inner(self.port)


OUTER = ObjectType(
    "Outer",
    "What it is.",
    Outer,
    {
        "name": of("name", TEXT, "its name"),
        "rtt": group({"now": of("rtt", Nullable(MICROSECONDS))}),
        "port": of("inner.port", WHOLE),
        "labels": of("labels", ListOf(TEXT), default=()),
        "upper": computed(TEXT, lambda outer: outer.name.upper()),
    },
)


def test_an_object() -> None:
    plain = {"name": "a", "rtt": {"now": 0.25}, "port": 7, "labels": ["x"], "upper": "A"}
    assert OUTER.write(Outer("a", 250_000.0, 7, ("x",))) == plain
    assert OUTER.read(plain) == Outer("a", 250_000.0, 7, ("x",))
    without = {"name": "a", "rtt": {"now": None}, "port": 0, "upper": "A"}
    assert OUTER.write(Outer("a", None)) == without
    assert OUTER.read({**without, "later": 1}) == Outer("a", None)


@pytest.mark.parametrize("plain", [None, [], "x", {}, {"name": "a"}, {"name": "a", "port": 1, "rtt": None}])
def test_what_is_none_of_it(plain: Any) -> None:
    with pytest.raises((KeyError, TypeError, ValueError, AttributeError)):
        OUTER.read(plain)


def test_a_named_object_is_a_component() -> None:
    components: dict[str, Any] = {}
    assert items(OUTER, "", "").schema(components)["properties"]["items"]["items"] == {"$ref": "#/components/schemas/Outer"}
    assert list(components) == ["Outer"]
    outer = components["Outer"]
    assert outer["required"] == ["name", "rtt", "port", "upper"]
    assert outer["properties"]["name"] == {"type": "string", "description": "its name"}
    assert outer["properties"]["rtt"]["properties"]["now"]["anyOf"] == [{"type": "number"}, {"type": "null"}]


def test_an_object_that_contains_itself() -> None:
    tree: ObjectType[Any] = ObjectType(
        "Tree", "", dict, {"below": Property(ListOf(Deferred(lambda: tree)), lambda value: value, None)}
    )
    components: dict[str, Any] = {}
    tree.schema(components)
    assert components["Tree"]["properties"]["below"]["items"] == {"$ref": "#/components/schemas/Tree"}
    assert tree.write([[], [[]]]) == {"below": [{"below": []}, {"below": [{"below": []}]}]}


@pytest.mark.parametrize(
    ("what", "value", "plain"),
    [
        (MapOf(ListOf(WHOLE)), {"a": (1, 2)}, {"a": [1, 2]}),
        (Nullable(TEXT), None, None),
        (choice("a", "b"), "a", "a"),
        (scaled(1e6, whole=True), 123, 0.000123),  # times a million that is no whole number
        (Named("X", {"type": "string"}), "x", "x"),
        (Deferred(lambda: WHOLE), 3, 3),
        (items(WHOLE, "", ""), [1], {"items": [1]}),
    ],
)
def test_values_and_back(what: WireType, value: Any, plain: Any) -> None:
    assert what.write(value) == plain
    assert what.read(plain) == value
