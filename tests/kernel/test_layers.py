"""A packet that passes several interfaces of one target has one rule: tunnels, taps bridged by tc, ifb, routers; and interfaces without
link headers.
"""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

import pytest

from netweather.conditions import Condition
from netweather.engine.verification import VerifyOptions, verify
from netweather.errors import NetweatherError
from netweather.measure import Verdict
from tests.kernel.conftest import MakeRig
from tests.support import probe, wireguard
from tests.support.netns import Lab, Namespace, ip
from tests.support.rig import MS, Rig, delay, rule
from tests.support.statistics import EARLY_NS

DELAY_MS = 300
FAMILIES = pytest.mark.parametrize("family", [4, 6])
BOTH = rule(delay(DELAY_MS), direction="both")


def times(sender: Namespace, receiver: Namespace, family: int = 4) -> int:
    """How often packets that go this way were delayed."""
    seen = probe.stream(sender, receiver, 5, family=family, patience=10)
    assert seen.lost == []
    return (min(seen.delays) + EARLY_NS) // (DELAY_MS * MS)


def batch(namespace: Namespace, *lines: str) -> None:
    ip("-n", namespace.name, "-batch", "-", stdin="\n".join(lines) + "\n")


def view(namespace: Namespace, number: int) -> Namespace:
    """The same end, by the address it has in a tunnel."""
    return replace(namespace, v4=IPv4Address(f"198.51.100.{number}"), v6=IPv6Address(f"2001:db8:5::{number}"))


def addresses(end: Namespace, device: str) -> tuple[str, ...]:
    return (f"addr add {end.v4}/28 dev {device}", f"addr add {end.v6}/64 dev {device} nodad")


# tunnels


TUNNELS = {  # by `ip link add … type`: the kernel's option
    "vxlan id 5 dstport 4789": "VXLAN",
    "geneve id 5": "GENEVE",
    "ipip": "NET_IPIP",
    "gre": "NET_IPGRE",
    "gretap": "NET_IPGRE",
    "wireguard": "WIREGUARD",
}
KEYS = "6CzhA3T7sqPgh4TjKyQfCW0/DY5v6pvvlSrTh8uOHk4=", "yKKiIsXH1cGQ/6JzeLPpT9cQRW4MP/cpuQpzgGr5sE4="


def with_tunnel(net: Lab, kind: str = "vxlan id 5 dstport 4789") -> tuple[Namespace, Namespace]:
    """tunnel0 at both ends, over eth0."""
    ends = (view(net.client, 1), view(net.server, 2))
    for number, (here, there, end) in enumerate(((net.client, net.server, ends[0]), (net.server, net.client, ends[1]))):
        far = {"geneve": f" remote {there.v4}", "wireguard": ""}.get(kind.split()[0], f" local {here.v4} remote {there.v4}")
        batch(here, f"link add tunnel0 type {kind}{far}")
        if kind == "wireguard":
            here.call(_meet, number, str(there.v4))
        batch(here, "link set tunnel0 up", *addresses(end, "tunnel0"))
    for family in (
        (4,) if kind == "ipip" else (4, 6)
    ):  # neighbours are asked for inside the tunnel, where a condition delays that too
        probe.stream(*ends, 1, family=family, patience=10)
    return ends


def _meet(number: int, there: str) -> None:
    """The keys of one end, and its peer's."""
    import base64

    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    public = X25519PrivateKey.from_private_bytes(base64.b64decode(KEYS[1 - number])).public_key()
    raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    wireguard.set_peer("tunnel0", base64.b64decode(KEYS[number]), raw, there, ("198.51.100.0/24", "2001:db8:5::/64"))


@pytest.mark.parametrize("kind", TUNNELS)
def test_every_kind_of_tunnel(rig: Rig, kind: str) -> None:
    far = "" if kind == "wireguard" else " remote 192.0.2.9"
    made = subprocess.run(["unshare", "--net", *f"ip link add x0 type {kind}{far}".split()], capture_output=True, check=False)
    if made.returncode:
        pytest.skip(f"this kernel has no {kind.split()[0]} devices (CONFIG_{TUNNELS[kind]})")
    near, end = with_tunnel(rig.net, kind)
    assert rig.set(BOTH).interfaces == ("eth0",)
    assert (times(near, end), times(end, near)) == (1, 1)
    if kind == "gre":
        with pytest.raises(NetweatherError, match="no-interface"):
            rig.set(rule(delay(DELAY_MS), direction="both", interfaces=("tunnel0",)))
        return
    rig.set(rule(delay(DELAY_MS), direction="both", interfaces=("tunnel0",)))
    assert (times(near, end), times(end, near)) == (1, 1)
    rig.set(rule(Condition(block="drop"), direction="ingress", interfaces=("tunnel0",)))
    assert (len(probe.stream(near, end, 5).lost), len(probe.stream(end, near, 5).lost)) == (0, 5)
    assert rig.shown().unwanted_drops == 0


