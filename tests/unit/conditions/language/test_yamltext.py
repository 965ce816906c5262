from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netweather.conditions.language.documents import parse_yaml
from netweather.conditions.language.yamltext import dump_yaml_text
from netweather.errors import UsageError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("no", "no"),
        ("Yes", "Yes"),
        ("10:20", "10:20"),
        ("190:20:30", "190:20:30"),
        ("022", "022"),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("1.5", "1.5"),
        ("1e3", "1e3"),
        (".inf", ".inf"),
        ("2026-01-01", "2026-01-01"),
        ("=", "="),
        ("true", True),
        ("false", False),
        ("True", "True"),
        ("22", 22),
        ("-1", -1),
        ("0", 0),
        ("null", None),
        ("~", None),
        ("", None),
        ("'22'", "22"),
        ("6000-6010", "6000-6010"),
        ("25%", "25%"),
    ],
)
def test_plain_words_are_read_by_yaml_1_2(text: str, value: Any) -> None:
    assert parse_yaml(f"key: {text}") == [{"key": value}]


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("a: 1\nb: 2\na: 3", "duplicate-key", "line 3: the key 'a' appears twice"),
        ("x:\n  a: 1\n  a: 1", "duplicate-key", "line 3"),
        ("a: [1", "bad-yaml", "line"),
        ("a: !!python/object:os.system x", "bad-yaml", "python"),
        ("1: a", "bad-yaml", "line 1: a key is not a text"),
        ("? [a]\n: b", "bad-yaml", "line 1"),
        ("a: &x [*x]", "bad-yaml", "recursive"),
        ("a: *x", "bad-yaml", "undefined alias"),
        ("\x00", "bad-yaml", ""),
        ("[" * 3000, "document-too-large", "line 1: the document is nested deeper"),
        ("a: !!int x", "bad-yaml", "line 1"),
        ("a: !!bool maybe", "bad-yaml", "line 1"),
        ("a: !!float 1x", "bad-yaml", "line 1"),
        ("a: !!timestamp 2026-99-99", "bad-yaml", "timestamp"),
        ("a: !!binary '*'", "bad-yaml", "binary"),
        ("a: !!set {b, c}", "bad-yaml", "set"),
        ('a: "\\U00110000"', "bad-yaml", ""),
        ('a: "\\ud800"', "bad-yaml", "surrogate"),
        ("a: &x {b: 1}\nc: {<<: *x}", "bad-yaml", "line 2: merge keys"),
    ],
)
def test_wrong_texts(text: str, code: str, says: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_yaml(text)
    assert raised.value.code == code
    assert says in str(raised.value)


def test_numbers_with_a_point_are_made_of_their_text() -> None:
    text = "[1.5, -.5, 1e3, 2., 1, 022, 1_0.5, .inf, '1.5']"
    assert parse_yaml(text) == [["1.5", "-.5", "1e3", "2.", 1, "022", "1_0.5", ".inf", "1.5"]]
    assert parse_yaml(text, floats=float) == [[1.5, -0.5, 1000.0, 2.0, 1, "022", "1_0.5", ".inf", "1.5"]]


def test_documents() -> None:
    assert parse_yaml("a: 1\n---\n---\nb: 2\n") == [{"a": 1}, {"b": 2}]
    assert parse_yaml("") == []


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.text(st.characters(exclude_categories=("C", "Z")), max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abcxyz<=~", min_size=1, max_size=4), inner, max_size=3),
    max_leaves=10,
)


@given(st.lists(plain.filter(lambda value: value is not None), max_size=3))
def test_what_is_written_is_read_back(documents: list[Any]) -> None:
    assert parse_yaml(dump_yaml_text(documents)) == documents


def test_the_same_object_twice_is_written_twice() -> None:
    shared = {"a": [1]}
    assert "&" not in dump_yaml_text([{"x": shared, "y": shared}])


@given(st.text(max_size=60))
def test_any_text_is_read_or_is_a_usage_error(text: str) -> None:
    with contextlib.suppress(UsageError):
        parse_yaml(text)
