"""Packets that are not the plain kind: multicast, fragments, IPv6 extension headers, VLAN tags, jumbo frames.

Each meets the rule that means it, and no other; its bytes arrive as they were sent.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from netweather.conditions import Condition, LossRandom, Rule
from netweather.units import Percent
from tests.kernel.conftest import MakeRig
from tests.support import dumps, frames, probe
from tests.support.foreign import eth0
from tests.support.frames import DESTINATION, HOP_BY_HOP, NOWHERE, PADDED, ROUTING, Caught, caught, take
from tests.support.machine import SLOW
from tests.support.netns import Namespace, ip
from tests.support.rig import MS, Rig, at_last, delay, ports, rule
from tests.support.statistics import EARLY_NS
from tests.support.traffic import Echo, datagrams, payload, round_trip, tcp_client, tcp_transfer

FAMILIES = pytest.mark.parametrize("family", [4, 6])
DIRECTIONS = pytest.mark.parametrize("direction", ["egress", "ingress"])
DELAY_MS = 30
MEANT, OTHER = 9101, 9102
GROUPS = {4: ("233.252.0.1", "233.252.0.2"), 6: ("ff1e::db8:1", "ff1e::db8:2")}


def conditions(mtu: int) -> dict[str, Condition]:
    """whole: nothing is decided for each packet. segmented: something is, though it hits none."""
    whole = delay(DELAY_MS)
    return {"whole": Condition(delay=whole), "segmented": Condition(delay=whole, loss=LossRandom(Percent(0)), mtu=mtu)}


KINDS = pytest.mark.parametrize("kind", ["whole", "segmented"])


@pytest.fixture(scope="module", autouse=True)
def nothing_is_left(shared_rig: Rig) -> Iterator[None]:
    before = {one: dumps.settled(one) for one in shared_rig.net.namespaces}
    with frames.stamping():
        yield
    shared_rig.clear()
    for one, dump in before.items():
        dumps.assert_same(dump, one)


def put(rig: Rig, wanted: Rule) -> None:
    """Sets a rule in place of the one before; it has counted nothing yet."""
    rig.set(wanted)
    if rig.shown().rules[0].packets:  # the same as before
        rig.clear()
        rig.set(wanted)


def ends(rig: Rig, direction: str) -> tuple[Namespace, Namespace]:
    """Sender and receiver of traffic that goes that way at the target."""
    return (rig.net.client, rig.net.server) if direction == "egress" else (rig.net.server, rig.net.client)


def expect_meant(rig: Rig, seen: list[Caught], sent: list[bytes], times: list[int], packets: int = 0) -> None:
    """All of them came, whole and late, and the rule counted them and nothing else. packets: unless each was one."""
    assert [one.data for one in seen] == sent
    assert min(took(seen, times)) >= DELAY_MS * MS - EARLY_NS
    assert rig.shown().rules[0].packets == (packets or len(sent))
    assert rig.shown().unwanted_drops == 0


def expect_other(rig: Rig, seen: list[Caught], sent: list[bytes], times: list[int]) -> None:
    """They came without a delay, and the rule did not see them."""
    assert [one.data for one in seen] == sent
    assert min(took(seen, times)) < DELAY_MS * MS - EARLY_NS
    assert rig.shown().rules[0].packets == 0


def took(seen: list[Caught], times: list[int]) -> list[int]:
    """How long each was on its way, ns; a datagram in fragments since the first was sent."""
    return [one.at - at for one, at in zip(seen, times, strict=False)]


# multicast


@contextmanager
def joined(namespace: Namespace, family: int, *groups: str) -> Iterator[list[socket.socket]]:
    """A socket for each group, all of one port."""
    with ExitStack() as stack:
        made = []
        for group in groups:
            one = stack.enter_context(frames.inlet(namespace, family, MEANT, bind=group))
            index = struct.pack("=i", eth0(namespace))
            if family == 4:
                one.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + bytes(4) + index)
            else:
                wanted = socket.inet_pton(socket.AF_INET6, group) + index
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, wanted)
            made.append(one)
        yield made


def multicast(sender: Namespace, family: int, group: str, data: list[bytes]) -> list[int]:
    """Sends to a group; when each was sent."""
    index, times = struct.pack("=i", eth0(sender)), []
    with probe.udp_socket(sender, family) as outlet:
        if family == 4:
            outlet.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, bytes(8) + index)
        else:
            outlet.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        for one in data:
            times.append(frames.now())
            outlet.sendto(one, (group, MEANT))
    return times


@FAMILIES
@KINDS
def test_a_sender_of_multicast(shared_rig: Rig, kind: str, family: int) -> None:
    """The peer of what the target sends is the group."""
    client, server = shared_rig.net.client, shared_rig.net.server
    meant, other = GROUPS[family]
    sent = [payload(200 * n, seed=n) for n in range(1, 7)]
    put(shared_rig, rule(conditions(1500)[kind], direction="both", to=(meant,)))
    with joined(server, family, meant, other) as (first, second):
        times = multicast(client, family, other, sent)
        expect_other(shared_rig, take(second, len(sent)), sent, times)
        times = multicast(client, family, meant, sent)
        expect_meant(shared_rig, take(first, len(sent)), sent, times)


@FAMILIES
@KINDS
def test_a_receiver_of_multicast(shared_rig: Rig, kind: str, family: int) -> None:
    """The peer of what comes in is its sender; both groups are meant, and a port is what tells them apart from other traffic."""
    client, server = shared_rig.net.client, shared_rig.net.server
    sent = [payload(200 * n, seed=n) for n in range(1, 7)]
    condition = conditions(1500)[kind]
    put(shared_rig, rule(condition, direction="ingress", to=(probe.address(server, family),), ports=ports(MEANT)))
    with joined(client, family, *GROUPS[family]) as inlets:
        for number, (inlet, group) in enumerate(zip(inlets, GROUPS[family], strict=True), 1):
            times = multicast(server, family, group, sent)
            expect_meant(shared_rig, take(inlet, len(sent)), sent, times, number * len(sent))


@FAMILIES
def test_who_listens_to_which_group_is_the_links_affair(shared_rig: Rig, family: int) -> None:
    """Reports of group membership leave a target that is cut off, as neighbour discovery does: switches and routers go by them."""
    client, server = shared_rig.net.client, shared_rig.net.server
    put(shared_rig, rule(Condition(block="drop")))
    kind = frames.IP if family == 4 else frames.IPV6
    with server.call(socket.socket, socket.AF_PACKET, socket.SOCK_DGRAM, 0) as raw:
        raw.bind(("eth0", kind))
        raw.settimeout(5 * SLOW)
        with joined(client, family, GROUPS[family][0]):
            report = raw.recv(1 << 16)
    if family == 4:
        assert report[9] == 2
        assert report[24] == 0x22  # IGMPv3
    else:
        assert report[6] == HOP_BY_HOP
        assert report[48] == 143  # MLDv2
    assert shared_rig.shown().rules[0].packets == 0
    shared_rig.clear()


# fragments, beyond those of test_integrity


@FAMILIES
@DIRECTIONS
@KINDS
def test_fragments_of_two_datagrams_at_once(shared_rig: Rig, kind: str, direction: str, family: int) -> None:
    """Interleaved, only one of them meant: each fragment goes the way of its first."""
    sender, receiver = ends(shared_rig, direction)
    put(shared_rig, rule(conditions(1500)[kind], direction=direction, ports=ports(MEANT)))
    data = {port: payload(3000, seed=port) for port in (MEANT, OTHER)}
    made = {p: frames.fragments(frames.udp(sender, receiver, d, family=family, port=p), family, 800, p) for p, d in data.items()}
    with frames.inlet(receiver, family, MEANT) as meant, frames.inlet(receiver, family, OTHER) as other:
        times = frames.send(sender, *(one for pair in zip(*made.values(), strict=True) for one in pair))
        seen = {OTHER: take(other, 1), MEANT: take(meant, 1)}
    assert {port: one[0].data for port, one in seen.items()} == data
    assert took(seen[OTHER], times)[0] < DELAY_MS * MS - EARLY_NS <= took(seen[MEANT], times)[0]
    assert shared_rig.shown().rules[0].packets == len(made[MEANT]) == 4


@DIRECTIONS
def test_fragments_whose_first_alone_has_the_other_headers(shared_rig: Rig, direction: str) -> None:
    """IPv6: behind the fragment header stands a destination header, and UDP behind that; later fragments name only the former."""
    sender, receiver = ends(shared_rig, direction)
    put(shared_rig, rule(delay(DELAY_MS), direction=direction, protocol="udp", ports=ports(MEANT)))
    data = payload(3000)
    whole = frames.udp(sender, receiver, data, family=6, port=MEANT)
    parts = frames.fragments(whole, 6, 800, 77, [(DESTINATION, PADDED)])
    with frames.inlet(receiver, 6, MEANT) as inlet:
        times = frames.send(sender, *parts)
        expect_meant(shared_rig, take(inlet, 1), [data], times, len(parts))
    assert len(parts) == 4


# IPv6 extension headers

HEADERS = {
    "hop-by-hop": [(HOP_BY_HOP, PADDED)],
    "routing": [(ROUTING, NOWHERE)],
    "destination": [(DESTINATION, PADDED)],
    "all of them": [
        (HOP_BY_HOP, PADDED),
        (DESTINATION, PADDED),
        (ROUTING, NOWHERE),
        (frames.FRAGMENT, bytes(6)),
        (DESTINATION, PADDED),
    ],
}


@DIRECTIONS
@pytest.mark.parametrize("headers", HEADERS)
def test_udp_behind_extension_headers(shared_rig: Rig, headers: str, direction: str) -> None:
    sender, receiver = ends(shared_rig, direction)
    put(shared_rig, rule(delay(DELAY_MS), direction=direction, protocol="udp", ports=ports(MEANT)))
    for port in (OTHER, MEANT):
        sent = [payload(100 * n, seed=n) for n in range(1, 7)]
        made = [frames.udp(sender, receiver, one, family=6, port=port, headers=HEADERS[headers]) for one in sent]
        with frames.inlet(receiver, 6, port) as inlet:
            times = frames.send(sender, *made)
            (expect_meant if port == MEANT else expect_other)(shared_rig, take(inlet, len(sent)), sent, times)


OPTIONS = {"hop-by-hop": socket.IPV6_HOPOPTS, "destination": socket.IPV6_DSTOPTS}


@KINDS
@DIRECTIONS
@pytest.mark.parametrize("option", OPTIONS)
def test_tcp_behind_extension_headers(shared_rig: Rig, option: str, direction: str, kind: str) -> None:
    """Super-packets too: their headers are repeated for each segment."""
    client, server = shared_rig.net.client, shared_rig.net.server
    data = payload(3_000_000)
    header = bytes([0, 0]) + PADDED
    shared_rig.clear()
    with Echo(server, [80, 81]), tcp_client(client, str(server.v6), 80) as one, tcp_client(client, str(server.v6), 81) as two:
        for connection in (one, two):
            connection.setsockopt(socket.IPPROTO_IPV6, OPTIONS[option], header)
        put(shared_rig, rule(conditions(1500)[kind], direction=direction, protocol="tcp", ports=ports(80)))
        assert min(round_trip(one) for _ in range(4)) >= DELAY_MS / 1000
        at_last(lambda: round_trip(two), 0, DELAY_MS / 1000)
        assert echoed(one, data) == data
        assert shared_rig.shown().rules[0].packets >= len(data) / 1440
        assert shared_rig.shown().unwanted_drops == 0


def echoed(connection: socket.socket, data: bytes) -> bytes:
    """What comes back of all that is sent."""
    import threading

    writer = threading.Thread(target=connection.sendall, args=(data,))
    writer.start()
    connection.settimeout(20 * SLOW)
    found = bytearray()
    while len(found) < len(data):
        part = connection.recv(1 << 16)
        assert part, "the other end closed"
        found += part
    writer.join()
    return bytes(found)


# VLAN tags


@FAMILIES
@DIRECTIONS
@pytest.mark.parametrize("tags", [(), (10,), (30, 10)], ids=lambda tags: "+".join(map(str, tags)) or "untagged")
def test_tagged_packets(shared_rig: Rig, tags: tuple[int, ...], direction: str, family: int) -> None:
    """A rule means what is inside the tags, and with --vlan what the outermost says; they come out with the tags they had."""
    sender, receiver = ends(shared_rig, direction)
    vlan = tags[0] if tags else 0
    for kind, match, meant in (
        ("whole", {"ports": ports(MEANT)}, True),
        ("whole", {"ports": ports(OTHER)}, False),
        ("segmented", {"ports": ports(MEANT), "vlan": vlan}, True),
        ("segmented", {"ports": ports(MEANT), "vlan": vlan + 1}, False),
    ):
        put(shared_rig, rule(conditions(1500)[kind], direction=direction, family=f"ipv{family}", **match))
        twice = 2 if meant and direction == "ingress" else 1
        with caught(receiver, MEANT) as seen:
            sent = [payload(100 * n, seed=n) for n in range(1, 5)]
            made = [frames.udp(sender, receiver, one, family=family, port=MEANT, tags=tags) for one in sent]
            times = frames.send(sender, *made)
            came = seen(twice * len(sent))
        assert {one.tags for one in came} == {tags}
        (expect_meant if meant else expect_other)(shared_rig, came[(twice - 1) * len(sent) :], sent, times)


# jumbo frames


@contextmanager
def jumbo(make_rig: MakeRig, mtu: int) -> Iterator[Rig]:
    """A rig whose link takes such packets; clear gives all of it back."""
    with make_rig() as rig:
        for one in rig.net.namespaces:
            ip("-n", one.name, "link", "set", "eth0", "mtu", str(mtu))
        before = {one: dumps.settled(one) for one in rig.net.namespaces}
        yield rig
        rig.clear()
        for one, dump in before.items():
            dumps.assert_same(dump, one)


def test_an_mtu_beyond_what_lines_carry_is_told(make_rig: MakeRig) -> None:
    """And what is lost there is counted as ours."""
    with jumbo(make_rig, 65535) as rig:
        result = rig.set(rule(delay(1), direction="egress", protocol="udp"))
        told = "the MTU of eth0 is 65535: packets of more than 65521 bytes"
        assert any(note.startswith(told) for note in result.notes)
        assert any(problem.startswith(told) for problem in rig.shown().problems)
        messages = [payload(65521 - 28), payload(65535 - 28)]
        assert datagrams(*rig.net.namespaces, messages) == messages[:1]
        assert rig.shown().unwanted_drops == 1


@KINDS
@FAMILIES
def test_big_tcp(shared_rig: Rig, kind: str, family: int) -> None:
    """Super-packets of more than 64 KB are taken apart on their way into a line."""
    large = ("gso_max_size", "180000", "gro_max_size", "180000")
    usual = ("gso_max_size", "65536", "gro_max_size", "65536")
    for one in shared_rig.net.namespaces:
        ip("-n", one.name, "link", "set", "eth0", *large)
    try:
        put(shared_rig, rule(conditions(1500)[kind], direction="both", protocol="tcp"))
        done = tcp_transfer(*shared_rig.net.namespaces, family=family, size=10_000_000)
        assert done.intact
        assert shared_rig.shown().rules[0].packets >= done.sender.data_segments_out
        assert shared_rig.shown().unwanted_drops == 0
    finally:
        for one in shared_rig.net.namespaces:
            ip("-n", one.name, "link", "set", "eth0", *usual)


@FAMILIES
@KINDS
@pytest.mark.parametrize("mtu", [9000, 65521])
def test_jumbo_frames(make_rig: MakeRig, mtu: int, kind: str, family: int) -> None:
    header = 28 if family == 4 else 48
    sizes = [
        1400,
        mtu - header - 1,
        mtu - header,
        *([mtu - header + 1, 3 * mtu] if mtu < 20_000 else []),
    ]  # the last are fragments
    messages = [payload(size, seed=size) for size in sizes]
    with jumbo(make_rig, mtu) as rig:
        rig.set(rule(conditions(mtu)[kind], direction="both", ports=ports(9100)))
        for pair in (rig.net.namespaces, rig.net.namespaces[::-1]):
            assert datagrams(*pair, messages, family=family, port=9101) == messages
            assert rig.shown().rules[0].packets == 0
        for pair in (rig.net.namespaces, rig.net.namespaces[::-1]):
            assert datagrams(*pair, messages, family=family) == messages
        assert rig.shown().rules[0].packets == 2 * (3 + (2 + 4 if len(messages) == 5 else 0))
        rig.set(rule(conditions(mtu)[kind], direction="both", protocol="tcp"))
        for pair in (rig.net.namespaces, rig.net.namespaces[::-1]):
            done = tcp_transfer(*pair, family=family, size=20_000_000)
            assert done.intact
            assert done.sender.mss > mtu - 120
        assert rig.shown().unwanted_drops == 0
