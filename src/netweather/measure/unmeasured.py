"""Which requested properties nothing measured: each of them is CAN'T TELL, with the reason and what to do. Pure.

A property is measured when a figure of its name exists for its direction, or when a round trip shows it: the delay by the RTT,
losses by the share of answers, a block by the first direction that stops a round trip.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from netweather.conditions import Condition
from netweather.conditions.loss import LossBurst, LossGemodel
from netweather.measure.evidence import Figure, Verdict
from netweather.measure.expectation import Expected

ROUND_TRIP: Final = "round trip"
UNITS: Final = {
    "delay": "s", "jitter": "distance", "loss": "share", "loss burst": "packets", "duplicate": "share", "corrupt": "share",
    "reorder": "share", "rate": "bit/s", "limit": "packets", "queue": "", "slot": "s", "MTU": "bytes", "ECN mark": "share",
    "block": "share", "reject": "share", "trace": "",
}  # fmt: skip
"""Of each property, by the name of its figure: the figure's unit."""
BY_ROUND_TRIP: Final = {"delay": "RTT", "loss": "loss", "block": "block"}
"""Properties that round trips show, and the name of the figure that does."""
ENTER: Final = "name a peer that can be entered: --peer TARGET"


def requested(expected: Expected) -> Iterator[str]:
    """The properties that a direction's condition asks for."""
    condition, timeline = expected.condition, expected.timeline
    if expected.blocked:
        yield "block"
        if condition.block == "reject":
            yield "reject"
        return
    delay = condition.delay
    if delay is not None and (delay.time.ns or delay.jitter.ns):
        yield "delay"
    if delay is not None and delay.jitter.ns:
        yield "jitter"
    yield from _shares(condition)
    if delay is not None and delay.keep_order and delay.jitter.ns:
        yield "reorder"
    if expected.rate:
        yield "rate"
    if condition.limit is not None:
        yield "limit"
    if condition.queue in ("codel", "ecn"):
        yield "queue"
    if condition.slot is not None:
        yield "slot"
    if condition.mtu is not None:
        yield "MTU"
    if condition.trace is not None and timeline is None:
        yield "trace"
    elif timeline is not None:
        yield from (
            name for name, given in (("delay", timeline.slowest), ("loss", timeline.loss), ("rate", timeline.most_rate)) if given
        )


def _shares(condition: Condition) -> Iterator[str]:
    loss = condition.loss
    if loss is not None and not (hasattr(loss, "percent") and not loss.percent.ppb):
        yield "ECN mark" if condition.ecn else "loss"
    if isinstance(loss, LossBurst | LossGemodel) and not condition.ecn:
        yield "loss burst"
    parts = {"duplicate": condition.duplicate, "corrupt": condition.corrupt}
    yield from (name for name, part in parts.items() if part is not None and part.percent.ppb)
    if condition.reorder is not None and condition.reorder.percent.ppb:
        yield "reorder"


def unmeasured(expected: Mapping[str, Expected], figures: Iterable[Figure], *, entered: bool) -> list[Figure]:
    """A figure for each property that no other figure is of. entered: whether both ends could be looked at."""
    figures = list(figures)
    if any(figure.name == "all" for figure in figures):
        return []  # it says so already
    names = {(figure.name, figure.direction) for figure in figures}
    stopped = next((way for way in ("egress", "ingress") if way in expected and expected[way].blocked), None)
    found = []
    for way, each in expected.items():
        for name in dict.fromkeys(requested(each)):
            if (name, way) in names or (name == "block" and ("loss", way) in names):
                continue
            if (BY_ROUND_TRIP.get(name), ROUND_TRIP) in names and stopped in (None, way):
                continue
            if name == "loss burst" and each.run_length is None and ("loss", way) in names:
                continue  # no formula says how long they are: the share alone is judged
            found.append(_cannot(name, way, _why(name, each, stopped, entered=entered, elsewhere=[f for f in figures if f.why])))
    return found


def _why(name: str, expected: Expected, stopped: str | None, *, entered: bool, elsewhere: list[Figure]) -> str:
    if not entered:
        what = "round trips do not show it" if stopped is None else "nothing comes back through the block"
        return f"{what}, only measuring each direction does: {ENTER}"
    if name in expected.unknown:
        return expected.unknown[name]
    return elsewhere[0].why if elsewhere else "no probe packet could show it"


def _cannot(name: str, way: str, why: str) -> Figure:
    return Figure(name, way, UNITS[name], None, None, None, Verdict.CANT_TELL, 0, why)
