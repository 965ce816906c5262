"""Frames that are not plain IP: behind MPLS and PPPoE there is IP; others meet rules that mean every frame; the link's own meets none.

Made by hand, so that they are tried on every kernel. Read by sockets of one protocol, which get a frame behind the classifier.
"""

from __future__ import annotations

import select
import socket
import struct
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from netweather.conditions import Condition, LossRandom
from netweather.units import Percent
from tests.support import frames
from tests.support.machine import SLOW
from tests.support.netns import Namespace
from tests.support.rig import MS, Rig, delay, ports, rule, until
from tests.support.statistics import EARLY_NS

MPLS, MPLS_MULTICAST, SESSION, DISCOVERY, VLAN, IP, IPV6, LLC = 0x8847, 0x8848, 0x8864, 0x8863, 0x8100, 0x0800, 0x86DD, 0x0004
PORT = 9301
DELAY_MS = 30
BODY = bytes(range(1, 61))
DROP = Condition(block="drop")
DIRECTIONS = pytest.mark.parametrize("direction", ["egress", "ingress"])


@dataclass(frozen=True)
class Frame:
    """kind: what the receiver's kernel takes it for. data: behind the addresses. ip: 4 or 6 when a packet is inside. to: a group."""

    name: str
    kind: int
    data: bytes
    ip: int = 0
    to: str = ""


def labels(count: int) -> bytes:
    return b"".join(struct.pack(">I", (16 + n) << 12 | (n == count - 1) << 8 | 64) for n in range(count))


def typed(kind: int, body: bytes = BODY) -> bytes:
    return struct.pack(">H", kind) + body


def session(protocol: int, body: bytes, number: int = 7) -> bytes:
    return typed(SESSION, struct.pack(">BBHHH", 0x11, 0, number, len(body) + 2, protocol) + body)


def tagged(number: int, data: bytes) -> bytes:
    return struct.pack(">HH", VLAN, number) + data


def wrapped(v4: bytes, v6: bytes) -> list[Frame]:
    """Packets of IP inside something else."""
    return [
        Frame("MPLS", MPLS, typed(MPLS, labels(1) + v4), 4),
        Frame("MPLS, three labels", MPLS, typed(MPLS, labels(3) + v6), 6),
        Frame("MPLS multicast", MPLS_MULTICAST, typed(MPLS_MULTICAST, labels(2) + v4), 4),
        Frame("PPPoE", SESSION, session(0x0021, v4), 4),
        Frame("PPPoE, IPv6", SESSION, session(0x0057, v6), 6),
        Frame("MPLS in a VLAN", MPLS, tagged(9, typed(MPLS, labels(1) + v6)), 6),
        Frame("PPPoE in a VLAN", SESSION, tagged(9, session(0x0021, v4, 8)), 4),
    ]


OTHERS = [
    Frame("experimental", 0x88B5, typed(0x88B5)),
    Frame("PTP", 0x88F7, typed(0x88F7)),
    Frame("MACsec", 0x88E5, typed(0x88E5)),
    Frame("TIPC", 0x88CA, typed(0x88CA)),
    Frame("a pseudowire", MPLS, typed(MPLS, labels(2) + bytes(4) + BODY)),
    Frame("nothing but labels", MPLS, typed(MPLS, labels(12)[:-4])),
    Frame("PPPoE, IPX", SESSION, session(0x002B, BODY)),
    Frame("LLC", LLC, struct.pack(">H", len(BODY) + 3) + b"\xf0\xf0\x03" + BODY),
    Frame("IPv4 cut off", IP, typed(IP, b"\x45\0\0\x20")),
    Frame("IPv6 cut off", IPV6, typed(IPV6, b"\x60\0\0\0")),
    Frame("four VLAN tags", VLAN, tagged(9, tagged(10, tagged(11, tagged(12, typed(IP, BODY)))))),
]
LINKS = [
    Frame("ARP", 0x0806, typed(0x0806, struct.pack(">HHBBH", 1, IP, 6, 4, 9) + bytes(20))),
    Frame("ARP in a VLAN", 0x0806, tagged(9, typed(0x0806, struct.pack(">HHBBH", 1, IP, 6, 4, 8) + bytes(20)))),
    Frame("RARP", 0x8035, typed(0x8035)),
    Frame("EAPOL", 0x888E, typed(0x888E, b"\x02\x01\0\0")),
    Frame("MKA", 0x888E, typed(0x888E, b"\x03\x05\0\0")),
    Frame("LACP", 0x8809, typed(0x8809, b"\x01\x01" + BODY), to="01:80:c2:00:00:02"),
    Frame("LLDP", 0x88CC, typed(0x88CC), to="01:80:c2:00:00:0e"),
    Frame("PTP between neighbours", 0x88F7, typed(0x88F7), to="01:80:c2:00:00:0e"),
    Frame("STP", LLC, struct.pack(">H", 38) + b"\x42\x42\x03" + bytes(35), to="01:80:c2:00:00:00"),
    Frame("PVST+", LLC, struct.pack(">H", 50) + b"\xaa\xaa\x03\0\0\x0c\x01\x0b" + bytes(42), to="01:00:0c:cc:cc:cd"),
    Frame("PPPoE discovery", DISCOVERY, typed(DISCOVERY, b"\x11\x09\0\0\0\0"), to="ff:ff:ff:ff:ff:ff"),
    Frame("PPPoE, LCP", SESSION, session(0xC021, b"\x09\x01\0\x08\0\0\0\0")),
]


