"""The TypeScript types of the API are what would be written now."""

from __future__ import annotations

import re

import pytest

from tools import gen_types


def test_the_page_is_current() -> None:
    assert gen_types.PAGE.read_text() == gen_types.page(gen_types.api()), (
        f"run `{gen_types.COMMAND}` (in .venv), and look at what changed"
    )
    assert gen_types.main(["--check"]) == 0


def test_each_type_that_is_used_is_there() -> None:
    text = gen_types.page(gen_types.api())
    made = set(re.findall(r"^export (?:type|interface) (\w+)", text, re.MULTILINE))
    used = set(re.findall(r"(?<=[:|] )[A-Z]\w+", re.sub(r"/\*\*.*?\*/|\"[^\"]*\"", "", text)))
    assert used - made - {"Record"} == set()
    assert {"NetworkCondition", "ShownCondition", "Evidence", "Event", "Operations"} <= made


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"$ref": "#/components/schemas/Rule"}, "Rule"),
        ({"const": "v1"}, '"v1"'),
        ({"type": "string", "enum": ["a", "b"]}, '"a" | "b"'),
        ({"type": "array", "items": {"anyOf": [{"type": "integer"}, {"type": "null"}]}}, "(number | null)[]"),
        ({"type": "object", "additionalProperties": {"type": "boolean"}}, "Record<string, boolean>"),
        ({"type": "object"}, "Record<string, unknown>"),
        ({"properties": {"a": {"type": "string"}, "b": {}}, "required": ["b"]}, "{\n  a?: string;\n  b: unknown;\n}"),
        ({"properties": {"a": {"type": "null", "description": "x */"}}}, "{\n  /** x * / */\n  a?: null;\n}"),
    ],
)  # fmt: skip
def test_types_in_typescript(schema: dict[str, object], words: str) -> None:
    assert gen_types.type_of(schema) == words
