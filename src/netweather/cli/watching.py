"""Following the statistics of a target for a while: what is asked for, readings, and what came between them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from netweather.errors import UsageError
from netweather.kernel.socketstats import Counted, SocketStats, drop_reasons
from netweather.kernel.tracelayout import CALLS, RECEIVING, SENDING
from netweather.kernel.waiting import pause
from netweather.measure.counting import document, since

if TYPE_CHECKING:
    from netweather.measure.countplots import Drawn
    from netweather.targets import Target

GROUPS: Final[dict[str, tuple[str, ...]]] = {"send": SENDING, "receive": RECEIVING, "connect": CALLS[11:], "tcp": ()}
"""Words for several calls; tcp is none: connections and packets."""
_KEPT: Final = 3600


@dataclass(frozen=True)
class Wanted:
    """What is to be counted, and so attached to the kernel."""

    calls: tuple[str, ...] = CALLS
    tcp: bool = True
    by_process: bool = False

    @classmethod
    def parse(cls, text: str | None, *, by_process: bool = False) -> Wanted:
        """`send,connect` or `sendto,tcp`; None is all of it. Raises UsageError unknown-call."""
        if text is None:
            return cls(by_process=by_process)
        words = text.split(",")
        for word in words:
            if word not in GROUPS and word not in CALLS:
                from netweather.conditions.nearest import unknown

                raise unknown("unknown-call", word, (*GROUPS, *CALLS))
        calls = {call for word in words for call in GROUPS.get(word, (word,))}
        if by_process and not calls:
            why = "TCP's work is nobody's: it is done when packets come"
            raise UsageError("no-process", "--by-process needs calls", why, "add send or receive to --only")
        return cls(tuple(call for call in CALLS if call in calls), "tcp" in words, by_process)


@dataclass
class Watch:
    """Programs that count for as long as it is open, and what they had counted at each look."""

    names: list[str]
    stats: SocketStats
    reasons: dict[int, str]
    _readings: list[list[Counted]] = field(default_factory=list)
    _processes: dict[int, str] = field(default_factory=dict)
    _undo: ExitStack = field(default_factory=ExitStack)

    @classmethod
    def open(cls, reference: str, wanted: Wanted) -> Watch:
        """Raises UsageError and NetweatherError as targets.resolve and SocketStats do."""
        from netweather.targets import resolve

        with ExitStack() as undo:
            targets: list[Target] = [undo.enter_context(target) for target in resolve(reference)]
            inodes = [target.ino for target in targets]
            stats = undo.enter_context(SocketStats(inodes, calls=wanted.calls, tcp=wanted.tcp, by_process=wanted.by_process))
            names = [reference if len(targets) == 1 else f"{reference} ({target.name})" for target in targets]
            made = cls(names, stats, drop_reasons() if wanted.tcp else {}, _undo=undo.pop_all())
        made.look()
        return made

    @property
    def missing(self) -> list[str]:
        """Tracepoints that this kernel lacks."""
        return self.stats.missing

    def look(self) -> None:
        """Reads what was counted until now. Of a long watch the first reading and those of the last hour are kept."""
        self._readings.append(self.stats.read())
        if len(self._readings) > _KEPT:
            del self._readings[1]
        self._name({pid for counted in self._readings[-1] for pid, _ in counted.processes})

    def _name(self, pids: Iterable[int]) -> None:
        for pid in pids:
            if pid not in self._processes:
                try:
                    self._processes[pid] = Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
                except OSError:
                    self._processes[pid] = ""  # it has ended

    def follow(self, every_s: float, seconds: float | None, show: Callable[[], None]) -> None:
        """Looks, and shows, at each interval until the time is over."""
        begin = time.monotonic()
        for step in range(1, 1 << 62):
            due = begin + every_s * step
            if seconds is not None:
                due = min(due, begin + seconds)
            pause(max(0.0, due - time.monotonic()))
            self.look()
            show()
            if seconds is not None and due >= begin + seconds:
                return

    def _between(self, *, last: bool) -> list[tuple[str, Counted, float]]:
        """For each target what came since the beginning, or in the last interval, and how long that was in seconds."""
        now, first = self._readings[-1], self._readings[-2 if last and len(self._readings) > 1 else 0]
        return [
            (name, since(after, before), max(1, after.at_ns - before.at_ns) / 1e9)
            for name, after, before in zip(self.names, now, first, strict=True)
        ]

    def documents(self, *, last: bool = False) -> list[dict[str, Any]]:
        """For JSON, one for each target: since the beginning, or of the last interval."""
        return [
            {"target": name, **document(counted, seconds, self.reasons, self._processes), "missing": self.missing}
            for name, counted, seconds in self._between(last=last)
        ]

    def tables(self, *, rates: bool = True) -> list[Any]:
        """For people, as Rich draws them: the sums; with the rates of the last interval, or of all of it when that is over."""
        from netweather.cli.counted import shown

        whole, last = self._between(last=False), self._between(last=rates)
        return [
            shown(name, counted, seconds, of_last, self._rates(index), self.reasons, self._processes)
            for index, ((name, counted, seconds), (_, *of_last)) in enumerate(zip(whole, last, strict=True))
        ]

    def _rates(self, index: int, intervals: int = 20) -> dict[str, list[float]]:
        """Calls a second in each of the last intervals, by call."""
        readings = [each[index] for each in self._readings[-intervals - 1 :]]
        found: dict[str, list[float]] = {call: [] for call in readings[-1].calls}
        for before, after in pairwise(readings):
            for call, rates in found.items():
                now, then = after.calls.get(call), before.calls.get(call)
                number = (now.calls if now else 0) - (then.calls if then else 0)
                rates.append(number / (max(1, after.at_ns - before.at_ns) / 1e9))
        return found

    def drawn(self) -> list[Drawn]:
        """What is to be drawn of each target."""
        from netweather.measure.countplots import Drawn

        return [Drawn(name, [each[index] for each in self._readings], self.reasons) for index, name in enumerate(self.names)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()
