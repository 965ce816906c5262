"""Documents of `stats`: what was counted of the sockets of targets. Numbers are counts, bytes and seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from netweather.conditions.declare import camel
from netweather.engine.views.socket_stats import Reading
from netweather.kernel.tracing import trace_layout
from netweather.kernel.tracing.socket_counters import CallCounts, Counted, TcpCounts, uncounted
from netweather.observation.socket_figures import Latency, latency
from netweather.wire.schema_types import (
    NUMBER,
    TEXT,
    WHOLE,
    ListOf,
    MapOf,
    Nullable,
    ObjectType,
    Property,
    Scalar,
    computed,
    of,
)

_BUCKETS: Final = {trace_layout.bounds(bucket)[0]: bucket for bucket in range(trace_layout.BUCKETS)}
_NANOSECONDS: Final = Scalar({"type": "number"}, lambda ns: ns / 1e9, lambda seconds: round(seconds * 1e9))
_BUCKET: Final = Scalar({"type": "array", "items": {"type": "integer"}, "minItems": 3, "maxItems": 3})
_Times = tuple[int, Sequence[int]]
"""How long all took together, in ns, and how many by bucket."""


def _latency(total_ns: int, times: Sequence[int]) -> tuple[Latency, list[list[int]]] | None:
    found = latency(total_ns, times)
    buckets = [[*trace_layout.bounds(bucket), number] for bucket, number in enumerate(times) if number]
    return None if found is None else (found, buckets)


def _times(mean: float = 0.0, buckets: Sequence[tuple[int, int, int]] = ()) -> _Times:
    times = [0] * trace_layout.BUCKETS
    for low, _, number in buckets:
        times[_BUCKETS[low]] = number
    return round(mean * sum(times) * 1e9), times


_LATENCY: Final[ObjectType[Any]] = ObjectType(
    "Latency",
    "How long something took, in seconds.",
    _times,
    {
        "mean": Property(NUMBER, lambda found: found[0].mean, lambda read: {"mean": read}),
        "p50": computed(NUMBER, lambda found: found[0].p50),
        "p90": computed(NUMBER, lambda found: found[0].p90),
        "p99": computed(NUMBER, lambda found: found[0].p99),
        "atMost": computed(NUMBER, lambda found: found[0].at_most, "upper bound of the longest"),
        "bucketsNs": Property(
            ListOf(_BUCKET), lambda found: found[1], lambda read: {"buckets": read}, "lower bound, upper bound, number"
        ),
    },
)


def _errors(read: Mapping[str, int]) -> dict[str, Any]:
    return {"errors": {trace_layout.error_number(name): count for name, count in read.items()}}


def _call(calls: int, bytes: int, errors: dict[int, int], times: _Times) -> CallCounts:  # noqa: A002 - as CallCounts has it
    return CallCounts(calls, sum(errors.values()), bytes, *times, errors)


_CALL: Final = ObjectType(
    "CallCounts",
    "System calls of one kind.",
    _call,
    {
        "calls": of("calls", WHOLE),
        "bytes": of("bytes", WHOLE),
        "errors": Property(
            MapOf(WHOLE),
            lambda counts: {trace_layout.error_name(number): count for number, count in sorted(counts.errors_by.items())},
            _errors,
            "by the name of the error",
        ),
        "latency": Property(
            _LATENCY, lambda counts: _latency(counts.ns, counts.times), lambda read: {"times": read or _times()}, default=None
        ),
    },
)


class _Tcp(NamedTuple):
    """reasons: of dropped packets, by name. unknown: the fields that this kernel does not count."""

    counts: TcpCounts
    reasons: Mapping[str, int]
    unknown: Sequence[str] = ()


def _number(name: str) -> Property:
    def get(tcp: _Tcp) -> int | None:
        return None if name in tcp.unknown else getattr(tcp.counts, name)

    return Property(Nullable(WHOLE), get, lambda read: {name: read or 0})


def _tcp(times: _Times, reasons: Mapping[str, int], **numbers: Any) -> _Tcp:
    return _Tcp(TcpCounts(**numbers, connect_ns=times[0], times=times[1]), reasons)


_TCP: Final = ObjectType(
    "TcpCounts",
    "Connections and packets. null: this kernel does not count it.",
    _tcp,
    {
        **{camel(name): _number(name) for name in trace_layout.TCP_FIELDS if name != "connect_ns"},
        "dropReasons": Property(MapOf(WHOLE), lambda tcp: tcp.reasons, lambda read: {"reasons": read}, "by the kernel's name"),
        "connectTime": Property(
            _LATENCY,
            lambda tcp: _latency(tcp.counts.connect_ns, tcp.counts.times),
            lambda read: {"times": read or _times()},
            default=None,
        ),
    },
)


class _Process(NamedTuple):
    pid: int
    name: str
    call: str
    counts: CallCounts


_PROCESS: Final = ObjectType(
    "ProcessCalls",
    "System calls of one kind by one process.",
    lambda pid, name, call, **counts: _Process(pid, name, call, CallCounts(**counts)),
    {
        "pid": of("pid", WHOLE),
        "name": of("name", TEXT),
        "call": of("call", TEXT),
        "calls": of("counts.calls", WHOLE),
        "errors": of("counts.errors", WHOLE),
        "bytes": of("counts.bytes", WHOLE),
        "seconds": of("counts.ns", _NANOSECONDS),
    },
)


def _of_tcp(reading: Reading) -> _Tcp | None:
    tcp = reading.counted.tcp
    if tcp is None:
        return None
    reasons = {reading.reasons.get(number, str(number)): count for number, count in sorted(tcp.reasons.items())}
    return _Tcp(tcp, reasons, uncounted(reading.missing))


def _of_processes(reading: Reading) -> list[_Process]:
    processes = sorted(reading.counted.processes.items())
    return [_Process(pid, reading.processes.get(pid, ""), call, counts) for (pid, call), counts in processes]


def _reading(
    target: str,
    seconds: float,
    calls: dict[str, CallCounts],
    tcp: _Tcp | None,
    processes: Sequence[_Process],
    missing: Sequence[str],
) -> Reading:
    """Reasons get numbers of this document: the other side's kernel may have others than this one."""
    names = dict(enumerate(tcp.reasons, 1)) if tcp else {}
    counts = tcp and replace(tcp.counts, reasons={number: tcp.reasons[name] for number, name in names.items()})
    counted = Counted(round(seconds * 1e9), calls, counts, {(each.pid, each.call): each.counts for each in processes})
    return Reading(target, seconds, counted, missing, names, {each.pid: each.name for each in processes})


READING: Final = ObjectType(
    "SocketStats",
    "What the sockets of one target did.",
    _reading,
    {
        "target": of("target", TEXT),
        "seconds": Property(NUMBER, lambda reading: round(reading.seconds, 3), lambda read: {"seconds": read}),
        "calls": of("counted.calls", MapOf(_CALL), "by the name of the call"),
        "tcp": Property(_TCP, _of_tcp, lambda read: {"tcp": read}, default=None),
        "processes": Property(ListOf(_PROCESS), _of_processes, lambda read: {"processes": read}, default=[]),
        "missing": of("missing", ListOf(TEXT), "tracepoints that this kernel does not have"),
    },
)


class StatsSession(NamedTuple):
    """One reading of a session that an agent keeps."""

    id: str
    lease_s: float
    items: Sequence[Reading]


SESSION: Final = ObjectType(
    "StatsSession",
    "What was counted since the session began. It ends when no client reads it for `leaseSeconds`.",
    StatsSession,
    {"id": of("id", TEXT), "leaseSeconds": of("lease_s", NUMBER), "items": of("items", ListOf(READING))},
)
