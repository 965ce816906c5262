"""Listing connections: many of them, with process, figures and rules, beside ss, which knows no rules."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from subprocess import Popen
from typing import IO

from netweather.engine.views.connections import connections
from tools.bench.figures import Rows, at_most, row
from tools.bench.network import Net, delay, network, rule
from tools.bench.rounds import Plan, interleaved

SECTION = "connections"
MANY = 10_000
PORT = 5432
HOLD = """
import resource, socket, sys
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
kind, address, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
if kind == "server":
    listener = socket.create_server((address, 5432), backlog=4096)
    print("ready", flush=True)
    kept = [listener.accept()[0] for _ in range(count)]
else:
    kept = [socket.create_connection((address, 5432)) for _ in range(count)]
print("ready", flush=True)
sys.stdin.read()
"""


def run(plan: Plan) -> Rows:
    count = 200 if plan.quick else min(MANY, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 100)
    with network() as net, _held(net, count), net.condition(rule(delay(1), ports=(PORT,))):
        measures: dict[str, Callable[[], float]] = {"ours": lambda: _listed(net, count), "ss": lambda: _ss(net)}
        found = interleaved(plan, "listing connections", measures)
        name, goal = f"{count:,} connections listed", at_most(300, "figure")
        note = "with processes and rules; ss -tinp as a command"
        yield row(SECTION, name, "ms", found["ours"], ("ss", found["ss"]), goal=goal, note=note)


def _listed(net: Net, count: int) -> float:
    begin = time.perf_counter()
    found = connections(net.engine, net.target).connections
    took = (time.perf_counter() - begin) * 1000
    if len(found) != count or found[0].egress is None or found[0].holder is None:
        raise RuntimeError(f"{len(found)} of {count} connections, the first {found[:1]}")
    return took


def _ss(net: Net) -> float:
    begin = time.perf_counter()
    net.client.run("ss", "-tinp")
    return (time.perf_counter() - begin) * 1000


@contextmanager
def _held(net: Net, count: int) -> Iterator[None]:
    """So many connections from the client to the server."""
    with _holding("server", net, count) as server:
        server.readline()
        with _holding("client", net, count) as client:
            if not (client.readline() and server.readline()):
                raise RuntimeError("the connections were not made")
            yield


@contextmanager
def _holding(kind: str, net: Net, count: int) -> Iterator[IO[str]]:
    end = net.server if kind == "server" else net.client
    command = ["ip", "netns", "exec", end.name, sys.executable, "-c", HOLD, kind, str(net.server.v4), str(count)]
    with Popen(command, stdin=-1, stdout=-1, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout
        finally:
            process.kill()
