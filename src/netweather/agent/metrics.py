"""What the agent does in figures, as Prometheus reads them; and the middleware that counts requests."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0)


class Metrics:
    """One agent's figures. targets, listeners: how many there are now."""

    def __init__(self, targets: Callable[[], int], listeners: Callable[[], int]) -> None:
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

    def text(self) -> bytes:
        """All of it in the text format."""
        return generate_latest(self.registry)


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
