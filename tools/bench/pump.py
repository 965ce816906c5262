"""What goes through the pump: TCP and small packets a second, beside the bare veth pair."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from netweather.conditions import Condition, Delay, LossRandom
from netweather.units import Duration, Percent
from tools.bench.figures import Row, Rows, at_least, row
from tools.bench.load import words
from tools.bench.network import Net, delay, network, rule
from tools.bench.rounds import Plan, interleaved
from tools.bench.traffic import Flow, Kind, flow

SECTION = "pump"
LOSS = 0.001
LOSSY = Condition(delay=Delay(Duration(0)), loss=LossRandom(Percent.parse("0.1%")))
JITTER = delay(1, jitter=Duration(500_000), keep_order=True)
NFT_LOSS = """table netdev nwb {
  chain in {
    type filter hook ingress device eth0 priority 0
    numgen random mod 1000 0 drop
  }
}
"""
Variant = Callable[[], AbstractContextManager[object]]


def run(plan: Plan) -> Rows:
    with network() as net:
        yield from _tcp(net, plan)
        yield from _packets(net, plan)


def _tcp(net: Net, plan: Plan) -> Iterator[Row]:
    drops: list[float] = []
    variants: dict[str, Variant] = {
        "bare with GSO": nullcontext,
        "bare": lambda: _without_gso(net),
        "bare and lossy": lambda: _lossy(net),
        "plain": lambda: _through(net, delay(0), drops),
        "loss": lambda: _through(net, LOSSY, drops),
        "jitter": lambda: _through(net, JITTER, drops),
    }
    found = interleaved(plan, "TCP", {name: _measure(net, plan, variant, "tcp") for name, variant in variants.items()})
    rates = {name: [one.rate for one in flows] for name, flows in found.items()}
    bare, gso = ("bare veth, GSO off", rates["bare"]), ("bare veth, GSO on", rates["bare with GSO"])
    lossy = ("the same loss by nft, GSO off", rates["bare and lossy"])
    yield _row("TCP through a 0 ms line", rates["plain"], bare, found["plain"], 0.25)
    yield _row("TCP through a 0 ms line", rates["plain"], gso, found["plain"])
    yield _row("TCP, 0.1 % of wire packets lost", rates["loss"], bare, found["loss"], 0.25)
    yield _row("TCP, 0.1 % of wire packets lost", rates["loss"], lossy, found["loss"])
    yield _row("TCP, 1 ms ± 0.5 ms, in order", rates["jitter"], bare, found["jitter"], 0.25)
    yield row(SECTION, "unwanted drops in these TCP runs", "packets", drops, note="the sum of our devices' and the pump's")


def _packets(net: Net, plan: Plan) -> Iterator[Row]:
    kinds: dict[Kind, str] = {"udp": "64-byte UDP, a message a packet", "gso": "64-byte UDP cut from messages of 64"}
    for kind, name in kinds.items():
        measures = {
            "bare": _measure(net, plan, nullcontext, kind),
            "pump": _measure(net, plan, lambda: net.condition(rule(delay(0), direction="egress")), kind),
        }
        found = interleaved(plan, name, measures)
        rates = {which: [one.rate for one in flows] for which, flows in found.items()}
        goal = at_least(250_000, "figure")
        yield row(SECTION, name, "packets/s", rates["pump"], ("bare veth", rates["bare"]), goal=goal, note=_limits(found["pump"]))


def _measure(net: Net, plan: Plan, variant: Variant, kind: Kind) -> Callable[[], Flow]:
    def measure() -> Flow:
        with variant():
            return flow(net, kind, plan.seconds(1.0))

    return measure


def _row(name: str, values: list[float], beside: tuple[str, list[float]], flows: list[Flow], goal: float = 0) -> Row:
    return row(SECTION, name, "Gbit/s", values, beside, goal=at_least(goal) if goal else None, note=_limits(flows))


def _limits(flows: list[Flow]) -> str:
    return words([one.load for one in flows])


@contextmanager
def _without_gso(net: Net) -> Iterator[None]:
    net.offloads(on=False)
    try:
        yield
    finally:
        net.offloads(on=True)


@contextmanager
def _lossy(net: Net) -> Iterator[None]:
    """Loses wire packets without us, where the server takes them."""
    with _without_gso(net):
        net.server.run("nft", "-f", "-", stdin=NFT_LOSS)
        try:
            yield
        finally:
            net.server.run("nft", "delete", "table", "netdev", "nwb")


@contextmanager
def _through(net: Net, condition: Condition, drops: list[float]) -> Iterator[None]:
    with net.condition(rule(condition, direction="egress")):
        yield
        drops.append(net.unwanted_drops())
