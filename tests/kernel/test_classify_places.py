"""Where traffic goes: VLANs on one interface, and several interfaces of one target.

Tagged packets that come in are made by hand, so that they are tried on every kernel; VLAN devices where the kernel has them.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from netweather.conditions import Condition
from netweather.errors import NetweatherError
from tests.support import dumps
from tests.support.netns import Lab, Namespace, ip, lab
from tests.support.rig import Rig, delay, rule
from tests.support.traffic import Echo, round_trip, tcp_client, udp_client

DELAY_MS = 25
ETH_P_ALL, ETH_P_IP, ETH_P_8021Q = 0x0003, 0x0800, 0x8100
SOL_PACKET, PACKET_AUXDATA, TP_STATUS_VLAN_VALID = 263, 8, 16
PLAIN = {4: "192.0.2.2", 6: "2001:db8::2"}
VLAN_100 = {4: "198.51.100.2", 6: "2001:db8:100::2"}
VLAN_100_OF_TARGET = {4: "198.51.100.1", 6: "2001:db8:100::1"}
VLAN_200 = {4: "198.51.100.130", 6: "2001:db8:200::2"}
ETH1 = {4: "203.0.113.2", 6: "2001:db8:1::2"}
FAMILIES = pytest.mark.parametrize("family", [4, 6])
DIRECTIONS = pytest.mark.parametrize("direction", ["egress", "ingress"])


def add_eth1(net: Lab) -> None:
    """A second pair of interfaces."""
    ip("link", "add", "eth1", "netns", net.client.name, "type", "veth", "peer", "name", "eth1", "netns", net.server.name)
    for number, end in enumerate((net.client, net.server), 1):
        lines = [
            "link set eth1 up",
            f"addr add 203.0.113.{number}/24 dev eth1",
            f"addr add 2001:db8:1::{number}/64 dev eth1 nodad",
        ]
        ip("-n", end.name, "-batch", "-", stdin="\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with lab() as net:
        add_eth1(net)
        made = Rig(net, tmp_path_factory.mktemp("state"))
        before = {namespace: dumps.settled(namespace) for namespace in net.namespaces}
        with Echo(net.server, [7, 80]):
            yield made
        made.close()
        for namespace, dump in before.items():
            dumps.assert_same(dump, namespace)


@pytest.fixture(scope="module")
def vlans(places: Rig) -> Iterator[Rig]:
    """VLANs 100 and 200 on eth0 of both ends."""
    ends = (places.net.client, places.net.server)
    if (
        "Unknown device type"
        in ends[0].run("ip", "link", "add", "link", "eth0", "name", "v", "type", "vlan", "id", "7", check=False).stderr
    ):
        pytest.skip("this kernel has no VLAN devices (VLAN_8021Q)")
    ends[0].run("ip", "link", "del", "v")
    for number, end in enumerate(ends, 1):
        lines = [f"link add link eth0 name eth0.{tag} type vlan id {tag}\nlink set eth0.{tag} up" for tag in (100, 200)]
        for tag, last in ((100, number), (200, 128 + number)):
            lines += [
                f"addr add 198.51.100.{last}/25 dev eth0.{tag}",
                f"addr add 2001:db8:{tag}::{number}/64 dev eth0.{tag} nodad",
            ]
        ip("-n", end.name, "-batch", "-", stdin="\n".join(lines) + "\n")
    yield places
    places.clear()
    for end in ends:
        ip("-n", end.name, "-batch", "-", stdin="link del eth0.100\nlink del eth0.200\n")


class Wire:
    """UDP frames with a tag or without, made by hand on the server's side; and what the client's side sees of them, behind us."""

    def __init__(self, net: Lab) -> None:
        self.out = net.server.call(socket.socket, socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.out.bind(("eth0", 0))
        # One of a single protocol sees packets behind the classifier, without their tags; one of all protocols in front of it, with
        # their tags, and once more those that come back from a line.
        self.behind = net.client.call(socket.socket, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IP))
        self.behind.bind(("eth0", ETH_P_IP))
        self.front = net.client.call(socket.socket, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.front.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.front.bind(("eth0", ETH_P_ALL))
        self.macs = b"".join(bytes.fromhex(mac_of(end).replace(":", "")) for end in (net.client, net.server))

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        for one in (self.out, self.behind, self.front):
            one.close()

    def send(self, tag: int | None, port: int) -> float:
        """A datagram to the client's port; when it was sent."""
        datagram = struct.pack("!4H", port, port, 12, 0) + b"abcd"
        header = struct.pack(
            "!BBHHHBBH4s4s", 0x45, 0, 20 + len(datagram), 0, 0, 64, 17, 0, bytes([192, 0, 2, 2]), bytes([192, 0, 2, 1])
        )
        header = header[:10] + struct.pack("!H", ipv4_checksum(header)) + header[12:]
        tagged = struct.pack("!HH", ETH_P_8021Q, tag) if tag is not None else b""
        self.out.send(self.macs + tagged + struct.pack("!H", ETH_P_IP) + header + datagram)
        return time.monotonic()

    def arrivals(self, patience: float) -> dict[int, float]:
        """When each came, by port, until nothing more comes."""
        found = {}
        self.behind.settimeout(patience)
        with suppress(TimeoutError):
            while True:
                if port := port_of(self.behind.recv(2048)):
                    found[port] = time.monotonic()
        return found

    def tags(self) -> dict[int, list[int | None]]:
        """The tag of each, by port, as often as it was seen."""
        found: dict[int, list[int | None]] = {}
        self.front.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                frame, extra, *_ = self.front.recvmsg(2048, 256)
                if port := port_of(frame):
                    found.setdefault(port, []).append(tag_of(extra))
        return found


