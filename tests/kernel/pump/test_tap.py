"""The pump with a real TAP between two namespaces: accuracy, super-packets, throughput, small packets."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest
from scipy import stats

from netweather.conditions.distributions import table_of
from netweather.lines.params import ONE, LineParams, LineStats, LossModel
from tests.native.pump import harness
from tests.native.pump.harness import ADD, Pump
from tests.support import netns, owner
from tests.support.netns import Namespace

MS = 10**6
TAP, NO_PI, VNET = 2, 0x1000, 0x4000
TUNSETIFF, TUNSETOFFLOAD = 0x400454CA, 0x400454D0
OFFLOADS = 1 | 2 | 4  # checksum, TSO4, TSO6
USO = 0x20 | 0x40  # Linux 6.2 and later
QUEUE = 20_000
UDP_SEGMENT = 103
SO_RCVBUFFORCE = 33

pytestmark = [pytest.mark.serial, pytest.mark.timeout(300)]


@dataclass
class Path3:
    """client ═ line ═ server: what the client sends passes the TAP, what comes back doesn't."""

    client: Namespace
    line: Namespace
    server: Namespace
    pump: Pump

    def set(self, params: LineParams) -> None:
        self.pump.set(params)

    @property
    def stats(self) -> LineStats:
        self.pump.ping()
        return self.pump.stats()

    def tap_drops(self) -> int:
        folder = Path("/sys/class/net/line0/statistics")
        return sum(int(self.line.run("cat", str(folder / name)).stdout) for name in ("tx_dropped", "rx_dropped"))


def open_tap() -> int:
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", b"line0", TAP | NO_PI | VNET))
    try:
        fcntl.ioctl(fd, TUNSETOFFLOAD, OFFLOADS | USO)
    except OSError:
        fcntl.ioctl(fd, TUNSETOFFLOAD, OFFLOADS)
    return fd


def redirect(space: Namespace, device: str, to: str) -> None:
    space.run("tc", "qdisc", "add", "dev", device, "clsact")
    action = f"action mirred egress redirect dev {to}".split()
    space.run("tc", "filter", "add", "dev", device, "ingress", "protocol", "all", "u32", "match", "u32", "0", "0", *action)


def join(client: Namespace, line: Namespace, server: Namespace) -> None:
    for end, port in ((client, "left"), (server, "right")):
        netns.ip("link", "add", port, "netns", line.name, "type", "veth", "peer", "name", "eth0", "netns", end.name)
        netns.ip("-n", line.name, "link", "set", port, "up")
        netns.ip("-n", end.name, "link", "set", "eth0", "up")
        netns.ip("-n", end.name, "addr", "add", f"{end.v4}/24", "dev", "eth0")
        netns.ip("-n", end.name, "addr", "add", f"{end.v6}/64", "dev", "eth0", "nodad")
    netns.ip("-n", line.name, "link", "set", "line0", "mtu", "65521", "txqueuelen", str(QUEUE), "up")
    for device, to in (("left", "line0"), ("line0", "right"), ("right", "left")):
        redirect(line, device, to)
    pin = "for f in /sys/class/net/*/queues/rx-*/rps_cpus; do echo 1 > $f; done"  # one CPU, or flows overtake themselves
    for space in (client, line, server):
        space.run("sh", "-c", pin)
    for end, other in ((client, server), (server, client)):  # or the pump would draw for neighbour discovery, now and then
        hardware = json.loads(netns.ip("-n", other.name, "-j", "link", "show", "eth0"))[0]["address"]
        for address in (other.v4, other.v6):
            netns.ip("-n", end.name, "neigh", "replace", str(address), "lladdr", hardware, "nud", "permanent", "dev", "eth0")


