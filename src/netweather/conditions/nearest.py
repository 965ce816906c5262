"""Errors for words that are not known, which name the nearest that is."""

from __future__ import annotations

from collections.abc import Iterable

from netweather.errors import UsageError


def unknown(code: str, word: object, known: Iterable[str], where: str = "") -> UsageError:
    """A UsageError for `word` that is none of `known`; `where` is the place that holds it."""
    from difflib import get_close_matches

    words = sorted(known)
    text = str(word)[:60]
    near = get_close_matches(text, words, 1, 0.5) or get_close_matches(text.lower(), words, 1, 0.5)
    noun = code.removeprefix("unknown-").replace("-", " ")
    place = f"{where}: " if where else ""
    remedy = f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(words)}"
    return UsageError(code, f"{place}{text!r} is not a known {noun}", f"known are {', '.join(words)}" if near else "", remedy)
