"""Whether a target's interfaces are those that its conditions act on. Reads only."""

from __future__ import annotations

from netweather.engine import entries
from netweather.engine.core import Engine
from netweather.journal import Entry
from netweather.kernel.spec import Observed


def covers(engine: Engine, identity: str, fd: int) -> bool:
    """Whether every interface that the conditions of a target mean is covered, and no other. For the keeper."""
    with engine.journal.locked(identity):
        entry = engine.journal.read(identity)
        if entry is None:
            return True
        with engine.kernel(entry.target, fd) as kernel:
            return is_covered(entry, kernel.observe())


def is_covered(entry: Entry, observed: Observed) -> bool:
    """The same of what is seen already."""
    before = {(i.name, i.ifindex) for i in entry.interfaces}
    meant = {(i.name, i.ifindex) for i in entries.interfaces(entry, observed)}
    return before == meant and {name for name, _ in before} <= observed.attached
