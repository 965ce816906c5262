"""The demo's five networks, what it found on each, its judgement and its JSON. Pure; not here: how it looks (display)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from statistics import median
from typing import Any

from netweather.conditions import Condition, Rule
from netweather.conditions.estimates.effects import bit_rate, mean_loss, quantiles
from netweather.conditions.profiles import find_profile
from netweather.demo.customers import Record
from netweather.measure.expectation import expect
from netweather.measure.statistics import CONFIDENCE, Interval, share_interval

NETWORKS = {"perfect": "perfect", "4G": "4g", "3G": "3g", "lossy Wi-Fi": "lossy-wifi", "satellite": "satellite"}
"""Names for people, and the profiles; from good to bad, so that the same connections see them get worse."""
_interval = cache(share_interval)  # the display asks for it with each frame
ENOUGH_TRIPS = 8
"""A download of fewer round trips says how TCP starts, not how fast the network is."""
RETRANSMIT_MS = 200
"""The least time-out of TCP for an acknowledgement (TCP_RTO_MIN)."""


@dataclass(frozen=True)
class Asked:
    """Figures of a condition. Times in ms, added by it; loss: 0 to 1, in each direction; rates in bits a second.

    spread: by how much losses in bursts widen the interval of a share.
    """

    rtt_ms: float
    rtt_p95_ms: float
    loss: float
    spread: float
    rate_down: float | None
    rate_up: float | None


@dataclass(frozen=True)
class Network:
    """One network. rules: () for the perfect one, which has no condition."""

    name: str
    profile: str
    source: str
    rules: tuple[Rule, ...]
    asked: Asked


def networks() -> list[Network]:
    """The five, in their order."""
    return [_network(name, profile) for name, profile in NETWORKS.items()]


@cache
def _network(name: str, profile: str) -> Network:
    found = find_profile(profile)
    up, down = found.up, found.down
    trips = sorted(there + back for there in quantiles(up.delay) for back in quantiles(down.delay))
    asked = Asked(
        rtt_ms=trips[len(trips) // 2] * 1e3,
        rtt_p95_ms=trips[int(len(trips) * 0.95)] * 1e3,
        loss=(mean_loss(up.loss) + mean_loss(down.loss)) / 2,
        spread=max(expect(up).spread, expect(down).spread),
        rate_down=bit_rate(down),
        rate_up=bit_rate(up),
    )
    rules = () if up == down == Condition() else (Rule(condition=Condition(profile=profile)),)
    return Network(name, profile, found.source, rules, asked)


@dataclass(frozen=True)
class Lost:
    """So many of so many packets were lost. spread: see Asked."""

    count: int
    of: int
    spread: float = 1.0

    @property
    def share(self) -> float:
        return self.count / self.of if self.of else 0.0

    def between(self, confidence: float = 0.95) -> Interval:
        return _interval(self.count / self.spread, self.of / self.spread, confidence)


@dataclass(frozen=True)
class NetworkFindings:
    """What was measured on one network. rtt_between: the true median is there, 999 times in 1000.

    goodput: bits a second of a TCP download that lasted `download_trips` round trips (None: the network adds no delay).
    """

    rtt_ms: float
    rtt_p95_ms: float
    rtt_between: Interval
    lost: Lost
    goodput: float
    download_trips: float | None = None


@dataclass(frozen=True)
class ShopOutcome:
    """What happened to one shop's customers on one network. charged: how often each was, by the payment service's ledger.

    seconds: the median checkout; told: customers who saw that it worked; retried: those whose browser repeated the request.
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
    """One network. set_ms: how long it took to put it in force; problems: those that `show` reports."""

    network: Network
    seen: NetworkFindings
    page_s: float
    outcomes: Mapping[str, ShopOutcome]
    set_ms: float
    problems: tuple[str, ...] = ()
    unwanted_drops: int = 0

    @property
    def faults(self) -> list[str]:
        """In what the network was not as requested."""
        return [*self.problems, *faults(self.network.asked, self.seen)]


