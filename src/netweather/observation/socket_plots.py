"""What was counted of sockets as a picture: calls and bytes over time, and how long each call took. Needs matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from netweather.kernel.tracing import trace_layout
from netweather.kernel.tracing.socket_counters import Counted
from netweather.measure.plots import canvas, nothing
from netweather.observation.socket_figures import since

_MOST: Final = 8  # curves that can be told apart


@dataclass(frozen=True)
class Drawn:
    """One target: its readings, the first before anything was counted."""

    name: str
    readings: Sequence[Counted]
    reasons: Mapping[int, str]


def draw(targets: Sequence[Drawn], path: str) -> None:
    """Writes the picture, a row for each target. Raises NetweatherError no-matplotlib, unwritable-file."""
    with canvas(path, len(targets), 3) as (figure, rows):
        figure.suptitle(", ".join(each.name for each in targets), x=0.01, ha="left", fontsize=13, fontweight="bold")
        for target, (rate, size, took) in zip(targets, rows, strict=True):
            calls = _busiest(target)
            for axes, title, unit, what in (
                (rate, "calls", "a second", lambda counts: counts.calls),
                (size, "bytes", "Mbit/s", lambda counts: 8 * counts.bytes / 1e6),
            ):
                axes.set_title(title)
                if not _over_time(axes, target, calls, what):
                    nothing(axes, "no call was counted")
                    continue
                axes.set(xlabel="s", ylabel=unit, ylim=(0, None))
            took.set_title("how long a call takes")
            if not _spread(took, target, calls):
                nothing(took, "no call was counted")


def _busiest(target: Drawn) -> list[str]:
    last = target.readings[-1].calls
    return sorted(last, key=lambda call: -last[call].calls)[:_MOST]


def _over_time(axes: Any, target: Drawn, calls: Sequence[str], what: Any) -> bool:
    begin = target.readings[0].at_ns
    steps = [(since(after, before), after.at_ns - before.at_ns) for before, after in pairwise(target.readings)]
    for call in calls:
        rates = [what(step.calls[call]) / (took / 1e9) if call in step.calls else 0.0 for step, took in steps]
        if any(rates):
            axes.plot([(each.at_ns - begin) / 1e9 for each in target.readings[1:]], rates, label=call, linewidth=1.6)
    if axes.lines:
        axes.legend(loc="upper right")
    return bool(axes.lines)


def _spread(axes: Any, target: Drawn, calls: Sequence[str]) -> bool:
    """The share of calls that took no longer."""
    whole = since(target.readings[-1], target.readings[0]).calls
    for call in calls:
        total, seen = sum(whole[call].times), 0
        places, shares = [], []
        for bucket, number in enumerate(whole[call].times):
            if number:
                seen += number
                places.append(trace_layout.bounds(bucket)[1] / 1e6)
                shares.append(seen / total)
        if places:
            axes.step(places, shares, where="post", label=call, linewidth=1.6)
    if axes.lines:
        axes.set(xlabel="ms", xscale="log", ylim=(0, 1.03))
        axes.xaxis.set_major_formatter(lambda place, _: f"{place:g}")
        axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        axes.legend(loc="lower right")
    return bool(axes.lines)
