"""kernel/sockets/netns_stats.py: how a namespace fares, beside what iproute2 tells of the same."""

from __future__ import annotations

import json
import os
import re
import socket
from contextlib import closing
from dataclasses import asdict, dataclass

from netweather.conditions import Condition, LossRandom
from netweather.kernel.sockets.netns_stats import Faring, farings
from netweather.units import Percent
from tests.support.netns import Lab, Namespace
from tests.support.rig import Rig, delay, rule, until


@dataclass
class Where:
    dev: int
    ino: int
    pid: int | None
    path: str | None


def where(namespace: Namespace) -> Where:
    found = namespace.path.stat()
    return Where(found.st_dev, found.st_ino, None, str(namespace.path))


def fares(namespace: Namespace) -> Faring:
    (found,) = farings([where(namespace)]).values()
    return found


def beside(net: Lab) -> dict[str, float]:
    """The same, as iproute2 tells it."""
    again = net.client.run("nstat", "-asz", "TcpRetransSegs").stdout
    (link,) = json.loads(net.client.run("ip", "-j", "-s", "link", "show", "eth0").stdout)
    told = re.search(r" rtt:([0-9.]+)/", net.client.run("ss", "-tinH", "dst", str(net.server.v4)).stdout)
    assert told
    return {
        "rtt": round(float(told[1]) * 1000),
        "retransmits": int(again.split("TcpRetransSegs")[1].split()[0]),
        "received": link["stats64"]["rx"]["bytes"],
        "sent": link["stats64"]["tx"]["bytes"],
    }


def talk(here: socket.socket, there: socket.socket, size: int = 20_000) -> None:
    for _ in range(10):
        here.sendall(b"x" * size)
        got = 0
        while got < size:
            got += len(there.recv(size))
        there.sendall(b"y")
        here.recv(1)


def test_round_trips_segments_sent_again_and_bytes(rig: Rig) -> None:
    before = fares(rig.net.client)
    assert (before.connections, before.rtt, before.retransmits) == (0, None, 0)
    rig.set(rule(Condition(delay=delay(20), loss=LossRandom(Percent.parse("20%"))), direction="egress"))
    with (
        closing(rig.net.server.call(socket.create_server, (str(rig.net.server.v4), 5432))) as listener,
        closing(rig.net.client.call(socket.create_connection, (str(rig.net.server.v4), 5432))) as here,
        closing(listener.accept()[0]) as there,
        closing(rig.net.client.call(socket.create_server, ("127.0.0.1", 5433))) as inside,
        closing(rig.net.client.call(socket.create_connection, ("127.0.0.1", 5433))),
        closing(inside.accept()[0]),
    ):
        talk(here, there)
        found: list[tuple[dict[str, float], Faring]] = []

        def at_rest() -> bool:
            before, now, after = beside(rig.net), fares(rig.net.client), beside(rig.net)
            found.append((before, now))
            return before == after

        until(at_rest, 20, "nothing is under way any more")
        told, now = found[-1]
        assert now.connections == 1  # not what stays inside
        assert asdict(now) == {"connections": 1, **told}
        assert told["rtt"] > 20_000
        assert told["retransmits"] > 0
        assert told["sent"] > 200_000
    rig.clear()


def test_only_those_that_are_there_and_the_caller_stays(lab: Lab) -> None:
    own = os.readlink("/proc/thread-self/ns/net")
    client, server = where(lab.client), where(lab.server)
    gone = Where(server.dev, server.ino, 2**22 + 1, None)
    other = Where(client.dev, client.ino + 1_000_000, None, client.path)  # another namespace is at its path
    assert list(farings([client, other, gone])) == [(client.dev, client.ino)]
    assert os.readlink("/proc/thread-self/ns/net") == own
