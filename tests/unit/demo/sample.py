"""A report as a demo without trouble makes it, for the tests of what reads it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from netweather.demo.findings import Connections, Outcome, Report, Result, Seen
from netweather.demo.quantiles import Share
from netweather.demo.shop_profiles import networks

ONCE = Outcome(seconds=1.0, told=3, retried=0, charged=(1, 1, 1))
TWICE = Outcome(seconds=3.1, told=3, retried=3, charged=(2, 2, 2))


def result(number: int, **changes: Any) -> Result:
    """The result of the network with this number, all as asked."""
    network = networks()[number]
    asked = network.asked
    lost = Share(round(asked.loss * 4000), 4000, asked.loss * 0.9, asked.loss * 1.1)
    speed = (asked.rate_down or 9e9) * 0.95
    trip = asked.rtt_ms + 0.5
    seen = Seen(trip, asked.rtt_p95_ms + 1, (trip - 0.1, trip + 0.1), lost, lost, speed)
    made = Result(network, seen, 0.5, {"naive": ONCE, "fixed": ONCE}, 30.0)
    return replace(made, **changes)


def report(**changes: Any) -> Report:
    """Everything as it should be: satellite sells twice in the naive shop."""
    results = [result(number) for number in range(4)]
    results.append(result(4, outcomes={"naive": TWICE, "fixed": replace(ONCE, retried=3)}))
    stream = {"port": 1, "messages": 533, "missing": 0, "longest_gap_ms": 300.0, "broken": False}
    return replace(Report(results, Connections(18, 12, 6, 0), stream, 0.1, 55.0), **changes)
