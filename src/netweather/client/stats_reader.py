"""Statistics that the agent takes, read by its client: documents become what the kernel's counters are, and differences of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final

from netweather.errors import NetweatherError
from netweather.kernel.tracing import trace_layout
from netweather.kernel.tracing.socket_counters import CallCounts, Counted, TcpCounts
from netweather.observation.socket_figures import camel

_BUCKETS: Final = {trace_layout.bounds(bucket)[0]: bucket for bucket in range(trace_layout.BUCKETS)}


class RemoteStats:
    """Those that the agent takes: `engine.views.socket_stats.Stats`. begun: the document that it began with; read, end: ask for another."""

    def __init__(
        self, begun: dict[str, Any], read: Callable[[str], dict[str, Any]], end: Callable[[str], dict[str, Any]]
    ) -> None:
        self.number = str(begun["id"])
        self.names = [str(item["target"]) for item in begun["items"]]
        self.missing = list(dict.fromkeys(each for item in begun["items"] for each in item["missing"]))
        self.reasons: dict[int, str] = {}
        self.processes: dict[int, str] = {}
        self._read, self._end = read, end
        self._numbers: dict[str, int] = {}
        self._closed = False

    def read(self) -> list[Counted]:
        return [self._counted(item) for item in self._read(self.number)["items"]]

    def close(self) -> None:
        """When the agent doesn't answer any more, the lease ends it."""
        if not self._closed:
            self._closed = True
            with suppress(NetweatherError):
                self._end(self.number)

    def _counted(self, item: dict[str, Any]) -> Counted:
        processes: dict[tuple[int, str], CallCounts] = {}
        for each in item.get("processes", ()):
            self.processes[each["pid"]] = each["name"]
            counts = CallCounts(each["calls"], each["errors"], each["bytes"], round(each["seconds"] * 1e9))
            processes[each["pid"], each["call"]] = counts
        calls = {call: _calls(counts) for call, counts in item["calls"].items()}
        tcp = self._tcp(item["tcp"]) if "tcp" in item else None
        return Counted(round(item["seconds"] * 1e9), calls, tcp, processes)

    def _tcp(self, item: dict[str, Any]) -> TcpCounts:
        numbers = {name: item[camel(name)] or 0 for name in trace_layout.TCP_FIELDS if name != "connect_ns"}
        total, times = _times(item.get("connectTime"))
        reasons = {self._reason(name): count for name, count in item["dropReasons"].items()}
        return TcpCounts(**numbers, connect_ns=total, times=times, reasons=reasons)

    def _reason(self, name: str) -> int:
        """A number of our own: the agent's kernel may have others than this one."""
        number = self._numbers.setdefault(name, len(self._numbers) + 1)
        self.reasons[number] = name
        return number


def _calls(item: dict[str, Any]) -> CallCounts:
    total, times = _times(item.get("latency"))
    errors = {trace_layout.error_number(name): count for name, count in item["errors"].items()}
    return CallCounts(item["calls"], sum(errors.values()), item["bytes"], total, times, errors)


def _times(item: dict[str, Any] | None) -> tuple[int, list[int]]:
    """How long all took together, in ns, and how that is spread."""
    times = [0] * trace_layout.BUCKETS
    if item is None:
        return 0, times
    buckets: Iterable[tuple[int, int, int]] = item["bucketsNs"]
    for low, _, number in buckets:
        times[_BUCKETS[low]] = number
    return round(item["mean"] * sum(times) * 1e9), times
