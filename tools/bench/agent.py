"""The agent: what a change costs beyond a request that does nothing, a node's worth of targets, and what it costs at rest."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import quantiles

from netweather.client import Client
from netweather.conditions import NetworkCondition
from netweather.kernel.waiting import until
from tests.support.daemons import listens
from tests.support.netns import ip, remove
from tools.bench.commands import bare_program, surroundings
from tools.bench.figures import Rows, at_most, row
from tools.bench.load import TICKS, cpu_ms, cpu_ticks
from tools.bench.network import LEASE, Net, delay, network, rule
from tools.bench.rounds import Plan, interleaved

SECTION = "agent"
PROGRAM = Path(sys.executable).parent / "netweather"
NODE = 110
"""Pods of a full Kubernetes node."""
REST_S = 10.0
PATIENCE_S = 60.0


@dataclass
class Running:
    """An agent of the bench's own."""

    state: Path
    process: subprocess.Popen[bytes]

    def client(self) -> Client:
        return Client(f"unix://{self.state / 'agent.sock'}")

    @property
    def memory_mb(self) -> float:
        """What it has resident."""
        words = Path(f"/proc/{self.process.pid}/statm").read_text().split()
        return int(words[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    def share_of_a_cpu(self, seconds: float) -> float:
        """In percent, while nothing is asked of it."""
        begin, before = time.monotonic(), cpu_ticks(self.process.pid)
        time.sleep(seconds)
        return (cpu_ticks(self.process.pid) - before) / TICKS / (time.monotonic() - begin) * 100


@contextmanager
def running(state: Path) -> Iterator[Running]:
    """An agent that answers; it ends with the block, and what it set stays."""
    environment = {**os.environ, "NETWEATHER_STATE": str(state), "NETWEATHER_AUDIT": str(state / "audit.log")}
    process = subprocess.Popen([PROGRAM, "agent"], env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        if not until(lambda: listens(state / "agent.sock"), PATIENCE_S):
            raise RuntimeError("the agent does not start")
        made = Running(state, process)
        with made.client() as client:
            client.look("health")
        yield made
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def timed(work: Callable[[], object]) -> float:
    """ms."""
    begin = time.perf_counter()
    work()
    return (time.perf_counter() - begin) * 1000


def asked(ms: int, *targets: str) -> list[NetworkCondition]:
    return [NetworkCondition(targets=targets, rules=(rule(delay(ms)),), lease=LEASE)]


def run(plan: Plan) -> Rows:
    with network() as net, running(net.state) as agent, agent.client() as client:
        yield from _one_target(plan, net, agent, client)
    with network() as net, _node(net, NODE if not plan.quick else 4) as targets:
        yield from _a_node(plan, net, targets)


def _one_target(plan: Plan, net: Net, agent: Running, client: Client) -> Rows:
    first = interleaved(plan, "the agent", {"set": lambda: _first(net, agent, client)})["set"]
    yield row(SECTION, "first set on a target", "ms", first, goal=at_most(25, "figure"))
    changed = interleaved(plan, "the agent", {"changes": lambda: _changes(plan, net, client)})["changes"]
    beyond = [[max(0.0, change - nothing) for change, nothing in zip(*pair, strict=True)] for pair in changed]
    for percent, word, goal in ((50, "median", 2), (99, "99 %", 10)):
        what, values = f"change of a live condition: {word}", [_quantile(each, percent) for each in beyond]
        note = "each beside a request that does nothing (health)"
        yield row(SECTION, what, "ms", values, goal=at_most(goal, "figure"), note=note)
    yield from _command_line(plan, net)
    client.clear()
    _drained(agent.state)
    yield row(SECTION, "memory at rest", "MB", [agent.memory_mb], goal=at_most(130, "figure"))
    shares = [agent.share_of_a_cpu(plan.seconds(REST_S)) for _ in range(plan.many(0.3))]
    yield row(SECTION, "at rest", "% of a CPU", shares, goal=at_most(0.5, "figure"))


def _command_line(plan: Plan, net: Net) -> Rows:
    """What a command costs that the agent carries out, beside a program that does nothing. CPU time, since others use the machine."""
    environment = surroundings(NETWEATHER_STATE=str(net.state))
    words = {"set": ("set", net.reference, "--delay", "80ms"), "show": ("show",), "clear": ("clear", net.reference)}
    with bare_program() as bare:
        measures = {name: partial(cpu_ms, [PROGRAM, *each], environment) for name, each in words.items()}
        found = interleaved(plan, "commands", {**measures, "bare": partial(cpu_ms, [bare, "--help"], environment)})
    for name in words:
        beside = ("a Click program that does nothing", found["bare"])
        yield row(SECTION, f"`netweather {name}`: CPU time of the command", "ms", found[name], beside, goal=at_most(5))


def _first(net: Net, agent: Running, client: Client) -> float:
    client.clear()
    _drained(agent.state)
    return timed(lambda: client.set(asked(50, net.reference)))


def _changes(plan: Plan, net: Net, client: Client) -> tuple[list[float], list[float]]:
    """ms of changes, and of as many requests that do nothing."""
    client.set(asked(50, net.reference))
    changes, requests = [], []
    for number in range(20 if plan.quick else 200):
        changes.append(timed(lambda ms=60 + number % 2: client.set(asked(ms, net.reference))))  # type: ignore[misc]  # a lambda's default has no type
        requests.append(timed(lambda: client.look("health")))
    return changes, requests


def _quantile(values: list[float], percent: int) -> float:
    return quantiles(values, n=100, method="inclusive")[percent - 1]


def _drained(state: Path) -> None:
    if not until(lambda: not list((state / "targets").glob("*")), PATIENCE_S):
        raise RuntimeError("devices are left")


@contextmanager
def _node(net: Net, count: int) -> Iterator[list[str]]:
    """So many namespaces with an interface each."""
    names = [f"{net.client.name}-{number}" for number in range(count)]
    with ExitStack() as stack:
        for name in names:
            ip("netns", "add", name)
            stack.callback(remove, name)
            far = f"nw{name.rpartition('-')[2]}b"
            ip("link", "add", "eth0", "netns", name, "type", "veth", "peer", "name", far, "netns", net.server.name)
            ip("-n", name, "link", "set", "eth0", "up")
        yield [f"netns:{name}" for name in names]


def _a_node(plan: Plan, net: Net, targets: list[str]) -> Rows:
    times: dict[str, list[float]] = {"set": [], "clear": [], "restart": []}
    for number in range(1 if plan.quick else 3):
        plan.tell(f"{len(targets)} targets: round {number + 1}")
        plan.quiet.wait()
        with running(net.state) as agent, agent.client() as client:
            times["set"].append(timed(lambda client=client: client.set(asked(50, *targets))) / 1000)  # type: ignore[misc]  # as above
        begin = time.perf_counter()
        with running(net.state) as agent, agent.client() as client:
            times["restart"].append(time.perf_counter() - begin)
            if [each for each in client.show() if not each.in_force] or len(client.show()) != len(targets):
                raise RuntimeError("not all are in force after a restart")
            times["clear"].append(timed(lambda client=client: client.clear()) / 1000)  # type: ignore[misc]  # as above
            _drained(net.state)
    for name, goal in (("set", 2.0), ("clear", 1.0), ("restart", 3.0)):
        what = f"{name} with {len(targets)} conditions" if name == "restart" else f"{name} {len(targets)} targets at once"
        yield row(SECTION, what, "s", times[name], goal=at_most(goal, "figure"))