def ends(rig: Rig, direction: str) -> tuple[Namespace, Namespace]:
    return (rig.net.client, rig.net.server) if direction == "egress" else (rig.net.server, rig.net.client)


class Wire:
    """Frames from one end to the other, by name."""

    def __init__(self, rig: Rig, direction: str, stack: ExitStack) -> None:
        self.sender, self.receiver = ends(rig, direction)
        self.addresses = frames.mac(self.receiver), frames.mac(self.sender)
        v4, v6 = (
            frames.udp(self.sender, self.receiver, b"inside", family=family, port=PORT)[14:] for family in (4, 6)
        )  # fmt: skip
        self.wrapped = wrapped(v4, v6)
        self.sockets = {
            kind: stack.enter_context(self.receiver.call(socket.socket, socket.AF_PACKET, socket.SOCK_RAW, 0))
            for kind in {frame.kind for frame in self.every}
        }
        for kind, made in self.sockets.items():
            made.bind(("eth0", kind))
            made.setblocking(False)

    @property
    def every(self) -> list[Frame]:
        return [*self.wrapped, *OTHERS, *LINKS]

    def whole(self, frame: Frame) -> bytes:
        there, here = self.addresses
        return (bytes.fromhex(frame.to.replace(":", "")) if frame.to else there) + here + frame.data

    def arrive(self, sent: Iterable[Frame], wanted: Iterable[Frame]) -> dict[str, int]:
        """Sends the frames; who is wanted arrives, and nobody else. How long after it was sent each was read, ns."""
        sent, names = list(sent), {frame.name for frame in wanted}
        contents = {self._inside(self.whole(frame)): frame.name for frame in sent}
        times = dict(zip([f.name for f in sent], frames.send(self.sender, *map(self.whole, sent)), strict=True))
        found: dict[str, int] = {}

        def seen() -> bool:
            for data, at in self._read():
                if name := contents.get(data):
                    found[name] = at - times[name]
            return found.keys() >= names

        with suppress(AssertionError):
            until(seen, 20, "all that are wanted")
        time.sleep(0.05)
        seen()
        assert (names - found.keys(), found.keys() - names) == (set(), set())
        return found

    def _read(self) -> Iterator[tuple[bytes, int]]:
        while ready := select.select(list(self.sockets.values()), [], [], 0)[0]:
            for one in ready:
                data, _, _, where = one.recvmsg(1 << 16)
                if where[2] != socket.PACKET_OUTGOING:
                    yield self._inside(data), frames.now()

    @staticmethod
    def _inside(frame: bytes) -> bytes:
        """Without tags: a kernel takes the outermost one off."""
        at = 12
        while frame[at : at + 2] == b"\x81\0":
            at += 4
        return frame[:12] + frame[at:]


@contextmanager
def wire(rig: Rig, direction: str) -> Iterator[Wire]:
    with ExitStack() as stack:
        yield Wire(rig, direction, stack)


@DIRECTIONS
def test_a_rule_without_a_match_means_every_frame_but_the_links_own(shared_rig: Rig, direction: str) -> None:
    with wire(shared_rig, direction) as made:
        shared_rig.clear()
        made.arrive(made.every, made.every)
        shared_rig.set(rule(DROP))
        made.arrive(made.every, LINKS)
        assert shared_rig.shown().rules[0].packets >= len(made.wrapped) + len(OTHERS)
        shared_rig.set(rule(Condition(block="reject")))  # there is no answer to such a frame
        made.arrive(made.every, LINKS)
        opposite = "ingress" if direction == "egress" else "egress"
        shared_rig.set(rule(DROP, direction=opposite))
        made.arrive(made.every, made.every)


