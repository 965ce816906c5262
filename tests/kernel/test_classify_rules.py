"""Many rules: for any packet the kernel finds the rule that trying them one after the other finds (BPF_PROG_TEST_RUN)."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from netweather.conditions import Condition, PortRange
from netweather.kernel.bpf import libbpf
from netweather.kernel.datapath.classifier import Classifier
from netweather.kernel.datapath.spec import MAX_LINES, NEVER, Action, Datapath, ExactConnection, FlatRule, Interface
from netweather.planning.vectors import Packet, compile_tables, first_match, wide
from netweather.units import Percent
from tests.support.foreign import eth0
from tests.support.netns import Lab
from tests.support.rig import Rig, at_last, delay, ports, rule
from tests.support.statistics import Refused, expect
from tests.support.traffic import Echo, round_trip, udp_client

SLOT, REDIRECT, NEXT = 3, 7, 2**32 - 1
LOCAL = {4: "192.0.2.1", 6: "2001:db8::1"}
PROTOCOLS = [6, 17, 1, 58, 132, 47]


def random_address(chance: random.Random, family: int) -> str:
    """Few enough that rules and packets meet."""
    if family == 4:
        return f"198.51.{chance.randrange(4)}.{chance.randrange(8)}"
    return f"2001:db8:{chance.randrange(4):x}::{chance.randrange(8):x}"


def random_rule(chance: random.Random, counter: int, count: int) -> FlatRule:
    def maybe(value: object) -> object:
        return value if chance.random() < 0.45 else None

    def prefixes() -> tuple[object, ...]:
        families = [chance.choice((4, 6)) for _ in range(chance.randrange(1, 4))]
        lengths = {4: (8, 16, 24, 29, 31, 32), 6: (32, 48, 64, 125, 128)}
        return tuple(ip_network(f"{random_address(chance, f)}/{chance.choice(lengths[f])}", strict=False) for f in families)

    def port_ranges() -> tuple[tuple[int, int], ...]:
        starts = [chance.randrange(20) for _ in range(chance.randrange(1, 4))]
        return tuple((start, start + chance.choice((0, 0, 3))) for start in starts)

    if chance.random() < 0.1:
        family = chance.choice((4, 6))
        ends = (wide(LOCAL[family]), chance.randrange(20)), (wide(random_address(chance, family)), chance.randrange(20))
        return FlatRule(Action.DROP, 0, counter, places(chance), connections=(ExactConnection(chance.choice((6, 17)), *ends),))
    skips = chance.random() < 0.1
    return FlatRule(
        Action.SKIP if skips else Action.DROP,
        lease=0,
        counter=counter,
        places=places(chance),
        peers=maybe(prefixes()),  # type: ignore[arg-type]  # prefixes
        ports=maybe(port_ranges()),  # type: ignore[arg-type]  # ranges
        protocols=maybe(frozenset(chance.sample(PROTOCOLS, 2))),  # type: ignore[arg-type]  # numbers
        family=maybe(chance.choice((4, 6))),  # type: ignore[arg-type]  # 4 or 6
        skip_to=min(count, counter + chance.randrange(1, 30)) if skips else 0,
    )


def places(chance: random.Random) -> frozenset[tuple[int, int]]:
    return frozenset(chance.choice(([(SLOT, 0)], [(SLOT, 1)], [(SLOT, 0), (SLOT, 1)], [(SLOT + 1, 0)])))


def random_rules(seed: int, count: int) -> tuple[FlatRule, ...]:
    """With many rules, most of them rare, so that packets come to the later ones too."""
    chance = random.Random(seed)
    made = [random_rule(chance, n, count) for n in range(count)]
    if count > 50:
        hard = chance.sample(range(count), count - 20)
        for n in hard:
            address = ip_network(f"{random_address(chance, 4)}/32") if n % 2 else ip_network(f"{random_address(chance, 6)}/128")
            if made[n].connections is None:
                first, protocols = chance.randrange(40), frozenset({chance.choice((6, 17))})
                made[n] = replace(made[n], peers=(address,), ports=((first, first),), family=None, protocols=protocols)
    return tuple(made)


def random_packet(chance: random.Random) -> Packet:
    family = chance.choice((4, 6))
    protocol = chance.choice((6, 6, 17, 17, 1 if family == 4 else 58, 132, 47))
    with_ports = protocol in (6, 17, 132)
    numbers = (chance.randrange(40), chance.randrange(40)) if with_ports else (0, 0)
    remote = random_address(chance, family) if chance.random() < 0.9 else {4: "203.0.113.9", 6: "2001:db8:99::9"}[family]
    return Packet(SLOT, chance.randrange(2), LOCAL[family], remote, protocol, *numbers)


def frame(packet: Packet) -> bytes:
    """The packet as it is on the wire."""
    ends = ((packet.local, packet.local_port), (packet.remote, packet.remote_port))
    (source, source_port), (destination, destination_port) = ends if packet.direction == 0 else ends[::-1]
    transport = struct.pack(">HH", source_port, destination_port) if packet.protocol in (6, 17, 132) else b"\x08\0\0\0"
    transport = transport.ljust(40, b"\0")
    packed = ip_address(source).packed + ip_address(destination).packed
    if len(packed) == 8:
        header = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(transport), 1, 0, 64, packet.protocol, 0) + packed
    else:
        header = struct.pack(">IHBB", 6 << 28, len(transport), packet.protocol, 64) + packed
    return bytes(12) + (b"\x08\x00" if len(packed) == 8 else b"\x86\xdd") + header + transport


class Bench:
    """A classifier that is loaded and attached nowhere."""

    def __init__(self, net: Lab, rules: tuple[FlatRule, ...]) -> None:
        self.net, self.rules = net, rules
        interface = Interface("eth0", eth0(net.client), SLOT)
        self.context = context(interface.ifindex)
        tables = compile_tables(rules, (interface, Interface("eth1", 4711, SLOT + 1)))
        self.classifier = Classifier.load(tables.room)
        path = Datapath((interface, Interface("eth1", 4711, SLOT + 1)), (), rules, (NEVER,))
        net.client.call(self.classifier.write, tables, path)  # the kernel looks the interfaces up there

    def rule_of(self, packet: Packet) -> int | None:
        """The rule that the kernel counts the packet for."""
        program = self.classifier.programs["nw_egress" if packet.direction == 0 else "nw_ingress"]
        before = self.counted()
        verdict, _ = self.net.client.call(libbpf.test_run, program, frame(packet), self.context)
        after = self.counted()
        hit = [n for n, (was, now) in enumerate(zip(before, after, strict=True)) if was != now]
        assert len(hit) <= 1
        assert verdict == (REDIRECT if hit else NEXT)
        return hit[0] if hit else None

    def counted(self) -> list[int]:
        counters = self.classifier.counters(list(range(len(self.rules))))
        return [counters[n][0] for n in range(len(self.rules))]


def context(ifindex: int) -> bytes:
    """struct __sk_buff with no more than the interface, which is its eleventh word."""
    return struct.pack("=10II", *[0] * 10, ifindex).ljust(192, b"\0")


@contextmanager
def bench(net: Lab, rules: tuple[FlatRule, ...]) -> Iterator[Bench]:
    made = Bench(net, rules)
    try:
        yield made
    finally:
        made.classifier.close()


def expect_first_match(made: Bench, rules: tuple[FlatRule, ...], packets: list[Packet]) -> int:
    """How many of the packets met a rule."""
    hits = 0
    for packet in packets:
        found, right = made.rule_of(packet), first_match(rules, packet)
        expect(found == right, f"{packet}: rule {found}, not {right}")
        hits += right is not None
    return hits


@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 200])
def test_the_first_rule_that_matches_is_found(lab: Lab, count: int) -> None:
    hits = 0
    for seed in range(6 if count < 100 else 2):
        rules = random_rules(seed, count)
        chance = random.Random(seed)
        with bench(lab, rules) as made:
            hits += expect_first_match(made, rules, [random_packet(chance) for _ in range(60)])
    assert hits > 10


@pytest.mark.parametrize("seed", [1, 2])
def test_the_first_of_1000_rules_that_matches_is_found(lab: Lab, seed: int) -> None:
    rules = random_rules(seed, 1000)
    chance = random.Random(seed)
    with bench(lab, rules) as made:
        assert expect_first_match(made, rules, [random_packet(chance) for _ in range(150)]) > 30


@pytest.mark.full
def test_a_wrong_rule_is_noticed(lab: Lab) -> None:
    """The planted error: one rule of a hundred is not as it was asked."""
    rules = random_rules(1, 100)
    chance = random.Random(1)
    packets = [random_packet(chance) for _ in range(300)]
    popular = max(range(100), key=lambda n: sum(first_match(rules, packet) == n for packet in packets))
    wrong = tuple(
        replace(r, family=4 if r.family == 6 else 6, connections=None) if n == popular else r for n, r in enumerate(rules)
    )
    with bench(lab, wrong) as made, pytest.raises(Refused):
        expect_first_match(made, rules, packets)


def test_1000_rules_end_to_end(rig: Rig) -> None:
    """999 that match something else, and the last one."""
    others = [rule(Condition(block="drop"), to=(f"198.51.{n // 250}.{n % 250}",), ports=ports(1 + n)) for n in range(999)]
    rig.set(*others, rule(delay(20), direction="egress", ports=ports(2000)))
    with Echo(rig.net.server, [2000, 2001]):
        for port, least, most in ((2000, 0.02, 1), (2001, 0, 0.02)):
            with udp_client(rig.net.client, "192.0.2.2", port) as connection:
                assert round_trip(connection) >= least
                at_last(lambda: round_trip(connection), least, most)
    shown = rig.shown()
    assert shown.in_force
    assert shown.rules[999].packets >= 2
    assert sum(counted.packets for counted in shown.rules[:999]) == 0


def test_64_lines(rig: Rig) -> None:
    """The most there can be; each with its own delay, and all gone afterwards."""
    count = 64
    rig.set(*[rule(delay(10 + n), direction="egress", ports=ports(3000 + n)) for n in range(count)])
    assert rig.shown().in_force
    step = 9
    asked = range(0, count, step)
    with Echo(rig.net.server, [3000 + n for n in asked]):
        for n in asked:
            with udp_client(rig.net.client, "192.0.2.2", 3000 + n) as connection:
                at_last(lambda: round_trip(connection), (10 + n) / 1000, (10 + n + step) / 1000)
    rig.clear()
    assert rig.remains() == []


def test_one_line_too_many_is_refused_and_nothing_is_changed(rig: Rig) -> None:
    from netweather.errors import NetweatherError

    rig.set(rule(delay(10), direction="egress"))
    with pytest.raises(NetweatherError, match=f"{MAX_LINES} lines"):
        rig.set(*[rule(delay(1), direction="egress", ports=ports(n + 1)) for n in range(MAX_LINES + 1)])
    shown = rig.shown()
    assert shown.in_force
    assert shown.condition.rules == (rule(delay(10), direction="egress"),)


def test_excluded_share_and_ended_leases_fall_through_to_later_rules(rig: Rig) -> None:
    """Up to 112 candidates may be passed by; what is behind them still gets the packet."""
    never = [rule(Condition(block="drop"), share=Percent(0), ports=(PortRange(7, 7 + n),)) for n in range(100)]
    rig.set(*never, rule(delay(20), direction="egress", protocol="udp"))
    with Echo(rig.net.server, [7]), udp_client(rig.net.client, "192.0.2.2", 7) as connection:
        assert min(round_trip(connection) for _ in range(4)) >= 0.02
