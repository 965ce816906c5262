"""Plain English: words that readers misunderstand are counted, and their number can only shrink; messages are short."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from typing import Final

import pytest

from tests.support.repository import ROOT, below

WORDS: Final = {
    "tell": r"(?<!can't )(?<!cannot )\b(?:tells?|told)\b",
    "whose": r"(?:^|[:;,(] ?)whose\b",
    "meet": r"\b(?:meets?|met)\b",
    "has it": r"\bas [\w' -]+ has it\b|\bwho has it\b",
    "live through": r"\blived?s? through\b",
    "ask for": r"\basked for\b",
    "gone": r"\b(?:gone|went)\b",
    "so many": r"\bso (?:many|long)\b",
    "nobody": r"\b(?:some|any|no|every)body\b|\bwhoever\b",
    "is no error": r"\bis no error\b",
    "at once": r"\bat once\b",
    "all the same": r"\ball the same\b",
    "by itself": r"\bby itself\b",
    "besides": r"\bbesides\b",
    "looked over": r"\blook(?:s|ed)? (?:over|at)\b",
    "is none": r"\b(?:is|are) none\b",
    "as it is": r"\bas (?:it|they) (?:is|are|was|were)\b",
    "gives back": r"\b(?:gives? back|given back|takes? away|taken away)\b",
    "who asks": r"\bwho asks\b",
}
"""Words and idioms with two usual meanings, or that readers marked; the remedy is a plain word (say what happens, and who does it)."""
BUDGET: Final[dict[str, dict[str, int]]] = {
    "pages": {},
    "messages": {"looked over": 1},  # the title of a paper
    "docstrings": {
        "tell": 174, "whose": 26, "meet": 60, "has it": 12, "live through": 13, "ask for": 56, "gone": 58, "so many": 54,
        "nobody": 195, "is no error": 10, "at once": 25, "all the same": 4, "by itself": 16, "besides": 14, "looked over": 55,
        "is none": 48, "as it is": 85, "gives back": 10, "who asks": 12,
    },
}  # fmt: skip
"""How often each may still stand in the pages (README, docs, --help), the texts of the program, its docstrings. Only lower a number."""
LONGEST: Final = 130
"""Characters of one sentence of a message, without what it quotes."""
NOT_READ: Final = ("docs/decisions/", "docs/bench.md", "docs/reference/fidelity.md", "docs/architecture.md")


def pages() -> Iterator[str]:
    for path in (ROOT / "README.md", *below("docs", ".md")):
        if not str(path.relative_to(ROOT)).startswith(NOT_READ):
            yield re.sub(r"```(?!text).*?```|`[^`\n]*`", "", path.read_text(), flags=re.DOTALL)


@cache
def strings() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The texts of the source with several words, and its docstrings."""
    texts: list[str] = []
    docs: list[str] = []
    for path in below("src/netweather", ".py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
                docs.append(node.value.value)
                node.value.value = ""
            elif isinstance(node, ast.JoinedStr):
                texts.append("".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values))
                node.values = []
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
    return tuple(text for text in texts if len(text.split()) > 2), tuple(docs)


def found(kind: str) -> dict[str, int]:
    texts = pages() if kind == "pages" else strings()[kind == "docstrings"]
    whole = "\n".join(" ".join(text.split()) for text in texts)
    counts = {word: len(re.findall(pattern, whole, re.IGNORECASE)) for word, pattern in WORDS.items()}
    return {word: count for word, count in counts.items() if count}


@pytest.mark.parametrize("kind", BUDGET)
def test_words_that_mislead_only_become_fewer(kind: str) -> None:
    counts = found(kind)
    more = {word: count for word, count in counts.items() if count > BUDGET[kind].get(word, 0)}
    assert more == {}, f"write these in plain words (allowed: {BUDGET[kind]})"
    fewer = {word: counts.get(word, 0) for word, most in BUDGET[kind].items() if counts.get(word, 0) < 0.9 * most - 3}
    assert fewer == {}, "well done: lower BUDGET to these"


def test_sentences_of_messages_are_short() -> None:
    texts = [text for text in strings()[0] if not re.search(r"[\n<]|\w:\d:", text)]  # neither code nor markup
    sentences = [sentence for text in texts for sentence in re.split(r"(?<=[.;:]) ", text)]
    assert [sentence for sentence in sentences if len(sentence) > LONGEST] == []