@FAMILIES
def test_what_a_tunnel_carries_is_delayed_once(rig: Rig, family: int) -> None:
    near, far = with_tunnel(rig.net)
    result = rig.set(BOTH)
    assert result.interfaces == ("eth0",)
    assert any("tunnel0 is left out" in note for note in result.notes)
    assert any("tunnel0 is left out" in note for note in rig.shown().notes)
    assert (times(near, far, family), times(far, near, family)) == (1, 1)


@pytest.mark.parametrize("named", [("tunnel0",), ("eth0", "tunnel0")])
def test_a_tunnel_that_is_named(rig: Rig, named: tuple[str, ...]) -> None:
    near, far = with_tunnel(rig.net)
    assert rig.set(rule(delay(DELAY_MS), direction="both", interfaces=named)).interfaces == named
    assert not any("left out" in note for note in rig.shown().notes)
    assert (times(near, far), times(far, near)) == (1, 1)
    assert times(rig.net.client, rig.net.server) == ("eth0" in named)


def test_a_peer_behind_a_tunnel_is_an_error_with_a_remedy(rig: Rig) -> None:
    with_tunnel(rig.net)
    with pytest.raises(NetweatherError, match="left-out-interface") as caught:
        rig.set(rule(delay(DELAY_MS), to=("198.51.100.2",)))
    assert "--interface tunnel0" in caught.value.remedy
    rig.set(rule(delay(DELAY_MS), to=("192.0.2.2",)))
    rig.set(rule(delay(DELAY_MS), to=("198.51.100.2",), interfaces=("tunnel0",)))


# a device that tc redirects to


def redirect(namespace: Namespace, source: str, target: str) -> None:
    """As Kata and vrnetlab do: all that comes in by the one leaves by the other."""
    namespace.run("tc", "qdisc", "add", "dev", source, "clsact")
    match = "protocol all u32 match u8 0 0"
    namespace.run(*f"tc filter add dev {source} ingress {match} action mirred egress redirect dev {target}".split())


def test_an_egress_rule_and_a_shaper_of_incoming_packets(rig: Rig) -> None:
    """ifb: what comes in by eth0 passes its egress, and is not what leaves."""
    client = rig.net.client
    batch(client, "link add ifb0 type ifb", "link set ifb0 up")
    redirect(client, "eth0", "ifb0")
    result = rig.set(rule(delay(DELAY_MS), direction="egress"))
    assert result.interfaces == ("eth0",)
    assert any("ifb0 is left out" in note for note in result.notes)
    assert (times(client, rig.net.server), times(rig.net.server, client)) == (1, 0)
    rig.set(BOTH)
    assert (times(client, rig.net.server), times(rig.net.server, client)) == (1, 1)
    with pytest.raises(NetweatherError, match="no-interface"):
        rig.set(rule(delay(DELAY_MS), direction="both", interfaces=("eth0", "ifb0")))


@pytest.mark.parametrize("tunnel", [False, True], ids=["plain", "in a tunnel"])
@pytest.mark.parametrize("direction", ["egress", "ingress", "both"])
def test_a_shaper_of_outgoing_packets(rig: Rig, direction: str, tunnel: bool) -> None:
    """ifb gives what it has shaped to eth0 again, where the same rule must not take it for the next packet."""
    client, server = with_tunnel(rig.net) if tunnel else (rig.net.client, rig.net.server)
    batch(rig.net.client, "link add ifb0 type ifb", "link set ifb0 up")
    rig.net.client.run(*["tc", "qdisc", "add", "dev", "eth0", "root", "handle", "1:", "htb"])
    match = "protocol all u32 match u32 0 0"
    rig.net.client.run(*f"tc filter add dev eth0 parent 1: {match} action mirred egress redirect dev ifb0".split())
    rig.set(rule(delay(DELAY_MS), direction=direction))
    assert (times(client, server), times(server, client)) == (direction != "ingress", direction != "egress")
    matched = sum(each.packets for each in rig.shown().rules)
    assert matched < 60, "none matches twice"
    rig.set(rule(Condition(block="drop"), direction="egress"))
    assert len(probe.stream(client, server, 5).lost) == 5


