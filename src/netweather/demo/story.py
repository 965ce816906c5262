"""The demo's course: a lab, a shop and its customers, five networks one after the other under open connections, and all removed."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from netweather.conditions import NetworkCondition
from netweather.demo import shop
from netweather.demo.customers import LIMIT_S, Connection, Customers, download
from netweather.demo.findings import Asked, DemoReport, Lost, Network, NetworkFindings, Result, followed, networks, outcomes
from netweather.errors import NetweatherError
from netweather.kernel.traffic.probe_packets import SMALLEST, UDP, Ends, Flow, ProbeStream
from netweather.kernel.traffic.round_trips import echo_times
from netweather.kernel.waiting import pause
from netweather.measure.statistics import quantile, quantile_interval
from netweather.service.protocol import end_condition
from netweather.testing.labs.lab import Lab
from netweather.units import Duration

LEASE = Duration(60 * 10**9)
"""Short: a demo that is killed leaves its network bad for that time at most, and no network takes longer."""
STREAMS, MOST_STREAMS = 6, 48
STREAM_BITS = 160_000 * 8
"""What one connection soon has on its way: a fast link with a long delay takes many of them to fill in a few seconds."""
PROBE_BITS = 60 * 8
MOST_PROBES_S = 2000
PART_FOR_PROBES = 0.4
"""Probes for loss take this part of the network's rate at most, or they would make the loss themselves."""

StoryStep = Callable[[str, float], None]
"""Is called with what comes next, and with the seconds that it should take."""


@dataclass(frozen=True)
class Pace:
    """How thorough the demo is. download_trips: a download lasts that many round trips, as TCP needs them to start."""

    customers: int
    rtt_probes: int
    rtt_spacing_s: float
    loss_s: float
    download_s: float
    download_trips: float


FULL = Pace(customers=3, rtt_probes=60, rtt_spacing_s=0.02, loss_s=4.0, download_s=2.0, download_trips=9)
FAST = Pace(customers=1, rtt_probes=20, rtt_spacing_s=0.01, loss_s=1.0, download_s=0.5, download_trips=3)


class Plan:
    """How one network is measured. patience_s: how long an echo is waited for; loss: the probes for loss, in each direction.

    trips, spacing_s: of round trips; the more they differ, the more it takes, and the fewer may wait behind one that is late.
    """

    def __init__(self, asked: Asked, pace: Pace) -> None:
        rtt, jitter = asked.rtt_ms / 1e3, (asked.rtt_p95_ms - asked.rtt_ms) / 1e3
        slowest = min(asked.rate_down or 1e12, asked.rate_up or 1e12)
        self.patience_s = 0.5 + 3 * asked.rtt_p95_ms / 1e3
        self.trips = pace.rtt_probes * (2 if jitter else 1)
        self.spacing_s = max(pace.rtt_spacing_s, 1.5 * jitter)
        per_second = min(MOST_PROBES_S, slowest * PART_FOR_PROBES / PROBE_BITS)
        self.loss = ProbeStream(round(pace.loss_s * per_second), per_second, SMALLEST)
        self.download_s = max(pace.download_s, pace.download_trips * rtt)
        self.streams = max(STREAMS, min(MOST_STREAMS, round((asked.rate_down or 0) * rtt / STREAM_BITS)))
        page = 4 * rtt + (100_000 * 8 / asked.rate_down if asked.rate_down else 0)
        buying = 1.1 + 2 * rtt if rtt < 0.4 else 3.8
        self.steps = {
            "putting it in force": 0.4,
            "measuring round trips": self.trips * self.spacing_s + rtt,
            "loading the page": page,
            "checking out, counting lost packets": max(pace.loss_s + rtt, buying),
            "measuring a download": self.download_s + 2 * rtt,
        }


