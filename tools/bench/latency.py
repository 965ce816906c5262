"""What a line adds to the time it was asked for, how much that varies, and whether anything is lost on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import median

from netweather.conditions import Rule
from tools.bench.figures import Row, Rows, at_most, row
from tools.bench.network import Net, delay, network, rule
from tools.bench.rounds import Plan, interleaved
from tools.bench.traffic import Lateness, lateness, ping

SECTION = "latency"
ASKED_MS = 50
RATES = (1_000, 10_000, 100_000)


def run(plan: Plan) -> Rows:
    with network() as net:
        yield _ping(net, plan)
        yield from _each_way(net, plan)
        yield from _accuracy(net, plan)
        yield from _jitter(net, plan)


def _ping(net: Net, plan: Plan) -> Row:
    measures = {
        "bare": lambda: _round_trip(net, plan),
        "line": lambda: _round_trip(net, plan, rule(delay(0), direction="egress")),
    }
    found = interleaved(plan, "ping", measures)
    added = median(line - bare for line, bare in zip(found["line"], found["bare"], strict=True))
    note = f"{added:.0f} µs more"
    return row(SECTION, "ping through a 0 ms line, median RTT", "µs", found["line"], ("bare veth", found["bare"]), note=note)


def _each_way(net: Net, plan: Plan) -> Iterator[Row]:
    """100 ms each way, and 10 ms by a change while packets flow: what the strictest test of a peer allows 15 ms for."""

    def both() -> tuple[list[float], list[float]]:
        count = round(plan.seconds(60))
        with net.condition(rule(delay(100))):
            first = ping(net.client, net.server, count)
            net.put(rule(delay(10)))
            return first, ping(net.client, net.server, count)

    found = interleaved(plan, "each way", {"line": both})["line"]
    names = ("RTT, 100 ms asked each way", "RTT, after a live change to 10 ms each way")
    for name, most, trips in zip(names, (205, 25), zip(*found, strict=True), strict=True):
        note = f"the earliest of all took {min(map(min, trips)):.1f} ms"
        yield row(SECTION, name, "ms", [median(each) for each in trips], goal=at_most(most, "figure"), note=note)


def _round_trip(net: Net, plan: Plan, *rules: Rule) -> float:
    with net.condition(*rules):
        return 1000 * median(ping(net.client, net.server, round(plan.seconds(400))))


def _accuracy(net: Net, plan: Plan) -> Iterator[Row]:
    count = round(plan.seconds(1000))

    def one_way(direction: str, *rules: Rule) -> Lateness:
        ends = (net.client, net.server) if direction == "egress" else (net.server, net.client)
        with net.condition(*rules):
            return lateness(*ends, count, 1000)

    for direction in ("egress", "ingress"):
        measures: dict[str, Callable[[], Lateness]] = {
            "bare": lambda way=direction: one_way(way),  # type: ignore[misc]  # bound here
            "line": lambda way=direction: one_way(way, rule(delay(ASKED_MS), direction=way)),  # type: ignore[misc]  # bound here
        }
        found = interleaved(plan, f"{ASKED_MS} ms {direction}", measures)
        for point, name in (("p50", "median"), ("p99", "99th percentile")):
            late = [1000 * (one.points[point] - ASKED_MS) for one in found["line"]]
            bare = [1000 * one.points[point] for one in found["bare"]]
            early = min(one.points["min"] for one in found["line"])
            note = f"1,000 packets/s; the earliest of all came after {early:.3f} ms"
            name = f"{ASKED_MS} ms asked at {direction}, how late: {name}"
            yield row(SECTION, name, "µs", late, ("bare veth, one way", bare), note=note, compare=False)


def _jitter(net: Net, plan: Plan) -> Iterator[Row]:
    for rate in RATES:
        count = max(200, round(plan.seconds(rate)))
        drops: list[float] = []

        def paced(*rules: Rule, count: int = count, rate: int = rate, drops: list[float] = drops) -> Lateness:
            with net.condition(*rules):
                found = lateness(net.client, net.server, count, rate)
                if rules:
                    drops.append(net.unwanted_drops())
                return found

        measures = {"bare": paced, "line": lambda paced=paced: paced(rule(delay(ASKED_MS), direction="egress"))}
        found = interleaved(plan, f"{rate:,} packets/s", measures)
        real = median(one.rate for one in found["line"])
        spread = {name: [1000 * (one.points["p99"] - one.points["p50"]) for one in each] for name, each in found.items()}
        name = f"jitter (99th percentile − median) at {rate:,}/s"
        added = median(line - bare for line, bare in zip(spread["line"], spread["bare"], strict=True))
        note = f"{added:,.0f} µs more; sent {real:,.0f} packets/s"
        yield row(SECTION, name, "µs", spread["line"], ("bare veth", spread["bare"]), note=note, compare=False)
        lost = [float(one.sent - one.received) for one in found["line"]]
        bare = [float(one.sent - one.received) for one in found["bare"]]
        note = f"{sum(lost):,.0f} of {sum(one.sent for one in found['line']):,} never arrived; bare veth: {sum(bare):,.0f}"
        yield row(SECTION, f"unwanted drops at {rate:,}/s", "packets", drops, goal=at_most(0, "figure"), note=note)
