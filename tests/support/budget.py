"""Lists of exceptions that can only shrink: a file with a line for each, `NAME REASON`."""

from __future__ import annotations

from pathlib import Path


def listed(path: Path) -> frozenset[str]:
    """The names; lines that begin with # say what the list is."""
    return frozenset(line.split()[0] for line in path.read_text().splitlines() if line and not line.startswith("#"))
