"""What the demo found: plain data, its judgement, and its JSON. Pure; not here: how it looks (display)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from netweather.demo.quantiles import Share
from netweather.demo.shop_profiles import Asked, Network

ENOUGH_TRIPS = 8
"""A download of fewer round trips says how TCP starts, not how fast the network is."""


@dataclass(frozen=True)
class Seen:
    """What was measured on one network.

    rtt_between: where the true median is, and lost_widest: the true share, 999 times in 1000; lost has the 95 % interval.
    goodput: bits a second of a TCP download that had `download_trips` round trips to get going (None: as many as it liked).
    """

    rtt_ms: float
    rtt_p95_ms: float
    rtt_between: tuple[float, float]
    lost: Share
    lost_widest: Share
    goodput: float
    download_trips: float | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of one shop's customers on one network. charged: how often each was, by the payment service's ledger.

    seconds: the median checkout; told: customers who saw that it worked; retried: those whose browser asked again.
    """

    seconds: float
    told: int
    retried: int
    charged: tuple[int, ...]

    @property
    def customers(self) -> int:
        return len(self.charged)

    @property
    def twice(self) -> int:
        """Customers who paid more than once."""
        return sum(times > 1 for times in self.charged)

    @property
    def once(self) -> int:
        return sum(times == 1 for times in self.charged)


@dataclass(frozen=True)
class Result:
    """One network. set_ms: how long it took to put it in force; problems: what the engine says is wrong with it."""

    network: Network
    seen: Seen
    page_s: float
    outcomes: Mapping[str, Outcome]
    set_ms: float
    problems: tuple[str, ...] = ()
    unwanted_drops: int = 0

    @property
    def faults(self) -> list[str]:
        """In what the network was not as asked."""
        return [*self.problems, *faults(self.network.asked, self.seen)]


@dataclass(frozen=True)
class Connections:
    """The customers' TCP connections through all the changes.

    opened: before the first one; still: of them, open at the end, each the same socket, with requests on every network;
    hung_up: by a browser whose patience was over; broken: ended by anything else.
    """

    opened: int
    still: int
    hung_up: int
    broken: int


@dataclass(frozen=True)
class Report:
    """The whole demo. back_ms: the round trip after all was taken away again; left: what should be gone and is not."""

    results: list[Result]
    connections: Connections
    stream: Mapping[str, Any]
    back_ms: float
    seconds: float
    left: list[str] = field(default_factory=list)

    def caught(self, shop: str) -> list[Result]:
        """The networks on which this shop's customers paid twice."""
        return [result for result in self.results if result.outcomes[shop].twice]

    @property
    def shortcomings(self) -> list[str]:
        """Why the demo did not show what it promises; empty: it did."""
        found = [f"{result.network.name}: {fault}" for result in self.results for fault in result.faults]
        if not self.caught("naive"):
            found.append("the naive shop's double purchase was not seen")
        if self.caught("fixed"):
            found.append(f"the fixed shop sold twice on {names(self.caught('fixed'))}")
        if self.connections.broken or self.stream["broken"] or self.stream["missing"]:
            found.append("an open connection broke when the network changed")
        if self.left:
            found.append(f"left behind: {', '.join(self.left)}")
        return found


def faults(asked: Asked, seen: Seen) -> list[str]:
    """What was measured that can't come from what was asked; this machine may add a few ms, and take some speed."""
    found = []
    low, high = seen.rtt_between
    if high < asked.rtt_ms * 0.97 or low > asked.rtt_ms * 1.1 + 5:
        found.append(f"{seen.rtt_ms:.1f} ms seen, {asked.rtt_ms:.1f} ms asked")
    if not seen.lost_widest.low <= asked.loss <= seen.lost_widest.high:
        found.append(f"{seen.lost.value:.2%} of packets lost, {asked.loss:.2%} asked")
    slow = 0.5 if seen.download_trips is None or seen.download_trips >= ENOUGH_TRIPS else 0.0
    # What waited behind a lost packet comes all at once: up to a round trip's worth from before the third that is measured.
    late = 3 / seen.download_trips if asked.loss and seen.download_trips else 0.0
    if asked.rate_down and not slow <= seen.goodput / asked.rate_down <= 1.02 + late:
        found.append(f"{seen.goodput / 1e6:.2f} Mbit/s seen, {asked.rate_down / 1e6:.2f} asked")
    return found


def names(results: Iterable[Result]) -> str:
    """The networks' names, for a sentence."""
    listed = [result.network.name for result in results]
    return " and ".join([", ".join(listed[:-1]), listed[-1]] if len(listed) > 1 else listed)


def outcomes(purchases: Iterable[Mapping[str, Any]], ledger: Iterable[Mapping[str, Any]]) -> dict[str, Outcome]:
    """Each shop's outcome: what its customers saw, and what the ledger says of their orders."""
    charges = Counter(charge["order"] for charge in ledger)
    by_shop: dict[str, list[Mapping[str, Any]]] = {}
    for purchase in purchases:
        by_shop.setdefault(purchase["shop"], []).append(purchase)
    return {
        shop: Outcome(
            seconds=median(one["seconds"] for one in made),
            told=sum(one["told"] for one in made),
            retried=sum(len(one["attempts"]) > 1 for one in made),
            charged=tuple(charges[one["order"]] for one in made),
        )
        for shop, made in by_shop.items()
    }


def followed(before: Iterable[Mapping[str, Any]], after: Iterable[Mapping[str, Any]], networks: Iterable[str]) -> Connections:
    """What became of the connections that there were at first. networks: all those that one should have carried requests on."""
    at_first = {(one["port"], one["inode"]) for one in before}
    through = set(networks)
    all_of_them = list(after)
    ours = [one for one in all_of_them if (one["port"], one["inode"]) in at_first]
    return Connections(
        opened=len(at_first),
        still=sum(one["closed"] is None and through <= set(one["networks"]) for one in ours),
        hung_up=sum(one["closed"] == "time-out" for one in ours),
        broken=sum(one["closed"] == "broken" for one in all_of_them),
    )


def document(report: Report) -> dict[str, Any]:
    """The report as JSON objects."""
    return {
        "ok": not report.shortcomings,
        "shortcomings": report.shortcomings,
        "seconds": round(report.seconds, 1),
        "networks": [_network(result) for result in report.results],
        "connections": asdict(report.connections),
        "stream": dict(report.stream),
        "roundTripAfterwardsMs": round(report.back_ms, 3),
        "left": report.left,
    }


def _network(result: Result) -> dict[str, Any]:
    asked, seen = result.network.asked, result.seen
    return {
        "name": result.network.name,
        "profile": result.network.profile,
        "source": result.network.source,
        "asked": {
            "rttMs": round(asked.rtt_ms, 3),
            "rttP95Ms": round(asked.rtt_p95_ms, 3),
            "loss": asked.loss,
            "rateDown": asked.rate_down,
            "rateUp": asked.rate_up,
        },
        "seen": {
            "rttMs": round(seen.rtt_ms, 3),
            "rttP95Ms": round(seen.rtt_p95_ms, 3),
            "loss": seen.lost.value,
            "lossBetween": [seen.lost.low, seen.lost.high],
            "probes": seen.lost.of,
            "goodput": round(seen.goodput),
        },
        "asAsked": not result.faults,
        "faults": result.faults,
        "setMs": round(result.set_ms, 1),
        "unwantedDrops": result.unwanted_drops,
        "pageSeconds": round(result.page_s, 3),
        "shops": {shop: asdict(outcome) | {"twice": outcome.twice} for shop, outcome in result.outcomes.items()},
    }
