"""Traffic between the two ends of the bench's network, by a small program of ours (traffic.c) that is compiled at first use."""

from __future__ import annotations

import functools
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tests.support.netns import Namespace
from tools import natives
from tools.bench.load import Load, watched
from tools.bench.network import Net

PORT = "5001"
PATIENCE_S = 15
Kind = Literal["tcp", "udp", "gso"]


@functools.cache
def tool() -> Path:
    """The program, for this machine. Raises natives.BuildError."""
    source = Path(__file__).with_name("traffic.c")
    flags = ("-target", f"{natives.machine()}-linux-musl", *natives.PUMP_FLAGS)
    wanted = natives.Object(Path("nwb-traffic"), (source,), (), flags)
    cached = natives.cache_folder() / wanted.key(natives.ROOT) / wanted.output.name
    if not cached.exists():
        natives.compile_object(wanted, natives.ROOT, cached)
    return cached


@dataclass(frozen=True)
class Flow:
    """Gbit/s of payload, or packets a second; received and sent. load: what was busy meanwhile."""

    rate: float
    sent: float
    load: Load


@dataclass(frozen=True)
class Lateness:
    """One-way delays of stamped packets, ms, by name of the point ("p50", "max")."""

    sent: int
    received: int
    rate: float
    points: dict[str, float]


def flow(net: Net, kind: Kind, seconds: float, warm: float = 0.2) -> Flow:
    """As much as goes from client to server, once it has warmed up."""
    length, before = round(seconds * 1000), round(warm * 1000)
    sink = _receiver(net.server, "sink", "tcp" if kind == "tcp" else "udp", PORT, str(before), str(length))
    with watched(pump=net.pid("pump"), keeper=net.pid("keeper")) as load:
        sender = net.client.start(str(tool()), "send", kind, str(net.server.v4), PORT, str(before + length + 100))
        got, sent = _result(sink), _result(sender)
    scale = 8 if kind == "tcp" else 1e9
    return Flow(_rate(got) * scale, _rate(sent) * scale, load)


def _rate(result: dict[str, Any]) -> float:
    return float(result["count"] / result["ns"]) if result["ns"] else 0.0


def lateness(sender: Namespace, receiver: Namespace, count: int, rate: int) -> Lateness:
    """Sends so many packets at so many a second, and tells when each came."""
    late = _receiver(receiver, "late", PORT, str(count))
    pace = sender.start(str(tool()), "pace", str(receiver.v4), PORT, str(count), str(rate))
    sent, got = _result(pace), _result(late)
    points = {name: value / 1e6 for name, value in got.items() if name not in ("received", "behind")}
    return Lateness(sent["sent"], got["received"], sent["sent"] * 1e9 / sent["ns"], points)


def ping(sender: Namespace, receiver: Namespace, count: int, interval: float = 0.002) -> list[float]:
    """Round trips, ms, of those that came back."""
    words = ["ping", "-n", "-c", str(count), "-i", str(interval), "-W", "1", str(receiver.v4)]
    lines = sender.run(*words, check=False, timeout=PATIENCE_S + count * interval * 2).stdout.splitlines()
    return [float(line.split("time=")[1].split()[0]) for line in lines if "time=" in line]


def _receiver(namespace: Namespace, *words: str) -> subprocess.Popen[str]:
    started = namespace.start(str(tool()), *words)
    assert started.stdout
    line = started.stdout.readline()
    if line.strip() != "ready":
        raise RuntimeError(f"{' '.join(words)}: {line}")
    return started


def _result(process: subprocess.Popen[str]) -> dict[str, Any]:
    text, _ = process.communicate(timeout=PATIENCE_S)
    try:
        found: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise RuntimeError(f"{process.args!r}: exit {process.returncode}: {text}") from error
    return found
