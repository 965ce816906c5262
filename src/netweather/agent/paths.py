"""What a request may not name: files of the agent's machine. It runs as root, and the one who asks may not be. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from netweather.conditions import NetworkCondition
from netweather.conditions.embedding import paths
from netweather.errors import NetweatherError

_PATH: Final = "netns:/"


def refuse_paths(condition: NetworkCondition) -> None:
    """Raises NetweatherError(code="path-refused") for a condition that names a file: a trace, a table, netns:/PATH."""
    found = next(iter(paths_of(condition)), None)
    if found is not None:
        raise _refused(found)


def refuse_references(references: Iterable[str]) -> None:
    """Raises NetweatherError(code="path-refused") for netns:/PATH."""
    for reference in references:
        if reference.startswith(_PATH):
            raise _refused(reference)


def paths_of(condition: NetworkCondition) -> list[str]:
    """The files that a condition names, and the references with a path."""
    matches = [rule.match for rule in condition.rules] + list(condition.exclude)
    words = [*condition.targets, *(word for match in matches for word in match.to)]
    return [*(word for word in words if word.startswith(_PATH)), *paths(condition)]


def _refused(word: str) -> NetweatherError:
    why = "the agent opens no file for who asks it"
    return NetweatherError("path-refused", f"{word!r} is a path", why, "as root, use `netweather … --direct`")