@pytest.mark.parametrize("where", ["a bridge", "tc"])
def test_a_pair_with_both_ends_in_the_target(rig: Rig, where: str) -> None:
    """The target's address is at the one end; the other end leads to eth0."""
    client, server = rig.net.client, rig.net.server
    batch(client, "addr flush dev eth0", "link add own0 type veth peer name own1", "link set own0 up", "link set own1 up")
    if where == "tc":
        redirect(client, "eth0", "own1")
        redirect(client, "own1", "eth0")
    else:
        batch(client, "link add br0 type bridge mcast_snooping 0", "link set br0 up")
        batch(client, "link set own1 master br0", "link set eth0 master br0")
    batch(client, *addresses(client, "own0"))
    assert probe.stream(client, server, 1, patience=10).lost == []
    for direction in ("both", "egress", "ingress"):
        result = rig.set(rule(delay(DELAY_MS), direction=direction))
        assert result.interfaces == ("eth0",)
        assert [any(f"{name} is left out" in note for note in result.notes) for name in ("own0", "own1")] == [True, True]
        assert (times(client, server), times(server, client)) == (direction != "ingress", direction != "egress")
    rig.set(rule(delay(DELAY_MS), direction="both", to=(str(server.v4),)))
    assert (times(client, server), times(server, client)) == (1, 1)
    rig.set(rule(delay(DELAY_MS), direction="both", interfaces=("own0",)))
    assert (times(client, server), times(server, client)) == (1, 1)


def tun(namespace: Namespace, name: str, flags: int) -> int:
    """The descriptor of a tun (1) or a tap (2), without packet information."""

    def make() -> int:
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
        fcntl.ioctl(fd, 0x400454CA, struct.pack("16sH22x", name.encode(), flags | 0x1000))
        return fd

    return namespace.call(make)


@contextmanager
def cable(one: int, other: int) -> Iterator[None]:
    """What a program writes to one descriptor comes out of the other: two tuns become the two ends of a wire."""
    end, stop = os.pipe()

    def copy(source: int, target: int) -> None:
        import select

        while end not in (ready := select.select([source, end], [], [])[0]):
            if ready:
                frame = os.read(source, 1 << 16)
                with suppress(OSError):  # the other end is down
                    os.write(target, frame)

    threads = [threading.Thread(target=copy, args=pair) for pair in ((one, other), (other, one))]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        os.write(stop, b"x")
        for thread in threads:
            thread.join()
        for fd in (one, other, end, stop):
            os.close(fd)


@pytest.mark.parametrize("direction", ["both", "egress", "ingress"])
def test_a_virtual_machine_behind_tc_s_mirred(rig: Rig, direction: str) -> None:
    """Its tap is bridged to eth0 by tc, and what leaves by the tap comes in by eth0."""
    client, server = rig.net.client, rig.net.server
    name = f"{client.name.removesuffix('client')}vm"
    ip("netns", "add", name)
    machine = replace(client, name=name)
    try:
        with cable(tun(client, "tap0", 2), tun(machine, "vm0", 2)):
            batch(client, "addr flush dev eth0", "link set tap0 up")
            batch(machine, "link set vm0 up", f"addr add {client.v4}/24 dev vm0", f"addr add {client.v6}/64 dev vm0 nodad")
            redirect(client, "eth0", "tap0")
            redirect(client, "tap0", "eth0")
            assert probe.stream(machine, server, 1, patience=10).lost == []
            result = rig.set(rule(delay(DELAY_MS), direction=direction))
            assert any("tap0 is left out" in note for note in result.notes)
            assert (times(machine, server), times(server, machine)) == (direction != "ingress", direction != "egress")
    finally:
        ip("netns", "del", name)


@pytest.fixture
def lonely(make_rig: MakeRig) -> Iterator[tuple[Rig, Namespace, Namespace]]:
    """A target whose only interface is a tun, as a user-space network stack gives to a container."""
    with make_rig() as rig:
        batch(rig.net.client, "link del eth0")
        ends = (view(rig.net.client, 1), view(rig.net.server, 2))
        with cable(tun(rig.net.client, "tun0", 1), tun(rig.net.server, "tun0", 1)):
            for end in ends:
                batch(end, "link set tun0 up", *addresses(end, "tun0"))
            yield rig, *ends


@FAMILIES
@pytest.mark.parametrize("direction", ["egress", "ingress"])
def test_an_interface_without_link_headers(lonely: tuple[Rig, Namespace, Namespace], direction: str, family: int) -> None:
    rig, near, far = lonely
    result = rig.set(rule(delay(DELAY_MS), direction=direction, to=(f"{far.v4 if family == 4 else far.v6}",)))
    assert result.interfaces == ("tun0",)
    assert times(near, far, family) == (direction == "egress")
    assert times(far, near, family) == (direction == "ingress")
    assert times(near, far, 10 - family) == times(far, near, 10 - family) == 0
    assert rig.shown().unwanted_drops == 0
    rig.set(rule(Condition(block="drop"), direction=direction))
    for sender, receiver, way in ((near, far, "egress"), (far, near, "ingress")):
        assert len(probe.stream(sender, receiver, 5, family=family).lost) == 5 * (direction == way)