def port_of(frame: bytes) -> int:
    """The port of a datagram of ours; 0: it is none."""
    return int.from_bytes(frame[36:38], "big") if frame[23] == 17 and frame[-4:] == b"abcd" else 0


def mac_of(end: Namespace) -> str:
    return end.run("cat", "/sys/class/net/eth0/address").stdout.strip()


def ipv4_checksum(header: bytes) -> int:
    total = sum(struct.unpack("!10H", header))
    total = (total & 0xFFFF) + (total >> 16)
    return ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF


def tag_of(extra: list[tuple[int, int, bytes]]) -> int | None:
    """The VLAN of a received packet, by its struct tpacket_auxdata."""
    for level, kind, data in extra:
        if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
            status, tci = struct.unpack_from("=I", data)[0], struct.unpack_from("=H", data, 16)[0]
            return tci & 0xFFF if status & TP_STATUS_VLAN_VALID else None
    return None


TAGS = {1001: None, 1002: 100, 1003: 200}


def delays(rig: Rig) -> dict[int, float]:
    """Sends a datagram of each kind; how much later it came, by port. None may lose its tag on the way."""
    with Wire(rig.net) as wire:
        sent = {port: wire.send(tag, port) for port, tag in TAGS.items()}
        came = wire.arrivals(0.3)
        assert {port: set(tags) for port, tags in wire.tags().items()} == {port: {tag} for port, tag in TAGS.items()}
    return {port: at - sent[port] for port, at in came.items()}


@pytest.mark.parametrize(("tag", "port"), [(0, 1001), (100, 1002), (200, 1003)])
def test_packets_that_come_in_with_a_tag(places: Rig, tag: int, port: int) -> None:
    places.clear()
    assert delays(places).keys() == TAGS.keys()
    places.set(rule(Condition(block="drop"), direction="ingress", vlan=tag))
    assert delays(places).keys() == TAGS.keys() - {port}
    places.set(rule(delay(100), direction="ingress", vlan=tag))
    found = delays(places)
    assert found.keys() == TAGS.keys()
    assert {one for one, seconds in found.items() if seconds >= 0.1} == {port}


def slow(rig: Rig, there: str) -> bool:
    """Whether UDP and TCP to that address are delayed; the one as the other."""
    with udp_client(rig.net.client, there, 7) as udp, tcp_client(rig.net.client, there, 80) as tcp:
        found = {min(round_trip(each) for _ in range(4)) >= DELAY_MS / 1000 for each in (udp, tcp)}
    assert len(found) == 1
    return found.pop()


