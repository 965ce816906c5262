"""Our netem line beside netem put on the interface by hand: how much goes through, and how late it comes.

Where this kernel has no netem, all of it is measured in a guest that has one (tests/support/guest.py).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from statistics import median

from netweather.conditions import Condition, Delay, LossRandom
from netweather.kernel.features import features
from netweather.units import Duration, Percent
from tests.support import guest
from tests.support.kernels import NoGuest
from tools.bench.figures import Row, Rows, at_least, impossible, row
from tools.bench.load import words
from tools.bench.network import MS, Net, network, rule
from tools.bench.rounds import Plan, interleaved
from tools.bench.traffic import Flow, Kind, Lateness, flow, lateness, ping, tool

SECTION = "netem"
PLAIN, LATER = Delay(Duration(MS)), Delay(Duration(10 * MS))
LOSS = "0.01%"
BY_HAND = {  # what a user types; the limit is ours, or at more than its 1,000 packets a figure would be of the queue
    "plain": "delay 1ms limit 10000",
    "loss": f"delay 1ms loss {LOSS} limit 10000",
    "later": "delay 10ms limit 10000",
}
CONDITIONS = {
    "plain": Condition(delay=PLAIN),
    "loss": Condition(delay=PLAIN, loss=LossRandom(Percent.parse(LOSS))),
    "later": Condition(delay=LATER),
}
BESIDE = {"plain": "netem by hand, GSO on", "loss": "the same by hand, GSO off", "later": "netem by hand"}
LEAST = {"plain": 0.7, "loss": 0.8}
PATIENCE_S = 900.0
Way = Callable[[], AbstractContextManager[object]]


def run(plan: Plan) -> Rows:
    if features.there("netem"):
        with network() as net:
            net.line_engine = "netem"
            yield from _tcp(net, plan)
            yield from _packets(net, plan)
            yield from _latency(net, plan)
    else:
        yield from _in_a_guest(plan)


def _tcp(net: Net, plan: Plan) -> Iterator[Row]:
    for kind, name in (("plain", "TCP, 1 ms of delay"), ("loss", f"TCP, 1 ms of delay and {LOSS} of wire packets lost")):
        yield _throughput(net, plan, name, "tcp", kind, "Gbit/s")


def _packets(net: Net, plan: Plan) -> Iterator[Row]:
    for kind, name in (("plain", "64-byte UDP, 1 ms of delay"), ("loss", f"64-byte UDP, 1 ms of delay and {LOSS} lost")):
        yield _throughput(net, plan, name, "udp", kind, "packets/s")


def _throughput(net: Net, plan: Plan, name: str, traffic: Kind, kind: str, unit: str) -> Row:
    found = interleaved(plan, name, {word: _flow(net, plan, traffic, way) for word, way in _ways(net, kind).items()})
    rates = {word: [one.rate for one in flows] for word, flows in found.items()}
    least = LEAST["loss"] if traffic == "udp" else LEAST[kind]  # a datagram is a packet, whatever is decided
    beside = "netem by hand" if traffic == "udp" else BESIDE[kind]
    note = words([one.load for one in found["ours"]])
    return row(SECTION, name, unit, rates["ours"], (beside, rates["by hand"]), goal=at_least(least), note=note)


def _flow(net: Net, plan: Plan, traffic: Kind, way: Way) -> Callable[[], Flow]:
    def measure() -> Flow:
        with way():
            return flow(net, traffic, plan.seconds(1.0))

    return measure


def _latency(net: Net, plan: Plan) -> Iterator[Row]:
    ways = _ways(net, "plain")

    def round_trip(way: Way) -> float:
        with way():
            return 1000 * median(ping(net.client, net.server, round(plan.seconds(200))))

    found = interleaved(plan, "ping", {word: partial(round_trip, way) for word, way in ways.items()})
    added = median(ours - theirs for ours, theirs in zip(found["ours"], found["by hand"], strict=True))
    note = f"{added:.0f} µs more"
    yield row(SECTION, "ping, 1 ms of delay, median RTT", "µs", found["ours"], ("netem by hand", found["by hand"]), note=note)

    def one_way(way: Way) -> Lateness:
        with way():
            return lateness(net.client, net.server, round(plan.seconds(500)), 500)

    ways = _ways(net, "later")
    late = interleaved(plan, "10 ms", {word: partial(one_way, way) for word, way in ways.items()})
    for point, name in (("p50", "median"), ("p99", "99th percentile")):
        micros = {word: [1000 * (one.points[point] - 10) for one in each] for word, each in late.items()}
        what = f"10 ms asked, how late: {name}"
        yield row(SECTION, what, "µs", micros["ours"], ("netem by hand", micros["by hand"]), note="500 packets/s", compare=False)


def _ways(net: Net, kind: str) -> dict[str, Way]:
    return {
        "ours": lambda: net.condition(rule(CONDITIONS[kind], direction="egress")),
        "by hand": lambda: _by_hand(net, BY_HAND[kind], gso=kind != "loss"),
    }


@contextmanager
def _by_hand(net: Net, netem: str, *, gso: bool) -> Iterator[None]:
    """netem as the interface's root qdisc. gso: what the interface sends may be super-packets; else netem decides for each packet."""
    _segmentation(net, on=gso)
    net.client.run("tc", "qdisc", "add", "dev", "eth0", "root", "netem", *netem.split())
    try:
        yield
    finally:
        net.client.run("tc", "qdisc", "del", "dev", "eth0", "root")
        _segmentation(net, on=True)


def _segmentation(net: Net, *, on: bool) -> None:
    word = "on" if on else "off"
    net.client.run("ethtool", "-K", "eth0", "gso", word, "tso", word)


def _in_a_guest(plan: Plan) -> Rows:
    """The same section in there; its rows, each saying where it was measured."""
    plan.tell("a guest with netem")
    tool()  # compiled here, found there
    quick = ["--quick"] if plan.quick else []
    try:
        done = guest.run(["--only", SECTION, "--rounds", str(plan.rounds), *quick], patience=PATIENCE_S, program=guest.BENCH)
    except NoGuest as error:
        yield impossible(SECTION, "netem lines", str(error))
        return
    if done.code != 0:
        raise RuntimeError(f"the guest's bench: exit {done.code}: {done.text[-1000:]}")
    document = json.loads(done.report)
    for each in document["rows"]:
        one = Row.read(each)
        where = f"in an emulated guest, Linux {document['machine']['kernel']}"
        yield replace(one, note=f"{one.note}; {where}" if one.note else where)