@FAMILIES
def test_a_refusal_without_link_headers(lonely: tuple[Rig, Namespace, Namespace], family: int) -> None:
    rig, near, far = lonely
    rig.set(rule(Condition(block="reject"), direction="egress"))
    address = str(far.v4 if family == 4 else far.v6)
    script = f"import socket; socket.create_connection(('{address}', 9), 5)"
    assert "ConnectionRefusedError" in near.run("python3", "-c", script, check=False).stderr


def test_streams_without_link_headers_arrive_whole(lonely: tuple[Rig, Namespace, Namespace]) -> None:
    from tests.support.traffic import tcp_transfer

    rig, near, far = lonely
    rig.set(rule(delay(2), direction="both"))
    for sender, receiver in ((near, far), (far, near)):
        assert tcp_transfer(sender, receiver, size=1_000_000).intact
    assert rig.shown().unwanted_drops == 0


def test_a_tun_beside_another_interface_is_left_out_until_it_is_named(rig: Rig) -> None:
    near, far = view(rig.net.client, 1), view(rig.net.server, 2)
    with cable(tun(rig.net.client, "tun0", 1), tun(rig.net.server, "tun0", 1)):
        for end in (near, far):
            batch(end, "link set tun0 up", *addresses(end, "tun0"))
        result = rig.set(BOTH)
        assert result.interfaces == ("eth0",)
        assert any("tun0 is left out" in note for note in result.notes)
        assert times(near, far) == 0
        with pytest.raises(NetweatherError, match="left-out-interface"):
            rig.set(rule(delay(DELAY_MS), to=(str(far.v4),)))
        rig.set(rule(delay(DELAY_MS), direction="both", interfaces=("tun0",)))
        assert (times(near, far), times(far, near)) == (1, 1)


# routers


@pytest.fixture
def router(make_rig: MakeRig) -> Iterator[tuple[Rig, Namespace, Namespace]]:
    """The target forwards between the server and another end, which is in a namespace of its own."""
    with make_rig() as rig:
        middle = rig.net.client
        name = f"{middle.name.removesuffix('client')}end"
        ip("netns", "add", name)
        try:
            near, end = view(middle, 1), Namespace(name, IPv4Address("198.51.100.2"), IPv6Address("2001:db8:5::2"))
            batch(middle, f"link add eth1 type veth peer name eth0 netns {name}", "link set eth1 up", *addresses(near, "eth1"))
            batch(end, "link set lo up", "link set eth0 up", *addresses(end, "eth0"), "route add default via 198.51.100.1")
            batch(rig.net.server, f"route add 198.51.100.0/28 via {middle.v4}")
            middle.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
            yield rig, end, rig.net.server
        finally:
            ip("netns", "del", name)


def test_what_a_router_forwards_is_delayed_once(router: tuple[Rig, Namespace, Namespace]) -> None:
    rig, end, server = router
    for direction in ("both", "ingress", "egress"):
        result = rig.set(rule(delay(DELAY_MS), direction=direction))
        assert any("forwards" in note for note in result.notes)
        assert (times(end, server), times(server, end)) == (1, 1)
    rig.set(rule(delay(DELAY_MS), direction="egress", interfaces=("eth1",)))
    assert (times(end, server), times(server, end)) == (0, 1)
    rig.set(BOTH)
    assert (times(rig.net.client, server), times(server, rig.net.client)) == (1, 1)


def test_a_mark_of_another_target_means_nothing(router: tuple[Rig, Namespace, Namespace]) -> None:
    """A router whose rule names one interface forwards by another, which it doesn't look at, to a target with a rule of its own."""
    rig, end, server = router
    rig.set(rule(delay(DELAY_MS), direction="ingress", interfaces=("eth1",)))
    other = Rig(rig.net, rig.state, reference=f"netns:{server.name}")
    other.set(rule(delay(DELAY_MS), direction="ingress"))
    try:
        assert times(end, server) == 2
    finally:
        other.clear()


def test_a_name_that_begins_as_ours_do(rig: Rig) -> None:
    batch(rig.net.client, "link set eth0 down", "link set eth0 name nwan0", "link set nwan0 up")
    assert rig.set(rule(delay(DELAY_MS), direction="ingress")).interfaces == ("nwan0",)
    assert times(rig.net.server, rig.net.client) == 1


@pytest.mark.parametrize("direction", ["both", "egress"])
def test_what_verify_measures_at_a_router_holds_for_what_it_forwards(
    router: tuple[Rig, Namespace, Namespace], direction: str
) -> None:
    rig, end, server = router
    rig.set(rule(delay(DELAY_MS), direction=direction))
    (evidence,) = verify(rig.engine, rig.target, VerifyOptions(peer=f"netns:{server.name}", samples=40))
    figures = [figure for measured in evidence.measured for figure in measured.figures if figure.name == "delay"]
    assert {figure.direction for figure in figures} >= {"egress"}
    assert all(figure.verdict is not Verdict.FAIL for figure in figures)
    assert (times(end, server), times(server, end)) == (1, 1)