@FAMILIES
@DIRECTIONS
@pytest.mark.parametrize(("tag", "meant", "others"), [(100, VLAN_100, (VLAN_200, PLAIN)), (0, PLAIN, (VLAN_100, VLAN_200))])
def test_a_vlan_and_no_other(
    vlans: Rig, tag: int, meant: dict[int, str], others: tuple[dict[int, str], ...], direction: str, family: int
) -> None:
    """0 is what has no tag."""
    vlans.set(rule(delay(DELAY_MS), direction=direction, vlan=tag))
    assert slow(vlans, meant[family])
    for other in others:
        assert not slow(vlans, other[family])


@FAMILIES
def test_without_a_vlan_all_are_meant(vlans: Rig, family: int) -> None:
    vlans.set(rule(delay(DELAY_MS), direction="egress", interfaces=("eth0",)))
    assert all(slow(vlans, each[family]) for each in (PLAIN, VLAN_100, VLAN_200))


@FAMILIES
@DIRECTIONS
def test_tagged_packets_are_dropped_and_rejected(vlans: Rig, direction: str, family: int) -> None:
    vlans.set(rule(Condition(block="drop"), direction=direction, vlan=100))
    with udp_client(vlans.net.client, VLAN_100[family], 7) as connection, pytest.raises(TimeoutError):
        round_trip(connection, 0.2)
    vlans.set(rule(Condition(block="reject"), direction=direction, vlan=100))
    if direction == "egress":
        with pytest.raises(ConnectionRefusedError):
            tcp_client(vlans.net.client, VLAN_100[family], 80)
    else:  # whoever comes in is answered: with nobody in between, the target's own server would be
        with Echo(vlans.net.client, [81]), pytest.raises(ConnectionRefusedError):
            tcp_client(vlans.net.server, VLAN_100_OF_TARGET[family], 81)
    assert not slow(vlans, VLAN_200[family])


@FAMILIES
def test_one_interface_of_two(places: Rig, family: int) -> None:
    places.set(rule(delay(DELAY_MS), direction="egress", interfaces=("eth1",)))
    assert places.shown().interfaces == ("eth1",)
    assert slow(places, ETH1[family])
    assert not slow(places, PLAIN[family])


@FAMILIES
def test_both_interfaces_each_with_its_own_line(places: Rig, family: int) -> None:
    places.set(rule(delay(DELAY_MS), direction="egress"))
    assert sorted(places.shown().interfaces) == ["eth0", "eth1"]
    assert slow(places, ETH1[family])
    assert slow(places, PLAIN[family])


def test_each_interface_its_own_condition(places: Rig) -> None:
    """Two rules, and a third for what neither means."""
    places.set(
        rule(delay(2 * DELAY_MS), direction="egress", interfaces=("eth1",), protocol="udp"),
        rule(delay(DELAY_MS), direction="egress", interfaces=("eth0",), protocol="udp"),
        rule(Condition(block="drop"), direction="egress"),
    )
    for there, least, most in ((ETH1, 50, 75), (PLAIN, 25, 50)):
        with udp_client(places.net.client, there[4], 7) as connection:
            assert least <= min(round_trip(connection) for _ in range(4)) * 1000 < most
        with pytest.raises(TimeoutError):
            tcp_client(places.net.client, there[4], 80, timeout=0.2)
    first, second, third = places.shown().rules
    assert min(first.packets, second.packets) >= 4
    assert third.dropped >= 2


def test_an_interface_that_is_not_there_is_refused(places: Rig) -> None:
    with pytest.raises(NetweatherError, match="no-interface") as caught:
        places.set(rule(delay(DELAY_MS), interfaces=("eth7",)))
    assert "eth0, eth1" in caught.value.why


def test_a_connection_survives_that_its_interface_is_taken_in_and_out(places: Rig) -> None:
    places.clear()
    with tcp_client(places.net.client, ETH1[4], 80) as connection:
        for interfaces in (("eth0",), ("eth1",), ("eth0", "eth1"), ("eth0",)):
            places.set(rule(delay(DELAY_MS), direction="egress", interfaces=interfaces))
            assert (min(round_trip(connection) for _ in range(4)) >= DELAY_MS / 1000) == ("eth1" in interfaces)
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
