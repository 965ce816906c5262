"""One reader for all documents: the same is refused everywhere, and what a text costs grows with its length and no faster."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest

from netweather.conditions import load, load_json
from netweather.conditions.language.documents import (
    API_VERSION,
    MOST_CHARACTERS,
    MOST_DEPTH,
    MOST_VALUES,
    fields_of,
    items_of,
    opened,
    parse,
    parse_json,
    parse_one,
    parse_yaml,
    without_repeats,
)
from netweather.conditions.profiles import load_profiles
from netweather.conditions.scenario import load_scenario, load_scenario_json, load_scenario_text
from netweather.errors import UsageError
from netweather.testing.labs.lab_spec import load_lab

READERS: dict[str, Callable[[str], object]] = {
    "condition": load_json,
    "scenario": load_scenario_json,
    "scenario file": load_scenario_text,
    "lab": load_lab,
    "profiles": load_profiles,
    "any": parse_yaml,
}


def refused(work: Callable[[], object]) -> UsageError:
    with pytest.raises(UsageError) as raised:
        work()
    return raised.value


LAUGHS = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12))]
)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('{"name": "a", "name": "b"}', "duplicate-key"),
        ('{"steps": [{"at": "0s", "at": "5s"}], "rules": [], "hosts": {}}', "duplicate-key"),
        ("[" * 100_000, "document-too-large"),
        ('{"a": ' * 2000 + "1" + "}" * 2000, "document-too-large"),
        ("[" * (MOST_DEPTH + 1) + "]" * (MOST_DEPTH + 1), "document-too-large"),
        ("[" + " " * MOST_CHARACTERS + "]", "document-too-large"),
        ('{"name": "\\ud800"}', "bad-"),
        ('{"\\udfff": 1}', "bad-"),
    ],
    ids=range(8),
)
def test_every_reader_refuses_the_same(reader: str, text: str, code: str) -> None:
    error = refused(lambda: READERS[reader](text))
    assert error.code.startswith(code)
    assert len(str(error)) < 600


@pytest.mark.parametrize("reader", ["scenario file", "lab", "profiles", "any"])
def test_aliases_that_multiply_are_refused(reader: str) -> None:
    assert refused(lambda: READERS[reader](LAUGHS)).code == "document-too-large"
    deep = "a0: &a0 [x]\n" + "\n".join(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 100))
    assert refused(lambda: READERS[reader](deep)).code == "document-too-large"


def test_limits_let_through_what_is_just_below() -> None:
    deep = "[" * MOST_DEPTH + "]" * MOST_DEPTH
    assert parse_json(deep) == parse_yaml(deep)[0]
    assert len(parse_json(f"[{','.join(['1'] * (MOST_VALUES - 1))}]")) == MOST_VALUES - 1
    assert refused(lambda: parse_json(f"[{','.join(['1'] * MOST_VALUES)}]")).code == "document-too-large"


def test_json_is_read_as_such_and_else_as_yaml() -> None:
    assert parse('{"a": 1, "b": 1.5}') == [{"a": 1, "b": "1.5"}]
    assert parse("{a: 1}") == [{"a": 1}]
    assert parse("a: 1\n---\n---\nb: 2") == [{"a": 1}, {"b": 2}]
    assert parse('\ufeff{"a": 1}') == parse("\ufeffa: 1") == [{"a": 1}]
    assert parse('{"a": 1.5}', floats=float) == [{"a": 1.5}]
    assert refused(lambda: parse("a: 1", surely_json=True)).code == "bad-json"
    assert refused(lambda: parse_one("a: 1\n---\nb: 2", "a lab", "bad-lab")).code == "bad-lab"
    assert refused(lambda: parse_json('{"a": Infinity}')).code == "bad-json"
    assert refused(lambda: parse_json('{"a": ' + "9" * 5000 + "}")).code == "bad-json"


SPECS: dict[str, tuple[Callable[[object], Any], dict[str, Any]]] = {
    "NetworkCondition": (load, {"rules": [{"condition": {"delay": "1ms"}}]}),
    "Scenario": (load_scenario, {"targets": ["netns:a"], "steps": [{"at": "0s", "condition": {"delay": "1ms"}}]}),
}


@pytest.mark.parametrize("kind", SPECS)
def test_every_kind_has_the_same_envelope(kind: str) -> None:
    load_one, spec = SPECS[kind]
    metadata = {"name": "a", "labels": {"x": "y"}, "annotations": {}, "uid": "1"}
    whole = {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec, "status": {"any": "thing"}}
    assert load_one(whole) == load_one({"name": "a", **spec, "status": {"any": "thing"}})
    assert load_one(whole).name == "a"
    for changed, code in (
        ({"kind": "Pod"}, "unknown-kind"),
        ({"apiVersion": "v2"}, "unknown-version"),
        ({"metadata": {"nam": "a"}}, "unknown-key"),
        ({"spec": {"name": "a", **spec}}, "unknown-key"),
        ({"spec": [spec]}, "bad-type"),
        ({"more": 1}, "unknown-key"),
    ):
        assert refused(lambda changed=changed: load_one({**whole, **changed})).code == code  # type: ignore[misc]


def test_what_a_server_says_of_an_object_may_be_new() -> None:
    found = {"metadata": {"name": "a", "newest": 1}, "spec": None}
    assert opened(found, "NetworkCondition", of_server=True).spec == {}
    assert refused(lambda: opened(found, "NetworkCondition")).code == "unknown-key"
    assert refused(lambda: fields_of("text", "Scenario", "a scenario")).code == "bad-type"
    assert list(items_of({"kind": "List", "items": [1, 2]})) == list(items_of([1, 2])) == [1, 2]


class Counted(str):
    """A key that counts how often it is looked up."""

    looks = 0

    def __hash__(self) -> int:
        Counted.looks += 1
        return super().__hash__()

    __eq__ = str.__eq__


@pytest.mark.parametrize("count", [10, 1000])
def test_each_key_is_looked_up_at_most_twice(count: int) -> None:
    """It was once for each key before it: 209 kB took 104 s."""
    pairs: list[tuple[str, Any]] = [(Counted(f"k{number}"), number) for number in range(count)]
    Counted.looks = 0
    assert refused(lambda: without_repeats([*pairs, pairs[-1]])).code == "duplicate-key"
    assert Counted.looks <= 2 * (count + 1)


def calls(work: Callable[[], object]) -> int:
    """How many functions are called."""
    count = 0

    def seen(*_: object) -> None:
        nonlocal count
        count += 1

    sys.setprofile(seen)
    try:
        work()
    except UsageError:
        pass
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize(
    "make",
    [
        lambda count: json.dumps({f"k{number}": number for number in range(count)}),
        lambda count: "\n".join(f"k{number}: {number}" for number in range(count)) + "\nk0: 1",
        lambda count: "\n".join(f"k{number}: &a{number} [x]" for number in range(count)),
        lambda count: "a: &a [x]\nb: [" + ", ".join(["*a"] * count) + "]",
        lambda count: "a: '" + "\n\n" * count + "'",
        lambda count: "---\n" * count,
        lambda count: "[" * count,
        lambda count: "{" * count,
        lambda count: "? " * count,
        lambda count: "- " * count,
    ],
    ids=["json", "duplicate", "anchors", "aliases", "lines", "documents", "lists", "mappings", "keys", "dashes"],
)
def test_what_a_text_costs_grows_with_its_length(make: Callable[[int], str]) -> None:
    short, long = (calls(lambda count=count: parse_yaml(make(count))) for count in (100, 400))  # type: ignore[misc]
    assert long < 6 * short, "four times the text"
