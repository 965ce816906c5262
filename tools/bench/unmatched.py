"""What traffic pays that no rule means: a condition in force for another port, beside none at all."""

from __future__ import annotations

import ctypes
import os
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from netweather.kernel.bpf import libbpf
from netweather.kernel.bpf.hooks import best_hook
from netweather.kernel.namespaces import Namespace
from netweather.kernel.netlink import links
from tools.bench.figures import Row, Rows, at_least, row
from tools.bench.load import cpu_ticks, words
from tools.bench.network import Net, delay, network, rule
from tools.bench.rounds import Plan, interleaved
from tools.bench.traffic import Flow, Kind, flow

SECTION = "unmatched"
ELSEWHERE = rule(delay(50), ports=(9999,))
KINDS: dict[Kind, tuple[str, str]] = {
    "tcp": ("TCP that no rule means", "Gbit/s"),
    "udp": ("64-byte UDP that no rule means", "packets/s"),
}
ENABLE_STATS, INFO_SIZE, RUN_TIME_AT = 32, 224, 192
IDLE_S = 4.0


def run(plan: Plan) -> Rows:
    with network() as net:
        measures = {"bare": lambda: _flows(net, plan, False), "condition": lambda: _flows(net, plan, True)}
        found = interleaved(plan, "unmatched traffic", measures, plan.many(4))
        for kind, name, unit in (
            ("tcp", "TCP that no rule means", "Gbit/s"),
            ("udp", "64-byte UDP that no rule means", "packets/s"),
        ):
            rates = {which: [flows[kind].rate for flows in each] for which, each in found.items()}
            note = words([flows[kind].load for flows in found["condition"]])
            yield row(SECTION, name, unit, rates["condition"], ("no condition", rates["bare"]), goal=at_least(0.99), note=note)
        yield from _own_time(net, plan)
        yield _idle(net, plan)


def _flows(net: Net, plan: Plan, condition: bool) -> dict[str, Flow]:
    with net.condition(*([ELSEWHERE] if condition else [])):
        return {kind: flow(net, kind, plan.seconds(0.6)) for kind in KINDS}


def _own_time(net: Net, plan: Plan) -> Iterator[Row]:
    """By the kernel's own clock: finer than a difference of throughputs, on a machine that others use too."""
    spent, whole = [], []
    with net.condition(ELSEWHERE), _statistics(), _namespace(net) as namespace:
        for number in range(plan.many(1)):
            plan.tell(f"time in the classifier: {number + 1}")
            before = _runs(namespace, "egress")
            sent = flow(net, "udp", plan.seconds(0.6))
            after = _runs(namespace, "egress")
            spent.append((after[0] - before[0]) / max(1, after[1] - before[1]))
            whole.append(1e9 / sent.sent if sent.sent else 0.0)
    note = "the kernel's count of the program's time, which adds some 20 ns to it; the baseline is all that a packet takes"
    yield row(
        SECTION, "time in the classifier, of a UDP packet's", "ns", spent, ("a packet from socket to socket", whole), note=note
    )


def _idle(net: Net, plan: Plan) -> Row:
    """What pump and keeper use when nothing happens."""
    shares = []
    with net.condition(ELSEWHERE):
        for _ in range(2 if plan.quick else 3):
            begin, before = time.monotonic(), cpu_ticks(net.pid("pump")) + cpu_ticks(net.pid("keeper"))
            time.sleep(plan.seconds(IDLE_S))
            used = cpu_ticks(net.pid("pump")) + cpu_ticks(net.pid("keeper")) - before
            shares.append(100 * used / os.sysconf("SC_CLK_TCK") / (time.monotonic() - begin))
    return row(SECTION, "pump and keeper while nothing matches", "% of a CPU", shares)


@contextmanager
def _statistics() -> Iterator[None]:
    """The kernel counts the time of BPF programs while this is open."""
    fd, _ = libbpf.call(ENABLE_STATS, struct.pack("I", 0))
    try:
        yield
    finally:
        os.close(fd)


@contextmanager
def _namespace(net: Net) -> Iterator[Namespace]:
    with Namespace(net.target.netns_fd) as namespace:
        yield namespace


def _runs(namespace: Namespace, direction: Literal["egress", "ingress"]) -> tuple[int, int]:
    """(ns, runs) of our program on eth0 so far."""

    def read() -> tuple[int, int]:
        device = links.device("eth0")
        assert device
        programs = best_hook().programs(device.ifindex, direction)
        try:
            ours = next(p for p in programs if p.name == f"nw_{direction}")
            return _time_of(ours.fd)
        finally:
            for each in programs:
                each.close()

    return namespace.run(read)


def _time_of(fd: int) -> tuple[int, int]:
    info = ctypes.create_string_buffer(INFO_SIZE)
    libbpf.call(libbpf.OBJ_GET_INFO, struct.pack("IIQ", fd, INFO_SIZE, ctypes.addressof(info)))
    ns, runs = struct.unpack_from("QQ", info.raw, RUN_TIME_AT)
    return ns, runs
