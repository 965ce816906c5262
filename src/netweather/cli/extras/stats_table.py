"""What was counted of a target's sockets, as tables for people."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from netweather.cli.output import table
from netweather.cli.wording import count
from netweather.kernel.tracing.socket_counters import CallCounts, Counted, TcpCounts, uncounted
from netweather.kernel.tracing.trace_layout import TCP_FIELDS, error_name
from netweather.observation.socket_figures import latency

_BARS: Final = "▁▂▃▄▅▆▇█"
_TITLES: Final = ("Call", "Calls", "/s", "Bytes", "Rate", "p50", "p99", "Errors")
_MOST_PROCESSES: Final = 20
_NOT_COUNTED: Final = "not counted"


def shown(
    name: str,
    counted: Counted,
    seconds: float,
    last: Sequence[Any],
    rates: Mapping[str, Sequence[float]],
    reasons: Mapping[int, str],
    names: Mapping[int, str],
    missing: Collection[str] = (),
) -> Any:
    """A target's tables together. last: what came in the last interval, and its seconds. missing: tracepoints."""
    from rich.console import Group
    from rich.text import Text

    latest, interval = last
    parts: list[Any] = [Text(f"{name}, {seconds:.1f} s", "bold")]
    if counted.calls:
        parts.append(_calls(counted, latest, interval, rates))
    elif counted.tcp is None:
        parts.append(Text("no calls yet"))
    if counted.tcp is not None:
        parts += [Text(line) for line in tcp_lines(counted.tcp, reasons, uncounted(missing))]
    if counted.processes:
        parts.append(_processes(counted, names))
    return Group(*parts)


def _calls(counted: Counted, latest: Counted, interval: float, rates: Mapping[str, Sequence[float]]) -> Any:
    lively = any(len(each) > 1 for each in rates.values())
    rows = []
    for call, counts in counted.calls.items():
        now = latest.calls.get(call, CallCounts())
        took = latency(counts.ns, counts.times)
        row = [call, count(counts.calls), rate(now.calls / interval), size(counts.bytes), bits(8 * now.bytes / interval)]
        row += [duration(took.p50), duration(took.p99)] if took else ["", ""]
        row.append(errors(counts))
        rows.append([*row, sparkline(rates.get(call, ()))] if lively else row)
    return table((*_TITLES, "") if lively else _TITLES, rows)


def _processes(counted: Counted, names: Mapping[int, str]) -> Any:
    busiest = sorted(counted.processes.items(), key=lambda item: -item[1].calls)
    rows = [
        [f"{names.get(pid, '') or '(ended)'}[{pid}]", call, count(counts.calls), size(counts.bytes), count(counts.errors)]
        for (pid, call), counts in busiest[:_MOST_PROCESSES]
    ]
    if len(busiest) > _MOST_PROCESSES:
        rows.append([f"and {len(busiest) - _MOST_PROCESSES} more", "", "", "", ""])
    return table(("Process", "Call", "Calls", "Bytes", "Errors"), rows)


def tcp_lines(tcp: TcpCounts, reasons: Mapping[int, str], unknown: Collection[str] = ()) -> list[str]:
    """Connections, packets and drops: a line each, drops only when there were any. unknown: fields that nothing counts."""
    told = {name: _NOT_COUNTED if name in unknown else count(getattr(tcp, name)) for name in TCP_FIELDS}
    resets = f"{told['resets_received']} received, {told['resets_sent']} sent"
    lines = [
        f"connections: {_NOT_COUNTED if 'opened' in unknown else _connections(tcp)}",
        f"retransmitted segments: {told['retransmits']}; resets: {resets}",
    ]
    if "drops" in unknown:
        lines.append(f"packets dropped: {_NOT_COUNTED}")
    elif tcp.drops:
        most = sorted(tcp.reasons.items(), key=lambda item: -item[1])
        lines.append("packets dropped: " + ", ".join(f"{count(number)} {reasons.get(key, key)}" for key, number in most))
    return lines


def _connections(tcp: TcpCounts) -> str:
    fates = [("refused", tcp.refused), ("timed out", tcp.timed_out), ("failed", tcp.failed)]
    ways = f"{count(tcp.opened)} opened, {count(tcp.accepted)} accepted, {count(tcp.closed)} closed"
    took = latency(tcp.connect_ns, tcp.times)
    ends = "".join(f", {count(number)} {word}" for word, number in fates if number)
    return ways + ends + (f"; connecting took {duration(took.p50)} (p50), {duration(took.p99)} (p99)" if took else "")


def errors(counts: CallCounts) -> str:
    """'3 ECONNREFUSED, 1 EAGAIN', the most frequent first."""
    most = sorted(counts.errors_by.items(), key=lambda item: -item[1])
    return ", ".join(f"{count(number)} {error_name(error)}" for error, number in most)


def sparkline(values: Sequence[float]) -> str:
    """A bar for each value, as high as it is beside the highest."""
    most = max(values, default=0)
    return "".join(_BARS[round((len(_BARS) - 1) * value / most)] if most else _BARS[0] for value in values)


def rate(value: float) -> str:
    """'1,234', '0.5': a number a second."""
    return count(round(value)) if value >= 10 or value == round(value) else f"{value:.1f}"


def duration(seconds: float) -> str:
    """'3.2 µs', '140 ms', '1.5 s'."""
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.0f} ns"


def size(number: int) -> str:
    """'512 B', '1.2 MB': decimal, as rates are."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if number >= factor:
            return f"{number / factor:.4g} {unit}"
    return f"{number} B"


def bits(value: float) -> str:
    """'1.2 Mbit/s'; '' of nothing."""
    for unit, factor in (("Gbit/s", 1e9), ("Mbit/s", 1e6), ("kbit/s", 1e3)):
        if value >= factor:
            return f"{value / factor:.3g} {unit}"
    return f"{value:.0f} bit/s" if value else ""
