"""What was counted of sockets, made into figures: differences of two readings, percentiles. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from netweather.kernel.tracing import trace_layout
from netweather.kernel.tracing.socket_counters import CallCounts, Counted, TcpCounts

PERCENTILES: Final = (0.5, 0.9, 0.99)
_S: Final = 1e9


def percentile(times: Sequence[int], share: float) -> float | None:
    """The time, in seconds, that `share` of what is in a histogram took at most; None when it is empty.

    Within a bucket, which is at most 1/16 of its time wide, times are taken to be spread evenly.
    """
    wanted, seen = share * sum(times), 0
    for bucket, number in enumerate(times):
        if number and seen + number >= wanted:
            low, high = trace_layout.bounds(bucket)
            return (low + (high - low) * (wanted - seen) / number) / _S
        seen += number
    return None


def longest(times: Sequence[int]) -> float | None:
    """The upper bound, in seconds, of the longest; None when there is none."""
    return next((trace_layout.bounds(bucket)[1] / _S for bucket in reversed(range(len(times))) if times[bucket]), None)


def since(after: Counted, before: Counted | None) -> Counted:
    """What came between two readings; all of `after` when there is no earlier one."""
    if before is None:
        return after
    calls = {call: _less(counts, before.calls.get(call)) for call, counts in after.calls.items()}
    processes = {key: _less(counts, before.processes.get(key)) for key, counts in after.processes.items()}
    tcp = _less_tcp(after.tcp, before.tcp) if after.tcp and before.tcp else after.tcp
    return Counted(after.at_ns, calls, tcp, processes)


def _less(after: CallCounts, before: CallCounts | None) -> CallCounts:
    if before is None:
        return after
    return CallCounts(
        after.calls - before.calls,
        after.errors - before.errors,
        after.bytes - before.bytes,
        after.ns - before.ns,
        [now - then for now, then in zip(after.times, before.times, strict=True)],
        _less_by(after.errors_by, before.errors_by),
    )


def _less_by(after: Mapping[int, int], before: Mapping[int, int]) -> dict[int, int]:
    return {key: number - before.get(key, 0) for key, number in after.items() if number > before.get(key, 0)}


def _less_tcp(after: TcpCounts, before: TcpCounts) -> TcpCounts:
    numbers = {name: getattr(after, name) - getattr(before, name) for name in trace_layout.TCP_FIELDS}
    times = [now - then for now, then in zip(after.times, before.times, strict=True)]
    return replace(after, **numbers, times=times, reasons=_less_by(after.reasons, before.reasons))


@dataclass(frozen=True)
class Latency:
    """How long something took, in seconds. mean: exact; the others within 1/16, at most: the longest's upper bound."""

    mean: float
    p50: float
    p90: float
    p99: float
    at_most: float


def latency(total_ns: int, times: Sequence[int]) -> Latency | None:
    """None when there was nothing."""
    number = sum(times)
    if not number:
        return None
    p50, p90, p99 = (percentile(times, share) or 0.0 for share in PERCENTILES)
    return Latency(total_ns / number / _S, p50, p90, p99, longest(times) or 0.0)