@DIRECTIONS
def test_what_a_rule_asks_of_a_packet_only_a_packet_has(shared_rig: Rig, direction: str) -> None:
    """By peer, port, protocol and family the packets inside are meant, and no other frame; beside an exclusion, too."""
    with wire(shared_rig, direction) as made:
        receiver_is_peer = direction == "egress"
        peer = made.receiver if receiver_is_peer else made.sender
        inside = {family: [f for f in made.wrapped if f.ip == family] for family in (4, 6)}
        rest = [*OTHERS, *LINKS]
        every = made.wrapped
        cases = [
            ({"to": (str(peer.v4),)}, inside[6]),
            ({"to": (str(peer.v6),)}, inside[4]),
            ({"ports": ports(PORT)}, []),
            ({"ports": ports(PORT + 1)}, every),
            ({"protocol": "udp"}, []),
            ({"protocol": "tcp"}, every),
            ({"family": "ipv4"}, inside[6]),
            ({"share": Percent(999_999_999)}, []),
        ]
        for match, passes in cases:
            shared_rig.set(rule(DROP, **match))
            made.arrive(made.every, [*passes, *rest])
        shared_rig.set(rule(DROP, vlan=9))
        untagged = [frame for frame in (*every, *OTHERS) if frame.data[:2] != b"\x81\0"]
        made.arrive(made.every, [*untagged, *LINKS])
        shared_rig.set(rule(DROP), exclude=(rule(to=(str(peer.v4),)).match,))
        made.arrive(made.every, [*inside[4], *LINKS])


@DIRECTIONS
@pytest.mark.parametrize("kind", ["whole", "segmented"])
def test_a_line_delivers_them_late_and_unchanged(shared_rig: Rig, direction: str, kind: str) -> None:
    late = delay(DELAY_MS)
    more = {"loss": LossRandom(Percent(0)), "mtu": 1500} if kind == "segmented" else {}
    with wire(shared_rig, direction) as made:
        shared_rig.set(rule(Condition(delay=late, **more)))
        took = made.arrive(made.every, made.every)
        assert min(took[frame.name] for frame in (*made.wrapped, *OTHERS)) >= DELAY_MS * MS - EARLY_NS
        assert shared_rig.shown().unwanted_drops == 0


@pytest.fixture
def far(rig: Rig) -> str:
    """An address of the server's to which the client's route puts an MPLS label."""
    client, server = rig.net.client, rig.net.server
    subprocess.run(["modprobe", "-qa", "mpls_router", "mpls_iptunnel"], check=False)
    if not Path("/proc/sys/net/mpls").exists():
        pytest.skip("this kernel has no MPLS (MPLS_ROUTING)")
    server.run("sh", "-c", "echo 200 >/proc/sys/net/mpls/platform_labels; echo 1 >/proc/sys/net/mpls/conf/eth0/input")
    server.run("ip", "addr", "add", "198.51.100.7/32", "dev", "lo")
    server.run("ip", "-f", "mpls", "route", "add", "100", "dev", "lo")
    client.run("ip", "route", "add", "198.51.100.7/32", "encap", "mpls", "100", "via", "inet", "192.0.2.2", "dev", "eth0")
    return "198.51.100.7"


def test_a_route_through_mpls(rig: Rig, far: str) -> None:
    """Packets with a real label, by the peer inside; TCP's super-packets too."""
    client, server = rig.net.client, rig.net.server

    def reached() -> bool:
        return client.run("ping", "-c1", "-W5", far, check=False).returncode == 0

    assert reached()
    rig.set(rule(DROP, to=(far,), direction="egress"))
    assert client.run("ping", "-c2", "-i0.2", "-W0.5", far, check=False).returncode
    assert rig.shown().rules[0].dropped == 2
    rig.set(rule(DROP, to=(str(server.v4),), direction="egress"))
    assert reached()
    rig.set(rule(delay(20), to=(far,), direction="egress"))
    assert float(client.run("ping", "-c1", far).stdout.split("time=")[1].split()[0]) >= 20
    size = 200_000
    with (
        server.call(socket.create_server, (far, 5000)) as listener,
        client.call(socket.create_connection, (far, 5000), 20) as near,
    ):
        there, _ = listener.accept()
        with there:
            near.settimeout(20 * SLOW)
            near.sendall(bytes(size))
            near.shutdown(socket.SHUT_WR)
            received = 0
            while part := there.recv(1 << 16):
                received += len(part)
    assert received == size
    assert rig.shown().unwanted_drops == 0
