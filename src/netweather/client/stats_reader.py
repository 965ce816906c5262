"""Statistics that an agent takes, for its client: counters as if this process had read them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from netweather.engine.views.socket_stats import Reading
from netweather.errors import NetweatherError
from netweather.kernel.tracing.socket_counters import Counted
from netweather.wire.stats_documents import SESSION


class RemoteStats:
    """Those that the agent takes: `engine.views.socket_stats.Stats`. begun: the document that it began with; read, end: ask for another."""

    def __init__(
        self, begun: dict[str, Any], read: Callable[[str], dict[str, Any]], end: Callable[[str], dict[str, Any]]
    ) -> None:
        first = SESSION.read(begun)
        self.number = first.id
        self.names = [each.target for each in first.items]
        self.missing = list(dict.fromkeys(each for reading in first.items for each in reading.missing))
        self.reasons: dict[int, str] = {}
        self.processes: dict[int, str] = {}
        self._read, self._end = read, end
        self._numbers: dict[str, int] = {}
        self._closed = False

    def read(self) -> list[Counted]:
        return [self._counted(each) for each in SESSION.read(self._read(self.number)).items]

    def close(self) -> None:
        """When the agent doesn't answer any more, the lease ends it."""
        if not self._closed:
            self._closed = True
            with suppress(NetweatherError):
                self._end(self.number)

    def _counted(self, reading: Reading) -> Counted:
        """With numbers of this session for the names of reasons, which have others in each document."""
        self.processes.update(reading.processes)
        counted = reading.counted
        if counted.tcp is None:
            return counted
        reasons = {self._reason(reading.reasons[number]): count for number, count in counted.tcp.reasons.items()}
        return replace(counted, tcp=replace(counted.tcp, reasons=reasons))

    def _reason(self, name: str) -> int:
        number = self._numbers.setdefault(name, len(self._numbers) + 1)
        self.reasons[number] = name
        return number
