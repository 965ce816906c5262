"""What the agent does in figures, as Prometheus reads them; and the middleware that counts requests.

The number of series is bounded: paths are counted as they are declared, and only so many conditions have series of their own.
"""

from __future__ import annotations

import time
from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from netweather.errors import NetweatherError
from netweather.kernel.sockets.netns_stats import Faring, farings
from netweather.results import ConditionStatus, TargetRef

LISTED: Final = 200
"""So many conditions have series of their own; the rest are counted."""
FareReader = Callable[[Iterable[TargetRef]], Mapping[tuple[int, int], Faring]]
_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0)


class Metrics:
    """One agent's figures. targets, listeners: how many there are now.

    shown: the conditions in force, fares: how their targets fare, asked at each reading.
    """

    def __init__(
        self,
        targets: Callable[[], int],
        listeners: Callable[[], int],
        shown: Callable[[], Sequence[ConditionStatus]] = lambda: (),
        fares: FareReader = farings,
    ) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "netweather_requests", "requests that were answered", ["method", "path", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "netweather_request_seconds", "how long they took", ["method", "path"], registry=self.registry, buckets=_BUCKETS
        )
        kept = Gauge("netweather_targets", "targets that the agent keeps conditions on", registry=self.registry)
        kept.set_function(targets)
        listening = Gauge("netweather_event_listeners", "clients that follow the events", registry=self.registry)
        listening.set_function(listeners)
        ProcessCollector(registry=self.registry)
        self.conditions = ConditionMetrics(shown, fares)
        self.registry.register(self.conditions)

    def text(self) -> bytes:
        """All of it in the text format."""
        return generate_latest(self.registry)


class ConditionMetrics(Collector):
    """The conditions in force as series, read from the kernel when they are asked for."""

    def __init__(self, shown: Callable[[], Sequence[ConditionStatus]], fares: FareReader, listed: int = LISTED) -> None:
        self.shown, self.fares, self.listed = shown, fares, listed

    def collect(self) -> Iterator[Metric]:
        """All of them; a reading that fails is a figure, too."""
        found: list[ConditionStatus] = []
        try:
            found = sorted(self.shown(), key=lambda each: (each.target.reference, each.target.identity, each.condition.name))
            readable = 1
        except (NetweatherError, OSError):
            readable = 0
        yield GaugeMetricFamily("netweather_conditions_readable", "whether the conditions could be read just now", readable)
        engines = GaugeMetricFamily("netweather_conditions", "conditions, by engine", labels=["engine"])
        for engine, number in sorted(Tally(each.engine for each in found).items()):
            engines.add_metric([engine], number)
        yield engines
        unlisted = max(0, len(found) - self.listed)
        yield GaugeMetricFamily(
            "netweather_conditions_unlisted", "conditions without their own series, because there are too many", unlisted
        )
        yield from _of_conditions(found[: self.listed])
        targets = {each.target.identity: each.target for each in reversed(found[: self.listed])}
        yield from _of_targets(targets.values(), self.fares(targets.values()))


def _of_conditions(listed: Sequence[ConditionStatus]) -> Iterator[Metric]:
    labels = ["target", "identity", "name"]
    packets = CounterMetricFamily("netweather_condition_packets", "packets that its rules matched", labels=labels)
    size = CounterMetricFamily("netweather_condition_bytes", "bytes that its rules matched", labels=labels)
    dropped = CounterMetricFamily("netweather_condition_dropped", "packets that it dropped, as requested", labels=labels)
    causes = CounterMetricFamily(
        "netweather_condition_dropped_by_cause",
        "dropped packets by cause; missing if the engine does not report it",
        labels=[*labels, "cause"],
    )
    effects = CounterMetricFamily(
        "netweather_condition_altered",
        "packets marked, duplicated, corrupted or reordered, as requested",
        labels=[*labels, "effect"],
    )
    in_force = GaugeMetricFamily(
        "netweather_condition_in_force", "1 if the kernel has the whole condition, else 0", labels=labels
    )
    left = GaugeMetricFamily(
        "netweather_condition_seconds_left", "remaining time of its lease; missing for a lease without an end", labels=labels
    )
    unwanted = CounterMetricFamily("netweather_unwanted_drops", "packets our devices dropped unasked", labels=labels[:2])
    for each in listed:
        values = [each.target.reference, each.target.identity, each.condition.name]
        packets.add_metric(values, sum(rule.packets for rule in each.rules))
        size.add_metric(values, sum(rule.bytes for rule in each.rules))
        dropped.add_metric(values, sum(rule.dropped for rule in each.rules))
        for family, numbers in ((causes, each.causes), (effects, each.effects)):
            for name, number in numbers.items():
                if number is not None:
                    family.add_metric([*values, name], number)
        in_force.add_metric(values, each.in_force)
        if each.remaining_ns is not None:
            left.add_metric(values, each.remaining_ns / 1e9)
    drops = {(each.target.reference, each.target.identity): each.unwanted_drops for each in listed}
    for (reference, identity), number in drops.items():
        unwanted.add_metric([reference, identity], number)
    yield from (packets, size, dropped, causes, effects, in_force, left, unwanted)


def _of_targets(targets: Iterable[TargetRef], fares: Mapping[tuple[int, int], Faring]) -> Iterator[Metric]:
    """Of each network once, whatever it is called. One that is gone has none."""
    labels = ["target", "identity"]
    connections = GaugeMetricFamily(
        "netweather_target_connections", "TCP connections with other network namespaces", labels=labels
    )
    rtt = GaugeMetricFamily(
        "netweather_target_rtt_seconds", "median round-trip time of its TCP connections; missing without any", labels=labels
    )
    again = CounterMetricFamily("netweather_target_retransmits", "TCP segments retransmitted", labels=labels)
    received = CounterMetricFamily("netweather_target_received_bytes", "that its interfaces received", labels=labels)
    sent = CounterMetricFamily("netweather_target_sent_bytes", "that its interfaces sent", labels=labels)
    for each in targets:
        faring = fares.get((each.dev, each.ino))
        if faring is None:
            continue
        values = [each.reference, each.identity]
        connections.add_metric(values, faring.connections)
        again.add_metric(values, faring.retransmits)
        received.add_metric(values, faring.received)
        sent.add_metric(values, faring.sent)
        if faring.rtt is not None:
            rtt.add_metric(values, faring.rtt / 1e6)
    yield from (connections, rtt, again, received, sent)


class Counting:
    """ASGI middleware: counts requests by the path as it is declared, so that names and targets make no new series."""

    def __init__(self, app: Any, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begin, status = time.perf_counter(), 0

        async def sending(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, sending)
        finally:
            path = getattr(scope.get("route"), "path", "other")
            method = scope["method"] if path != "other" else "other"
            self.metrics.requests.labels(method, path, str(status)).inc()
            self.metrics.seconds.labels(method, path).observe(time.perf_counter() - begin)
