"""Who made a thing: a tag for its name, so that a later session recognises what a dead one left behind."""

from __future__ import annotations

import os
import re
from pathlib import Path

TAG = r"[0-9a-f]+x[0-9a-f]+"


def _started(pid: int) -> int | None:
    """When the process started, in ticks since boot: tells it from a later one with the same number."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else int(fields[19])


def tag(pid: int | None = None) -> str:
    """The tag of a living process, ours unless given."""
    pid = pid or os.getpid()
    return f"{pid:x}x{_started(pid) or 0:x}"


def alive(name: str) -> bool:
    """Whether the process whose tag the name contains still runs; without a tag: True, it is not ours to judge."""
    found = re.search(TAG, name)
    if not found:
        return True
    pid, started = (int(part, 16) for part in found[0].split("x"))
    return _started(pid) == started
