"""The demo's course: namespaces and processes, five networks one after the other under open connections, and all away again."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from netweather.conditions import NetworkCondition
from netweather.demo import shop_network as place
from netweather.demo.findings import Report, Result, Seen, followed, outcomes
from netweather.demo.interrupt import Interrupts
from netweather.demo.processes.launcher import Child
from netweather.demo.quantiles import Z999, median_interval, quantile, share_of
from netweather.demo.shop_profiles import Asked, Network, networks
from netweather.engine import Engine
from netweather.errors import NetweatherError
from netweather.targets import Target, resolve
from netweather.units import Duration

LEASE = Duration(60 * 10**9)
"""Short: a demo that is killed leaves its network bad for so long at most, and no network phase takes longer."""
NAME = "demo"
STREAMS, MOST_STREAMS = 6, 48
STREAM_BITS = 160_000 * 8
"""What one connection soon has on its way: a fast link with a long delay takes many of them to fill in a few seconds."""
PROBE_BITS = 60 * 8
MOST_PROBES_S = 2000
PART_FOR_PROBES = 0.4
"""Probes for loss take this part of the network's rate at most, or they would make the loss themselves."""

Step = Callable[[str, float], None]
"""Told of what comes next, and of how many seconds it should take."""


@dataclass(frozen=True)
class Pace:
    """How thorough the demo is. download_trips: a download lasts so many round trips, as TCP needs them to get going."""

    customers: int
    rtt_probes: int
    rtt_spacing_s: float
    loss_s: float
    download_s: float
    download_trips: float


FULL = Pace(customers=3, rtt_probes=60, rtt_spacing_s=0.02, loss_s=4.0, download_s=2.0, download_trips=9)
FAST = Pace(customers=1, rtt_probes=20, rtt_spacing_s=0.01, loss_s=1.0, download_s=0.5, download_trips=3)


def grace_s(asked: Asked) -> float:
    """How long an echo is waited for."""
    return 0.5 + 3 * asked.rtt_p95_ms / 1e3


def probe_spacing_s(asked: Asked) -> float:
    """The time between two probes for loss."""
    slowest = min(asked.rate_down or 1e12, asked.rate_up or 1e12)
    return max(1 / MOST_PROBES_S, PROBE_BITS / (slowest * PART_FOR_PROBES))


def trip_spacing_s(asked: Asked, pace: Pace) -> float:
    """The time between two probes for round trips: so long that few wait behind one that comes late."""
    return max(pace.rtt_spacing_s, 1.5 * (asked.rtt_p95_ms - asked.rtt_ms) / 1e3)


def trip_count(asked: Asked, pace: Pace) -> int:
    """How many probes: the more they differ, the more it takes."""
    return pace.rtt_probes * (2 if asked.rtt_p95_ms > asked.rtt_ms else 1)


def download_s(asked: Asked, pace: Pace) -> float:
    return max(pace.download_s, pace.download_trips * asked.rtt_ms / 1e3)


def streams(asked: Asked) -> int:
    """How many connections a download takes."""
    on_its_way = (asked.rate_down or 0) * asked.rtt_ms / 1e3
    return max(STREAMS, min(MOST_STREAMS, round(on_its_way / STREAM_BITS)))


def steps_of(asked: Asked, pace: Pace) -> list[tuple[str, float]]:
    """What is done on one network, and about how many seconds each takes."""
    rtt = asked.rtt_ms / 1e3
    page = 4 * rtt + (100_000 * 8 / asked.rate_down if asked.rate_down else 0)
    return [
        ("putting it in force", 0.4),
        ("measuring round trips", trip_count(asked, pace) * trip_spacing_s(asked, pace) + rtt),
        ("loading the page", page),
        ("checking out, counting lost packets", max(pace.loss_s + rtt, 1.1 + 2 * rtt if rtt < 0.4 else 3.8)),
        ("measuring a download", download_s(asked, pace) + 2 * rtt),
    ]


class Conditions:
    """The engine, for one target and one network condition at a time."""

    def __init__(self, engine: Engine, target: Target) -> None:
        self.engine, self.target = engine, target

    def put(self, network: Network) -> float:
        """Puts the network in force in place of the one before. Returns the milliseconds it took."""
        begin = time.monotonic()
        if network.rules:
            condition = NetworkCondition(NAME, (self.target.reference,), LEASE, network.rules, owner="netweather demo")
            self.engine.set(self.target, condition)
        else:
            self.clear()
        return (time.monotonic() - begin) * 1e3

    def clear(self) -> None:
        self.engine.clear(self.target)

    def evidence(self, network: Network) -> tuple[tuple[str, ...], int]:
        """(what is wrong with it, packets that our own devices dropped), as the engine reads them from the kernel."""
        if not network.rules:
            return (), 0
        shown = self.engine.show(self.target)
        if not shown:
            return ("it is no longer in force",), 0
        return shown[0].problems, shown[0].unwanted_drops


