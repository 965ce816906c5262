"""Whose state it is that another state directory has in force: found by the processes that keep it. Only looks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from netweather.engine import entries
from netweather.journal import Journal
from netweather.settings import Settings

_WORDS_MOST: Final = 60


def owner_of(identity: str, own: Path) -> str:
    """Who keeps a target whose journal is not in `own`: the process, its state directory, and the conditions there; in words."""
    for pid, state in _state_directories():
        if os.path.lexists(state / "targets" / identity) and not _same(state, own):
            return f"{_conditions(Journal(state), identity)}, managed by process {pid} ({_command(pid)})"
    return "managed by no visible process"


def _conditions(journal: Journal, identity: str) -> str:
    entry = entries.entry_or_remains(journal, identity)
    named = [f"{c.condition.name!r} of {c.condition.owner or 'nobody'}" for c in entry.conditions]
    where = f"state directory {journal.targets.parent}"
    return f"{', '.join(named)} on {entry.target.reference or entry.target.name}, {where}" if named else where


def _state_directories() -> Iterator[tuple[int, Path]]:
    """The processes of Netweather's, each with its state directory as this process sees it."""
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if b"netweather" not in Path(f"/proc/{name}/cmdline").read_bytes():
                continue
            variables = Path(f"/proc/{name}/environ").read_bytes().split(b"\0")
        except OSError:
            continue
        named = [each.partition(b"=")[2].decode() for each in variables if each.startswith(b"NETWEATHER_STATE=")]
        yield int(name), Path(f"/proc/{name}/root", (named or [str(Settings.state)])[0].lstrip("/"))


def _same(one: Path, other: Path) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


def _command(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return "it has just ended"
    return words if len(words) <= _WORDS_MOST else f"{words[: _WORDS_MOST - 1]}…"
