"""Files of network conditions: `-f FILE`, YAML or JSON. Not here: what stands in them (conditions.language.loading)."""

from __future__ import annotations

import sys
from pathlib import Path

from netweather.conditions import NetworkCondition
from netweather.errors import UsageError


def read_conditions(file: str) -> tuple[NetworkCondition, ...]:
    """The conditions of a file, or of stdin for '-'; at least one. Raises UsageError, which names the file."""
    text = text_of(file)
    name = "stdin" if file == "-" else file
    try:
        found = _parsed(text, surely_json=file.endswith(".json"))
    except UsageError as error:
        raise UsageError(error.code, f"{name}: {error.what}", error.why, error.remedy) from error
    if not found:
        raise UsageError(
            "no-condition", f"{name} contains no network condition", "it is empty", "`netweather set --help` has examples"
        )
    return found


def text_of(file: str) -> str:
    """The text of a file, or of stdin for `-`. Raises UsageError(code="no-file")."""
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UsageError(
            "no-file", f"{file} can't be read", why, "give the path of a YAML or JSON file, or - for stdin"
        ) from error


def _parsed(text: str, *, surely_json: bool) -> tuple[NetworkCondition, ...]:
    from netweather.conditions import load
    from netweather.conditions.language.documents import items_of, parse

    return tuple(load(item) for document in parse(text, surely_json=surely_json) for item in items_of(document))