@contextmanager
def path3() -> Iterator[Path3]:
    netns.sweep()
    stem = f"{netns.PREFIX}{owner.tag()}-pump"
    spaces = [
        Namespace(f"{stem}-{role}", IPv4Address(f"192.0.2.{n}"), IPv6Address(f"2001:db8::{n}"))
        for n, role in enumerate(("client", "line", "server"), 1)
    ]
    with ExitStack() as undo:
        for space in spaces:
            netns.ip("netns", "add", space.name)
            undo.callback(netns.remove, space.name)
            undo.callback(space.stop)
            space.call(netns._quieten)
        fd = spaces[1].call(open_tap)
        undo.callback(os.close, fd)
        join(spaces[0], spaces[1], spaces[2])
        pump = undo.enter_context(harness.running(harness.pump_binary()))
        pump.client.ask(ADD, 0, 1, fd)
        yield Path3(spaces[0], spaces[1], spaces[2], pump)


@pytest.fixture(scope="module")
def path() -> Iterator[Path3]:
    with path3() as made:
        yield made


@pytest.fixture(autouse=True)
def fresh(path: Path3) -> None:
    path.set(LineParams())


def ping(path: Path3, count: int, address: object = "192.0.2.3") -> tuple[float, float, float]:
    """Least, mean and largest RTT in ms; all must come back."""
    text = path.client.run("ping", "-q", "-c", str(count), "-i", "0.02", str(address)).stdout
    assert " 0% packet loss" in text
    found = re.search(r"= ([\d.]+)/([\d.]+)/([\d.]+)/", text)
    assert found
    return float(found[1]), float(found[2]), float(found[3])


@pytest.mark.parametrize("address", ["192.0.2.3", "2001:db8::3"])
def test_delay_is_accurate(path: Path3, address: str) -> None:
    plain = ping(path, 20, address)
    path.set(LineParams(delay_ns=50 * MS))
    least, mean, _ = ping(path, 40, address)
    assert 50 <= least < 50.5 + plain[0]
    assert 50 <= mean < 51 + plain[1]


def exchange(path: Path3, count: int, *, size: int = 100, segment: int = 0, pause: float = 0.0) -> tuple[int, list[int]]:
    """UDP packets with numbers: how many were sent, and the numbers in the order they came."""
    receiver = path.server.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
    sender = path.client.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
    with receiver, sender:
        receiver.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        receiver.bind(("192.0.2.3", 9))
        sender.connect(("192.0.2.3", 9))
        if segment:
            sender.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, size)
        step = segment or 1
        for first in range(0, count, step):
            sender.send(b"".join(struct.pack("<I", n).ljust(size, b"x") for n in range(first, first + step)))
            if pause:
                time.sleep(pause)
        return count, _numbers(receiver)


def _numbers(receiver: socket.socket) -> list[int]:
    found: list[int] = []
    receiver.settimeout(0.5)
    while True:
        try:
            found.append(struct.unpack_from("<I", receiver.recv(70_000))[0])
        except TimeoutError:
            return found


@pytest.mark.parametrize("segment", [0, 40])
def test_udp_arrives_whole_and_in_order(path: Path3, segment: int) -> None:
    path.set(LineParams(delay_ns=5 * MS))
    sent, found = exchange(path, 4000, size=1200, segment=segment, pause=0.0002)
    assert found == list(range(sent))


