"""A report as a demo without trouble makes it, for the tests of what reads it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from netweather.demo.findings import Connections, DemoReport, Lost, NetworkFindings, Result, ShopOutcome, networks
from netweather.measure.statistics import Interval

ONCE = ShopOutcome(seconds=1.0, told=3, retried=0, charged=(1, 1, 1))
TWICE = ShopOutcome(seconds=3.1, told=3, retried=3, charged=(2, 2, 2))


def result(number: int, **changes: Any) -> Result:
    """The result of the network with this number, all as asked."""
    network = networks()[number]
    asked = network.asked
    lost = Lost(round(asked.loss * 40_000), 40_000)
    speed = (asked.rate_down or 9e9) * 0.95
    trip = asked.rtt_ms + 0.5
    seen = NetworkFindings(trip, asked.rtt_p95_ms + 1, Interval(trip - 0.1, trip + 0.1), lost, speed)
    made = Result(network, seen, 0.5, {"naive": ONCE, "fixed": ONCE}, 30.0)
    return replace(made, **changes)


def report(**changes: Any) -> DemoReport:
    """Everything as it should be: satellite sells twice in the naive shop."""
    results = [result(number) for number in range(4)]
    results.append(result(4, outcomes={"naive": TWICE, "fixed": replace(ONCE, retried=3)}))
    stream = {"port": 1, "messages": 533, "missing": 0, "longest_gap_ms": 300.0, "broken": False}
    return replace(DemoReport(results, Connections(18, 12, 6, 0), stream, 0.1, 55.0), **changes)
