"""What a target's sockets do, counted in the kernel while somebody looks: what is asked for, and where readings come from.

Here those of this process; the agent's client has others. Not here: what came between two readings (measure), and what people see.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from netweather import targets as runtimes
from netweather.errors import UsageError, unknown
from netweather.kernel.tracing.socket_counters import Counted, SocketStats, drop_reasons
from netweather.kernel.tracing.trace_layout import CALLS, RECEIVING, SENDING
from netweather.observation.socket_figures import since

GROUPS: Final[dict[str, tuple[str, ...]]] = {"send": SENDING, "receive": RECEIVING, "connect": CALLS[11:], "tcp": ()}
"""Words for several calls; tcp is none: connections and packets."""


@dataclass(frozen=True)
class CounterSelection:
    """What is to be counted, and so attached to the kernel."""

    calls: tuple[str, ...] = CALLS
    tcp: bool = True
    by_process: bool = False

    @classmethod
    def parse(cls, text: str | None, *, by_process: bool = False) -> CounterSelection:
        """`send,connect` or `sendto,tcp`; None is all of it. Raises UsageError unknown-call, no-process."""
        if text is None:
            return cls(by_process=by_process)
        words = text.split(",")
        for word in words:
            if word not in GROUPS and word not in CALLS:
                raise unknown("unknown-call", word[:60], (*GROUPS, *CALLS))
        calls = {call for word in words for call in GROUPS.get(word, (word,))}
        if by_process and not calls:
            why = "TCP events happen when packets arrive; no process causes them"
            raise UsageError("no-process", "--by-process needs a system call in --only", why, "add send or receive to --only")
        return cls(tuple(call for call in CALLS if call in calls), "tcp" in words, by_process)

    @property
    def words(self) -> str:
        """As `parse` takes it."""
        return ",".join((*self.calls, *(("tcp",) if self.tcp else ())))


class Stats(Protocol):
    """Counts until it is closed. missing: tracepoints that the kernel lacks, which nothing is counted of.

    names: of the targets. reasons: why packets are dropped, by number. processes: the names of those that were counted, by pid.
    """

    @property
    def names(self) -> Sequence[str]: ...
    @property
    def missing(self) -> Sequence[str]: ...
    @property
    def reasons(self) -> Mapping[int, str]: ...
    @property
    def processes(self) -> Mapping[int, str]: ...

    def read(self) -> list[Counted]:
        """What was counted of each target since the beginning. Raises NetweatherError, OSError."""

    def close(self) -> None:
        """Ends it; may be repeated."""


@dataclass
class OpenStats:
    """Those of this very process: `Stats`."""

    names: list[str]
    reasons: dict[int, str]
    counting: SocketStats
    processes: dict[int, str] = field(default_factory=dict)

    @property
    def missing(self) -> list[str]:
        return self.counting.missing

    def read(self) -> list[Counted]:
        found = self.counting.read()
        self._name({pid for counted in found for pid, _ in counted.processes} - self.processes.keys())
        return found

    def _name(self, pids: Iterable[int]) -> None:
        for pid in pids:
            try:
                self.processes[pid] = Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
            except OSError:
                self.processes[pid] = ""  # it has ended

    def close(self) -> None:
        self.counting.close()


def open_stats(reference: str, wanted: CounterSelection) -> OpenStats:
    """Begins to count what the sockets of a target do. Raises NetweatherError as targets.resolve and SocketStats do."""
    with ExitStack() as undo:
        targets = [undo.enter_context(target) for target in runtimes.resolve_all([reference])]
        inodes = [target.ino for target in targets]
        names = [reference if len(targets) == 1 else f"{reference} ({target.name})" for target in targets]
        counting = SocketStats(inodes, calls=wanted.calls, tcp=wanted.tcp, by_process=wanted.by_process)
        try:
            return OpenStats(names, drop_reasons() if wanted.tcp else {}, counting)
        except BaseException:
            counting.close()
            raise


class Reading(NamedTuple):
    """What was counted of one target in a time. missing, reasons, processes: as `Stats` has them."""

    target: str
    seconds: float
    counted: Counted
    missing: Sequence[str]
    reasons: Mapping[int, str]
    processes: Mapping[int, str]


def readings(stats: Stats, now: Sequence[Counted], before: Sequence[Counted]) -> list[Reading]:
    """What came between two readings, of each target."""
    pairs = zip(stats.names, now, before, strict=True)
    return [
        Reading(name, max(1, after.at_ns - first.at_ns) / 1e9, since(after, first), stats.missing, stats.reasons, stats.processes)
        for name, after, first in pairs
    ]
