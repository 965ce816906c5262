"""The programs on TCP's tracepoints and on dropped packets, against the kernel's own counters and what the test itself did."""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
from collections.abc import Iterator

import pytest

from netweather.kernel.tracing import tracepoints
from netweather.kernel.tracing.socket_counters import TCP_EVENTS, SocketStats, TcpCounts, drop_reasons, has_drop_reasons
from netweather.observation.socket_figures import percentile
from tests.support.machine import SLOW
from tests.support.netns import Lab, Namespace, lab
from tests.support.rig import until

PORT = 8080


@pytest.fixture
def net() -> Iterator[Lab]:
    with lab() as made:
        yield made


@contextlib.contextmanager
def counting(*namespaces: Namespace) -> Iterator[SocketStats]:
    with SocketStats([each.path.stat().st_ino for each in namespaces], calls=()) as stats:
        yield stats


def tcp(stats: SocketStats, place: int = 0) -> TcpCounts:
    found = stats.read()[place].tcp
    assert found is not None
    return found


def connect(net: Lab, port: int = PORT, timeout: float = 10) -> socket.socket:
    return net.client.call(socket.create_connection, (str(net.server.v4), port), timeout)


def listen(net: Lab) -> socket.socket:
    return net.server.call(socket.create_server, (str(net.server.v4), PORT))


def snmp(namespace: Namespace, name: str) -> int:
    lines = [line.split() for line in namespace.run("cat", "/proc/net/snmp").stdout.splitlines() if line.startswith("Tcp:")]
    return int(dict(zip(*lines, strict=True))[name])


def reset(connection: socket.socket) -> None:
    """Closes it with a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def test_connections_by_their_fate(net: Lab) -> None:
    with listen(net) as server, counting(net.client, net.server) as stats:
        for _ in range(3):
            connect(net).close()
            server.accept()[0].close()
        with pytest.raises(ConnectionRefusedError):
            connect(net, PORT + 1)
        until(lambda: tcp(stats).closed == 3 and tcp(stats, 1).closed == 3, 20, "the connections are closed")
        client, remote = tcp(stats), tcp(stats, 1)
    assert (client.attempted, client.opened, client.accepted, client.refused, client.failed) == (4, 3, 0, 1, 0)
    assert (remote.attempted, remote.opened, remote.accepted, remote.refused, remote.failed) == (0, 0, 3, 0, 0)
    assert sum(client.times) == 3
    assert client.connect_ns > 0 == remote.connect_ns


def test_an_attempt_that_nobody_answers_times_out(net: Lab) -> None:
    net.client.run("sysctl", "-q", "net.ipv4.tcp_syn_retries=1")
    net.client.run("ip", "neigh", "replace", "192.0.2.77", "lladdr", "02:00:00:00:00:77", "dev", "eth0")
    before = snmp(net.client, "RetransSegs")
    with counting(net.client) as stats:
        error = net.client.call(_error_of_connecting, "192.0.2.77")
        found = tcp(stats)
    assert error == errno.ETIMEDOUT
    assert (found.attempted, found.opened, found.timed_out) == (1, 0, 1)
    assert found.retransmits == snmp(net.client, "RetransSegs") - before > 0


def _error_of_connecting(address: str) -> int:
    with socket.socket() as made:
        return made.connect_ex((address, PORT))


def test_resets_of_both_sides(net: Lab) -> None:
    with listen(net) as server, counting(net.client, net.server) as stats:
        for _ in range(2):
            reset(connect(net))
            server.accept()[0].close()
        until(lambda: tcp(stats, 1).resets_received == 2, 20, "the resets have come")
        client, remote = tcp(stats), tcp(stats, 1)
    assert (client.resets_sent, client.resets_received) == (2, 0)
    assert (remote.resets_sent, remote.resets_received) == (0, 2)


def test_the_time_of_connecting_is_the_round_trip(net: Lab) -> None:
    """Against TCP's own estimate of the first round trip."""
    with listen(net) as server, counting(net.client) as stats:
        rtts = []
        for _ in range(50):
            with connect(net) as made:
                server.accept()[0].close()
                rtts.append(struct.unpack_from("I", made.getsockopt(socket.IPPROTO_TCP, 11, 104), 68)[0] / 1e6)
        found = tcp(stats)
    middle = percentile(found.times, 0.5)
    assert middle is not None
    assert sum(found.times) == 50
    assert 0.3 < middle / sorted(rtts)[25] < 3  # tens of microseconds, on a busy machine


def test_segments_sent_again_are_those_that_the_kernel_counts(net: Lab) -> None:
    """A flow through a firewall that drops every thirtieth packet."""
    rule = "type filter hook input priority 0\n tcp dport 8080 numgen inc mod 30 == 3 drop"
    net.server.run("nft", "-f", "-", stdin=f"table inet t {{\n chain c {{\n {rule}\n }}\n}}\n")
    net.client.run("ethtool", "-K", "eth0", "tso", "off", "gso", "off")
    before = snmp(net.client, "RetransSegs")
    with listen(net) as server, counting(net.client, net.server) as stats:
        with connect(net) as made:
            accepted, _ = server.accept()
            accepted.settimeout(10 * SLOW)
            for _ in range(20):
                made.sendall(b"x" * 40_000)
                accepted.recv(40_000, socket.MSG_WAITALL)
            accepted.close()
        until(lambda: tcp(stats).closed == 1, 20, "the connection is closed")
        again = snmp(net.client, "RetransSegs") - before
        client, remote = tcp(stats), tcp(stats, 1)
    assert client.retransmits == again > 10
    if has_drop_reasons():
        dropped = sum(number for reason, number in remote.reasons.items() if drop_reasons()[reason] == "NETFILTER_DROP")
        assert dropped > 10


def test_drops_have_their_reasons(net: Lab) -> None:
    """Datagrams for a socket whose buffer is full, and for a port without one."""
    if not has_drop_reasons():
        pytest.skip("kfree_skb tells no reason before Linux 5.17")
    with net.server.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as full:
        full.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        full.bind((str(net.server.v4), PORT))
        with net.client.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as sender, counting(net.server) as stats:
            for _ in range(50):
                sender.sendto(b"x" * 1000, (str(net.server.v4), PORT))
            for _ in range(5):
                sender.sendto(b"x", (str(net.server.v4), PORT + 1))
            names = drop_reasons()
            reasons = {names[number]: count for number, count in tcp(stats).reasons.items()}
            lost = int(net.server.run("cat", "/proc/net/udp").stdout.splitlines()[1].split()[-1])
    assert reasons["NO_SOCKET"] == 5
    assert reasons["SOCKET_RCVBUFF"] == lost > 30


def test_a_kernel_without_a_tracepoint_counts_the_rest(net: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tracepoints can't be taken away here; what is asked of tracefs can."""
    exists = tracepoints.exists
    monkeypatch.setattr(tracepoints, "exists", lambda name: name != "tcp/tcp_retransmit_skb" and exists(name))
    with listen(net), counting(net.client) as stats:
        connect(net).close()
        assert stats.missing == ["tcp/tcp_retransmit_skb"]
        assert tcp(stats).opened == 1
        assert set(stats.run_times()) == set(TCP_EVENTS) - {"nw_retransmit"}