@dataclass(frozen=True)
class Connections:
    """The customers' TCP connections through all the changes.

    opened: before the first one; still: of them, open at the end, with requests on every network;
    hung_up: by a browser after its timeout; broken: ended by anything else.
    """

    opened: int
    still: int
    hung_up: int
    broken: int


@dataclass(frozen=True)
class DemoReport:
    """The whole demo. back_ms: the round trip after all was removed; left: what was not removed."""

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


def faults(asked: Asked, seen: NetworkFindings) -> list[str]:
    """What was measured and can't come from the condition; this machine may add a few ms, and take some speed."""
    found = []
    if seen.rtt_between.high < asked.rtt_ms * 0.97 or seen.rtt_between.low > asked.rtt_ms * 1.1 + 5:
        found.append(f"{seen.rtt_ms:.1f} ms seen, {asked.rtt_ms:.1f} ms asked")
    if not Interval(asked.loss, asked.loss).within(seen.lost.between(CONFIDENCE)):
        found.append(f"{seen.lost.share:.2%} of packets lost, {asked.loss:.2%} asked")
    slow = 0.5 if seen.download_trips is None or seen.download_trips >= ENOUGH_TRIPS else 0.0
    # Data behind a lost packet is delivered together: a round trip later, or a timeout later on some of the connections.
    late_ms = asked.rtt_ms + RETRANSMIT_MS / 3
    late = late_ms * 3 / (seen.download_trips * asked.rtt_ms) if asked.loss and seen.download_trips else 0.0
    if asked.rate_down and not slow <= seen.goodput / asked.rate_down <= 1.02 + late:
        found.append(f"{seen.goodput / 1e6:.2f} Mbit/s seen, {asked.rate_down / 1e6:.2f} asked")
    return found


def names(results: Iterable[Result]) -> str:
    """The networks' names, for a sentence."""
    *listed, last = [result.network.name for result in results]
    return f"{', '.join(listed)} and {last}" if listed else last


def outcomes(purchases: Iterable[Mapping[str, Any]], ledger: Iterable[Mapping[str, Any]]) -> dict[str, ShopOutcome]:
    """Each shop's outcome: what its customers saw, and how often the ledger has their orders."""
    charges = Counter(charge["order"] for charge in ledger)
    by_shop: dict[str, list[Mapping[str, Any]]] = {}
    for purchase in purchases:
        by_shop.setdefault(purchase["shop"], []).append(purchase)
    return {
        shop: ShopOutcome(
            seconds=median(one["seconds"] for one in made),
            told=sum(one["told"] for one in made),
            retried=sum(len(one["attempts"]) > 1 for one in made),
            charged=tuple(charges[one["order"]] for one in made),
        )
        for shop, made in by_shop.items()
    }


def followed(at_first: Sequence[Record], at_last: Sequence[Record], through: Iterable[str]) -> Connections:
    """What happened to the connections that there were at first. through: the networks on which each should have carried requests."""
    return Connections(
        opened=len(at_first),
        still=sum(one.closed is None and one.networks >= set(through) for one in at_first),
        hung_up=sum(one.closed == "time-out" for one in at_first),
        broken=sum(one.closed == "broken" for one in at_last),
    )


def document(report: DemoReport) -> dict[str, Any]:
    """The report as JSON objects."""
    return {
        "ok": not report.shortcomings,
        "shortcomings": report.shortcomings,
        "seconds": round(report.seconds, 1),
        "networks": [_as_json(result) for result in report.results],
        "connections": asdict(report.connections),
        "stream": dict(report.stream),
        "roundTripAfterwardsMs": round(report.back_ms, 3),
        "left": report.left,
    }


def _as_json(result: Result) -> dict[str, Any]:
    asked, seen = result.network.asked, result.seen
    between = seen.lost.between()
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
            "loss": seen.lost.share,
            "lossBetween": [between.low, between.high],
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
