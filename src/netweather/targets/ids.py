"""Names and ids of containers: a name means the thing of exactly that name, and an id is written in full.

The beginning of an id is for people at a command line. It is completed there, once (`resolving.complete`), since whoever
follows a reference later would take every container whose id happens to begin so. Pure: nothing is looked up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from netweather.errors import NetweatherError

SHORTEST: Final = 12
"""Hex digits of an id that the command line completes: what `docker ps` prints."""
_ID: Final = re.compile(r"[0-9a-f]{64}")
_BEGINNING: Final = re.compile(rf"[0-9a-f]{{{SHORTEST},63}}")
_MOST: Final = 6


def is_id(word: str) -> bool:
    """Whether the word is an id in full. It is then never a name."""
    return _ID.fullmatch(word) is not None


def is_beginning(word: str) -> bool:
    """Whether the command line takes the word for the beginning of an id, when nothing has it as its name."""
    return _BEGINNING.fullmatch(word) is not None


def means(word: str, id: str, name: str) -> bool:  # noqa: A002 - what runtimes call it
    """Whether the word names what has this id and name."""
    return word == (id if is_id(word) else name)


def complete(word: str, ids: Iterable[str]) -> str | None:
    """The only id that begins with the word; None when none does. Raises NetweatherError ambiguous-target for several."""
    found = _begin(word, ids) if is_beginning(word) else []
    if len(found) > 1:
        raise NetweatherError(
            "ambiguous-target", f"several ids begin with {word!r}", _listed(found), "write the whole id, or the name"
        )
    return found[0] if found else None


def unknown(what: str, word: str, ids: Iterable[str], form: str) -> NetweatherError | None:
    """'unknown-target' for a word with which ids begin, naming those in full; None when no id does.

    what: that nothing has this name; form: a reference, with {} where the id goes.
    """
    found = _begin(word, ids)
    if not found:
        return None
    why = f"{_listed(found)} begins with it, but an abbreviated id is not a name"
    if len(found) > 1:
        why = f"these ids begin with it, but an abbreviated id is not a name: {_listed(found)}"
    remedy = f"write {form.format(found[0])}" if len(found) == 1 else f"write one in full: {form.format(found[0])}"
    return NetweatherError("unknown-target", what, why, f"{remedy}; the command line accepts ids with at least {SHORTEST} digits")


def _begin(word: str, ids: Iterable[str]) -> list[str]:
    return sorted({each for each in ids if word and each.startswith(word)})


def _listed(found: list[str]) -> str:
    return ", ".join(found[:_MOST]) + (", …" if len(found) > _MOST else "")