class Story:
    """One run. step: see Step; add: is given each network's result."""

    def __init__(self, pace: Pace, step: StoryStep, add: Callable[[Result], None]) -> None:
        self.pace, self.step, self.add = pace, step, add
        self.lab = Lab("client", "shop", "payment", links=[("client", "shop"), ("shop", "payment")])
        self._on_their_way_s = 0.0  # how long packets of the network before are still to come
        self.customers: Customers

    def run(self) -> DemoReport:
        """Everything. Raises NetweatherError; all that it made is removed then, and also at the end."""
        begin = time.monotonic()
        self.step("making a network, a shop and its customers", 1.0)
        with self.lab as lab, contextlib.ExitStack() as stack:
            self.address, inside = lab["shop"].address, lab["payment"].address
            self._serve("payment", inside, f"tcp:{shop.PAYMENT_PORT}")
            self._serve("shop", self.address, f"tcp:{shop.PORTS['fixed']}", inside)
            self.customers = Customers(lab["client"], self.address, self.pace.customers)
            stack.callback(self.customers.close)
            stack.callback(self._clear)
            report = self._through()
        left = [host.path.name for host in lab.hosts.values() if host.path.exists()]
        left += [f"process {child.pid}" for host in lab.hosts.values() for child in host.processes.values() if child.running]
        return replace(report, seconds=time.monotonic() - begin, left=left)

    def _serve(self, host: str, *arguments: str) -> None:
        address, ready, *more = arguments
        self.lab[host].start(sys.executable, "-P", "-m", shop.__name__, host, address, *more, ready=ready)

    def _through(self) -> DemoReport:
        results = []
        for network in networks():
            results.append(self._on(network))
            self.add(results[-1])
        self.step("removing it all", 1.0)
        self._clear()
        back = quantile(self._trips(20, 0.01, 0.5), 0.5)
        through = [result.network.name for result in results]
        connections = followed(self.customers.at_first, self.customers.records(), through)
        return DemoReport(results, connections, self.customers.listener.report(), back, 0.0)

    def _on(self, network: Network) -> Result:
        plan = Plan(network.asked, self.pace)
        steps = iter(plan.steps.items())

        def following() -> None:
            what, seconds = next(steps)
            self.step(f"{network.name}: {what}", seconds)

        following()
        set_ms = self._put(network)
        following()
        trips = self._trips(plan.trips, plan.spacing_s, plan.patience_s)
        following()
        page_s = self.customers.visitor.load_page(network.name)
        following()
        purchases = self.customers.buy(network.name)
        lost = self._lost(plan, network.asked)
        bought = outcomes(purchases(), self._ledger())
        following()
        goodput = download(self.lab["client"], self.address, plan.streams, plan.download_s)
        self._settle(plan, network.asked)
        between = quantile_interval(trips, 0.5)
        trips_of_download = plan.download_s * 1e3 / network.asked.rtt_ms if network.asked.rtt_ms else None
        seen = NetworkFindings(quantile(trips, 0.5), quantile(trips, 0.95), between, lost, goodput, trips_of_download)
        return Result(network, seen, page_s, bought, set_ms, *self._shown(network))

    # the network

    def _put(self, network: Network) -> float:
        """Puts the network in force in place of the one before. Returns the milliseconds that it took."""
        begin = time.monotonic()
        if network.rules:
            condition = NetworkCondition("demo", (self._target,), LEASE, network.rules, owner="netweather demo")
            self.lab.network.service.set([condition])
        took = time.monotonic() - begin
        pause(self._on_their_way_s)
        self._on_their_way_s = network.asked.rtt_p95_ms / 1e3
        return took * 1e3

    @property
    def _target(self) -> str:
        return self.lab["client"].reference

    def _shown(self, network: Network) -> tuple[tuple[str, ...], int]:
        """(what is wrong with the condition, packets that our own devices dropped)."""
        if not network.rules:
            return (), 0
        shown = self.lab.network.service.show([self._target])
        return (shown[0].problems, shown[0].unwanted_drops) if shown else (("it is no longer in force",), 0)

    def _clear(self) -> None:
        end_condition(self.lab.network.service, [self._target], "demo")

    # measurements

    def _trips(self, count: int, spacing_s: float, patience_s: float) -> list[float]:
        """Round trips, ms, rising."""
        times = echo_times(self.lab["client"].namespace, self.address, count, spacing_s, patience_s)
        if not times:
            raise NetweatherError("demo-failed", "not one probe came back", "", "`netweather doctor` says what is missing")
        return sorted(seconds * 1e3 for seconds in times)

    def _lost(self, plan: Plan, asked: Asked) -> Lost:
        """What is lost of numbered packets, both ways together."""
        client, server = self.lab["client"], self.lab["shop"]
        with Ends(client.namespace, server.namespace, Flow(UDP, client.address, server.address)) as ends:
            found = ends.exchange({"egress": plan.loss, "ingress": plan.loss}, plan.patience_s)
        sent = sum(len(one.sent) for one in found.values())
        arrived = sum(len({number for number, _, _ in one.seen}) for one in found.values())
        return Lost(sent - arrived, sent, asked.spread)

    def _ledger(self) -> list[dict[str, Any]]:
        host = self.lab["payment"]
        connection = Connection(host, host.address, shop.PAYMENT_PORT, [])
        with contextlib.closing(connection):
            found: list[dict[str, Any]] = json.loads(connection.fetch("", "GET", "/charges", LIMIT_S))
            return found

    def _settle(self, plan: Plan, asked: Asked) -> None:
        """Waits until what the download left in the queues has passed: it would delay what comes next."""
        for _ in range(8):
            with contextlib.suppress(NetweatherError):
                if quantile(self._trips(3, 0.02, plan.patience_s), 0.5) <= asked.rtt_p95_ms * 1.2 + 5:
                    return
