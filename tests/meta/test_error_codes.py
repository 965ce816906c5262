"""docs/errors.md has a heading for every code that the source can raise, and for no other."""

from __future__ import annotations

import ast
import re

from tests.support.repository import ROOT, below

PAGE = ROOT / "docs" / "errors.md"
CLASSES = frozenset({"NetweatherError", "UsageError"})
COMPUTED = frozenset({"unknown-version", "unknown-kind", "too-many-rules", "too-many-lines", "too-many-conditions"})
"""Codes that are put together where they are raised (conditions.language.loading, planning.rules)."""
COMPUTED |= {f"{engine}-{kind}" for engine in ("docker", "podman") for kind in ("unreachable", "failed", "host-unsupported")}
"""Of targets.runtimes._dockerapi, whose engine is Docker or Podman."""
CODE = re.compile(r"[a-z]+(-[a-z0-9]+)*")


def trees() -> list[ast.Module]:
    return [ast.parse(path.read_text()) for path in below("src/netweather", ".py")]


def makers(modules: list[ast.Module]) -> set[str]:
    """Functions whose first parameter is `code`: they make errors, or hand the code on."""
    found = set(CLASSES)
    for node in (node for tree in modules for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        parameters = [parameter.arg for parameter in node.args.args if parameter.arg not in ("self", "cls")]
        if parameters[:1] == ["code"] and node.name != "__init__":
            found.add(node.name)
    return found


def codes() -> set[str]:
    modules = trees()
    names = makers(modules)
    found = set(COMPUTED)
    for node in (node for tree in modules for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = getattr(node.func, "id", None) or getattr(node.func, "attr", "")
        first = node.args[0] if node.args else None
        if name not in names or not isinstance(first, ast.Constant) or not isinstance(first.value, str):
            continue
        # Helpers of other kinds have a `code` too (struct's); codes of ours that are handed on have a hyphen.
        if CODE.fullmatch(first.value) and (name in CLASSES or "-" in first.value):
            found.add(first.value)
    return found


def sections() -> dict[str, str]:
    parts = re.split(r"^### (\S+)\n", PAGE.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_code_has_a_heading() -> None:
    raised, told = codes(), set(sections())
    assert raised - told == set(), "add these to docs/errors.md"
    assert told - raised == set(), "nothing raises these any more: take them out of docs/errors.md"


def test_every_heading_says_what_why_and_remedy() -> None:
    for code, text in sections().items():
        for word in ("What", "Why", "Remedy"):
            assert re.search(rf"^- {word}: \w", text, re.MULTILINE) or re.search(rf"^- {word}: [`/]", text, re.MULTILINE), (
                code,
                word,
            )


def test_headings_stand_once() -> None:
    headings = re.findall(r"^### (\S+)$", PAGE.read_text(), flags=re.MULTILINE)
    assert len(headings) == len(set(headings))
