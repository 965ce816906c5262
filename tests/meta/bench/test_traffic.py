"""tools/bench/traffic.py and traffic.c: what is sent is what is counted."""

import socket
import subprocess

import pytest

from tools.bench.network import Net
from tools.bench.traffic import PORT, Kind, flow, lateness, ping, tool

pytestmark = pytest.mark.root


@pytest.mark.parametrize("kind", ["tcp", "udp", "gso"])
def test_a_flow_is_counted_at_both_ends(net: Net, kind: Kind) -> None:
    found = flow(net, kind, 0.3, warm=0.1)
    least = 0.001 if kind == "tcp" else 100  # Gbit/s and packets/s: what a busy machine still has
    assert found.rate > least
    assert found.sent > least
    if kind == "tcp":
        assert found.rate == pytest.approx(found.sent, rel=0.8)
    assert found.load.busy > 0


def test_every_packet_of_a_stream_is_timed(net: Net) -> None:
    found = lateness(net.client, net.server, 200, 1000)
    assert (found.sent, found.received) == (200, 200)
    assert found.rate == pytest.approx(1000, rel=0.3)
    assert 0 <= found.points["min"] <= found.points["p50"] <= found.points["p99"] <= found.points["max"] < 1000


def test_lost_packets_are_missed(net: Net) -> None:
    net.server.run("nft", "-f", "-", stdin=DROP)
    found = lateness(net.client, net.server, 100, 1000)
    assert found.received == 50


DROP = """table netdev t {
  chain in {
    type filter hook ingress device eth0 priority 0
    udp dport 5001 numgen inc mod 2 0 drop
  }
}
"""


def test_round_trips_are_listed(net: Net) -> None:
    times = ping(net.client, net.server, 20)
    assert len(times) == 20
    assert all(0 < time < 1000 for time in times)


def test_the_program_refuses_what_it_does_not_know() -> None:
    done = subprocess.run([str(tool()), "dance"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "traffic.c" in done.stderr


def test_an_error_is_told(net: Net) -> None:
    with net.server.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("0.0.0.0", int(PORT)))
        with pytest.raises(RuntimeError, match="traffic: bind: Address in use"):
            lateness(net.client, net.server, 10, 1000)
