"""Following the statistics of a target for a while: readings, what came between them, and how they are shown."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Self

from netweather.engine.views.socket_stats import readings
from netweather.kernel.waiting import pause
from netweather.observation.socket_figures import since

if TYPE_CHECKING:
    from netweather.engine.views.socket_stats import CounterSelection, Stats
    from netweather.kernel.tracing.socket_counters import Counted
    from netweather.observation.socket_plots import Drawn
    from netweather.service import Service

_KEPT: Final = 3600


@dataclass
class StatsWatch:
    """What a target's sockets had done at each look. Closes the source at the end."""

    stats: Stats
    _readings: list[list[Counted]] = field(default_factory=list)

    @classmethod
    def open(cls, service: Service, reference: str, wanted: CounterSelection) -> StatsWatch:
        """Raises UsageError and NetweatherError as the service does."""
        made = cls(service.stats(reference, wanted))
        try:
            made.look()
        except BaseException:
            made.stats.close()
            raise
        return made

    def look(self) -> None:
        """Reads what was counted until now. Of a long watch the first reading and those of the last hour are kept."""
        self._readings.append(self.stats.read())
        if len(self._readings) > _KEPT:
            del self._readings[1]

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
        now, first = self._ends(last=last)
        return [
            (name, since(after, before), max(1, after.at_ns - before.at_ns) / 1e9)
            for name, after, before in zip(self.stats.names, now, first, strict=True)
        ]

    def _ends(self, *, last: bool) -> tuple[list[Counted], list[Counted]]:
        return self._readings[-1], self._readings[-2 if last and len(self._readings) > 1 else 0]

    def documents(self, *, last: bool = False) -> list[dict[str, Any]]:
        """For JSON, one for each target: since the beginning, or of the last interval."""
        now, first = self._ends(last=last)
        from netweather.wire.stats_documents import READING

        return [READING.write(each) for each in readings(self.stats, now, first)]

    def tables(self, *, rates: bool = True) -> list[Any]:
        """For people, as Rich draws them: the sums; with the rates of the last interval, or of all of it when that is over."""
        from netweather.cli.extras.stats_table import shown

        whole, last = self._between(last=False), self._between(last=rates)
        return [
            shown(
                name, counted, seconds, of_last, self._rates(index), self.stats.reasons, self.stats.processes, self.stats.missing
            )
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
        from netweather.observation.socket_plots import Drawn

        return [
            Drawn(name, [each[index] for each in self._readings], self.stats.reasons)
            for index, name in enumerate(self.stats.names)
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stats.close()