class Story:
    """One run. step: see Step. told: each network's result, as soon as it is there."""

    def __init__(self, pace: Pace, interrupts: Interrupts, step: Step, told: Callable[[Result], None]) -> None:
        self.pace, self.interrupts, self.step, self.told = pace, interrupts, step, told
        self.beginning = place.stem()
        self.children: dict[str, Child] = {}
        self._on_their_way_s = 0.0  # how long packets of the network before are still to come
        self.client: Child
        self.shop: Child
        self.payment: Child

    def run(self) -> Report:
        """Everything. Raises NetweatherError and Interrupted; all that was made is gone then, as it is at the end."""
        begin = time.monotonic()
        sweep()
        try:
            report = self._within(place.make)
        finally:
            self.interrupts.shield()
            self._end()
        return replace(report, seconds=time.monotonic() - begin, left=self._left())

    def _within(self, make: Callable[[str], None]) -> Report:
        self.step("making a network, a shop and its customers", 1.0)
        make(self.beginning)
        for role, module in (("payment", "payment"), ("shop", "shop"), ("client", "browser")):
            self.children[role] = Child(module, place.path_of(self.beginning, role), self.interrupts)
            if role != "client":
                self.children[role].ready()
        self.client, self.shop, self.payment = (self.children[role] for role in place.ROLES)
        self.client.ready()
        with resolve(f"netns:{self.beginning}-client")[0] as target:
            conditions = Conditions(Engine(), target)
            try:
                return self._through(conditions)
            finally:
                self.interrupts.shield()
                conditions.clear()

    def _through(self, conditions: Conditions) -> Report:
        all_of_them = networks()
        self.client.ask("open", customers=self.pace.customers, network=all_of_them[0].name)
        at_first = self.client.ask("connections")
        results = []
        for network in all_of_them:
            results.append(self._on(network, conditions))
            self.told(results[-1])
        self.step("taking it all away again", 1.0)
        conditions.clear()
        back = self._trips(20, 0.01, 0.5)
        at_last = self.client.ask("connections")
        connections = followed(at_first, at_last, [network.name for network in all_of_them])
        return Report(results, connections, self.client.ask("stream"), quantile(back, 0.5), 0.0)

    def _on(self, network: Network, conditions: Conditions) -> Result:
        asked, pace = network.asked, self.pace
        steps = iter(steps_of(asked, pace))
        self._next(steps, network)
        set_ms = conditions.put(network)
        self.interrupts.wait([], self._on_their_way_s)
        self._on_their_way_s = asked.rtt_p95_ms / 1e3
        self._next(steps, network)
        trips = self._trips(trip_count(asked, pace), trip_spacing_s(asked, pace), grace_s(asked))
        seconds = self._next(steps, network)
        page_s = self.client.ask("page", seconds, network=network.name)
        seconds = self._next(steps, network)
        purchases, fates = self._buy(network, seconds)
        self._next(steps, network)
        lasts = download_s(asked, pace)
        goodput = self.client.ask("download", lasts, streams=streams(asked), seconds=lasts)
        self._settle(asked)
        problems, unwanted = conditions.evidence(network)
        seen = Seen(
            rtt_ms=quantile(trips, 0.5),
            rtt_p95_ms=quantile(trips, 0.95),
            rtt_between=median_interval(trips),
            lost=share_of(fates, asked.follows),
            lost_widest=share_of(fates, asked.follows, Z999),
            goodput=goodput,
            download_trips=lasts * 1e3 / asked.rtt_ms if asked.rtt_ms else None,
        )
        bought = outcomes(purchases, self.payment.ask("ledger"))
        return Result(network, seen, page_s, bought, set_ms, problems, unwanted)

    def _next(self, steps: Iterator[tuple[str, float]], network: Network) -> float:
        what, seconds = next(steps)
        self.step(f"{network.name}: {what}", seconds)
        return seconds

    def _exchange(self, count: int, spacing_s: float, grace: float) -> dict[str, Any]:
        takes = count * spacing_s + grace
        found: dict[str, Any] = self.client.ask("exchange", takes, count=count, spacing_s=spacing_s, grace_s=grace)
        return found

    def _trips(self, count: int, spacing_s: float, grace: float) -> list[float]:
        trips = [trip for trip in self._exchange(count, spacing_s, grace)["ms"] if trip is not None]
        if not trips:
            raise NetweatherError("demo-failed", "not one probe came back", "", "`netweather doctor` says what is missing")
        return trips

    def _buy(self, network: Network, takes_s: float) -> tuple[list[dict[str, Any]], list[list[bool]]]:
        """Purchases; and which probes were lost meanwhile: on the way there, and of those that arrived, on the way back."""
        spacing = probe_spacing_s(network.asked)
        count = round(self.pace.loss_s / spacing)
        waits = grace_s(network.asked)
        found = self.client.ask("buy", takes_s + waits, network=network.name, count=count, spacing_s=spacing, grace_s=waits)
        there = [word == "1" for word in self.shop.ask("arrived", run=found["run"], count=count)]
        back = [trip is not None for trip in found["ms"]]
        return found["purchases"], [[not ok for ok in there], [not ok for ok, came in zip(back, there, strict=True) if came]]

    def _settle(self, asked: Asked) -> None:
        """Waits for what the download left in the queues: it would be in the way of what comes next."""
        for _ in range(8):
            with contextlib.suppress(NetweatherError):
                if quantile(self._trips(3, 0.02, grace_s(asked)), 0.5) <= asked.rtt_p95_ms * 1.2 + 5:
                    return

    def _end(self) -> None:
        for child in self.children.values():
            child.stop()
        place.remove(self.beginning)

    def _left(self) -> list[str]:
        return place.left(self.beginning) + [f"process {child.pid}" for child in self.children.values() if child.running]


def sweep() -> list[str]:
    """Takes away what killed demos left. Returns the beginnings of its names."""
    gone = place.forsaken()
    for beginning in gone:
        with contextlib.suppress(NetweatherError), resolve(f"netns:{beginning}-client")[0] as target:
            Engine(held="drop").clear(target)
        place.remove(beginning)
    return gone