@pytest.mark.parametrize("segment", [0, 40])
def test_loss_is_of_wire_packets(path: Path3, segment: int) -> None:
    path.set(LineParams(seed=7, loss_model=LossModel.RANDOM, loss_p=ONE * 10 // 100))
    sent, found = exchange(path, 8000, size=1200, segment=segment, pause=0.0002)
    low, high = stats.binom.interval(1 - 1e-6, sent, 0.1)
    assert low <= sent - len(found) <= high
    assert found == sorted(found)


def test_same_seed_same_packets(path: Path3) -> None:
    results = []
    for seed in (3, 4, 3):
        path.set(LineParams(seed=seed, loss_model=LossModel.RANDOM, loss_p=ONE // 4))
        results.append(exchange(path, 500, pause=0.0001)[1])
    assert results[0] == results[2] != results[1]


def test_corrupted_packets_never_arrive_as_good_ones(path: Path3) -> None:
    """Their checksums are completed first, so that the receiver's kernel notices."""
    path.set(LineParams(seed=1, corrupt_p=ONE))
    _, found = exchange(path, 1000, pause=0.0001)
    assert len(found) < 40  # a flip in TTL, DSCP or id of the header alone can't be seen, if the header sum is fixed
    assert path.stats.corrupted >= 1000


def test_jitter_on_the_wire(path: Path3) -> None:
    path.set(LineParams(seed=5, delay_ns=20 * MS, jitter_ns=4 * MS, delay_table=table_of("normal")))
    before = path.stats
    exchange(path, 2000, pause=0.0005)
    after = path.stats
    mean = (after.held_ns_sum - before.held_ns_sum) / (after.tx_packets - before.tx_packets) / MS
    assert mean == pytest.approx(20, abs=0.8)


# Throughput -------------------------------------------------------------------------------------------------------------------

iperf = pytest.mark.skipif(shutil.which("iperf3") is None, reason="iperf3 is not installed")


def tcp(path: Path3, seconds: int = 2) -> tuple[float, int]:
    """Gbit/s received, and retransmissions."""
    server = path.server.start("iperf3", "-s", "-1", "--forceflush")
    for line in server.stdout or ():
        if "listening" in line:
            break
    answer = path.client.run("iperf3", "-J", "-t", str(seconds), "-c", "192.0.2.3").stdout
    end = json.loads(answer)["end"]
    return end["sum_received"]["bits_per_second"] / 1e9, end["sum_sent"]["retransmits"]


def guesses(space: Namespace) -> int:
    """How often TCP sent again by its clock alone: a busy machine that lets a process wait for some ms is enough."""
    text = space.run("nstat", "-asz", "TcpExtTCPLossProbes", "TcpExtTCPTimeouts").stdout
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Tcp"))


@iperf
def test_a_plain_line_carries_super_packets_and_causes_no_retransmission(path: Path3) -> None:
    before, guessed = path.stats, guesses(path.client)
    gbits, retransmits = tcp(path)
    after = path.stats
    guessed = guesses(path.client) - guessed
    print(f"plain: {gbits:.2f} Gbit/s, {retransmits} retransmissions, {guessed} of them by a timer")
    assert retransmits <= guessed
    assert gbits > 1
    assert after.rx_packets - before.rx_packets > 5 * (after.rx_frames - before.rx_frames)
    assert after.unwanted == before.unwanted
    assert path.tap_drops() == 0


@iperf
def test_3_percent_loss_is_of_wire_packets_at_full_speed(path: Path3) -> None:
    path.set(LineParams(seed=1, loss_model=LossModel.RANDOM, loss_p=ONE * 3 // 100))
    before = path.stats
    gbits, _ = tcp(path)
    after = path.stats
    packets = after.rx_packets - before.rx_packets
    print(f"3 % loss: {gbits:.2f} Gbit/s, {after.lost - before.lost} of {packets}")
    low, high = stats.binom.interval(1 - 1e-6, packets, 0.03)
    assert low <= after.lost - before.lost <= high


@iperf
def test_rate_of_tcp(path: Path3) -> None:
    path.set(LineParams(rate_bps=50 * 10**6, limit_bytes=400_000))
    gbits, _ = tcp(path, 4)
    assert gbits * 1000 == pytest.approx(50 * 1448 / 1514, rel=0.03)


def test_small_packets(path: Path3) -> None:
    """40,000 a second on a machine that has sender, receiver, kernel and pump on two CPUs: none may be lost by us."""
    path.set(LineParams(delay_ns=20 * MS))
    before, drops = path.stats, path.tap_drops()
    script = (
        "import socket,time;s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\n"
        "for i in range(1000):\n"
        " for _ in range(40): s.sendto(b'x'*22,('192.0.2.3',9))\n"
        " time.sleep(max(0,t-time.monotonic()) if i else 0); t=time.monotonic()+0.001\n"
    )
    path.client.run("python3", "-c", script)
    time.sleep(0.1)
    after = path.stats
    late = (after.late_ns_sum - before.late_ns_sum) / max(1, after.tx_packets - before.tx_packets)
    print(f"small packets: {after.tx_packets - before.tx_packets}, mean late {late / 1000:.0f} us")
    assert after.rx_packets - before.rx_packets >= 40_000
    assert after.tx_packets - before.tx_packets == after.rx_packets - before.rx_packets
    assert after.unwanted == before.unwanted
    assert path.tap_drops() == drops
