"""What one packet costs in the classifier, by BPF_PROG_TEST_RUN, with 1, 10, 100 and 1,000 rules."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_network

from netweather.kernel.bpf import libbpf
from netweather.kernel.datapath.classifier import Classifier
from netweather.kernel.datapath.spec import NEVER, Action, Datapath, FlatRule, Interface
from netweather.kernel.namespaces import Namespace
from netweather.kernel.netlink import links
from netweather.planning.vectors import compile_tables
from tools.bench.figures import Rows, at_most, row
from tools.bench.network import network
from tools.bench.rounds import Plan, interleaved

SECTION = "classifier"
COUNTS = (1, 10, 100, 1000)
IFINDEX_AT, CONTEXT_SIZE = 40, 192  # in struct __sk_buff
PEER_NET, FIRST_PORT, OTHER_PORT = int(IPv4Address("198.51.100.0")), 2000, 9
ARP = bytes(6) + b"\x02" + bytes(5) + b"\x08\x06" + bytes(46)
BEAT_AHEAD = struct.pack("=Q", 1 << 62)


def rules(count: int) -> tuple[FlatRule, ...]:
    """Each with a peer, a port and a protocol of its own. They drop: a line would mark the packet, and its next run would differ."""
    places = frozenset({(0, 0), (0, 1)})
    return tuple(
        FlatRule(
            Action.DROP,
            lease=0,
            counter=i,
            places=places,
            peers=(ip_network(f"{peer(i)}/32"),),
            ports=((FIRST_PORT + i, FIRST_PORT + i),),
            protocols=frozenset({17}),
        )
        for i in range(count)
    )


def peer(number: int) -> IPv4Address:
    return IPv4Address(PEER_NET + number % 254 + 1)


def frame(destination: IPv4Address, port: int) -> bytes:
    """A UDP packet of 64 bytes' payload from the target."""
    udp = struct.pack("!HHHH", 40000, port, 72, 0) + bytes(64)
    ip = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, IPv4Address("192.0.2.1").packed, destination.packed
    )
    return bytes(6) + b"\x02" + bytes(5) + b"\x08\x00" + ip + udp


@dataclass(frozen=True)
class Loaded:
    """A classifier with so many rules, in the namespace of an interface."""

    classifier: Classifier
    namespace: Namespace
    ifindex: int
    rules: int

    def time(self, packet: bytes, repeat: int) -> float:
        """ns of one run, a mean of so many."""
        context = bytearray(CONTEXT_SIZE)
        struct.pack_into("I", context, IFINDEX_AT, self.ifindex)
        program = self.classifier.programs["nw_egress"]
        return float(self.namespace.run(lambda: libbpf.test_run(program, packet, bytes(context), repeat))[1])


@contextmanager
def loaded(namespace: Namespace, ifindex: int, count: int) -> Iterator[Loaded]:
    interface, wanted = Interface("eth0", ifindex, 0), rules(count)
    tables = compile_tables(wanted, (interface,))
    classifier = Classifier.load(tables.room)
    try:
        classifier.maps["beat"].mapped[0:8] = BEAT_AHEAD
        classifier.write(tables, Datapath((interface,), (), wanted, (NEVER,)))
        yield Loaded(classifier, namespace, ifindex, count)
    finally:
        classifier.close()


def run(plan: Plan) -> Rows:
    repeat = 20_000 if plan.quick else 200_000
    with ExitStack() as stack:
        net = stack.enter_context(network())
        namespace = stack.enter_context(Namespace(net.target.netns_fd))
        ifindex = namespace.run(_eth0)
        ready = {n: stack.enter_context(loaded(namespace, ifindex, n)) for n in COUNTS}
        found = interleaved(plan, "classifier", _measures(ready, repeat), plan.many(2))
    empty = ("not IP: let through at once", found["arp"])
    for n in COUNTS:
        goal = at_most(2) if n == 1000 else None
        beside = empty if n < 1000 else ("10 rules", found["10 last"])
        yield row(SECTION, f"{_rules(n)}, the last one matches", "ns", found[f"{n} last"], beside, goal=goal)
    for n in COUNTS:
        goal = at_most(2) if n == 1000 else None
        beside = empty if n < 1000 else ("10 rules", found["10 none"])
        yield row(SECTION, f"{_rules(n)}, peer and protocol match, port doesn't", "ns", found[f"{n} none"], beside, goal=goal)


def _rules(count: int) -> str:
    return f"{count:,} rule{'s' if count > 1 else ''}"


def _eth0() -> int:
    device = links.device("eth0")
    assert device
    return device.ifindex


def _measures(ready: dict[int, Loaded], repeat: int) -> dict[str, Callable[[], float]]:
    """By "RULES last" and "RULES none", and "arp": what running a program costs by itself."""
    measures: dict[str, Callable[[], float]] = {"arp": lambda: ready[1].time(ARP, repeat)}
    for n, one in ready.items():
        last, none = frame(peer(n - 1), FIRST_PORT + n - 1), frame(peer(n - 1), OTHER_PORT)
        measures[f"{n} last"] = lambda one=one, packet=last: one.time(packet, repeat)  # type: ignore[misc]  # bound here
        measures[f"{n} none"] = lambda one=one, packet=none: one.time(packet, repeat)  # type: ignore[misc]  # bound here
    return measures
