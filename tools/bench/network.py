"""The bench's own network: two namespaces and a veth pair, nothing else near, and an engine with a state folder of its own.

Names are nwb-OWNER-…; what a killed bench left is removed by the next one.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

from netweather.conditions import Condition, Delay, Match, NetworkCondition, PortRange, Rule
from netweather.conditions import EngineName as LineEngine
from netweather.engine import Engine
from netweather.errors import NetweatherError
from netweather.results import ConditionStatus
from netweather.service import LocalService
from netweather.settings import Settings
from netweather.targets import Target, resolve
from netweather.units import Duration
from tests.support import owner
from tests.support.netns import FOLDER, QUIET, Namespace, ip, remove
from tools.bench.load import TICKS, cpu_ticks

PREFIX = "nwb-"
STATES = next(folder for folder in ("/dev/shm", tempfile.gettempdir()) if Path(folder).is_dir())
"""Where the bench's journals are: in memory, as in /run, where users have them."""
LEASE = Duration(300 * 10**9)
MS = 10**6
SLOW = float(os.environ.get("NETWEATHER_TEST_SLOW", "1"))
"""How many times as long as usual things take: in an emulated guest (tests/support/guest.py)."""
SETTLING_S, LOOK_S = 5.0 * SLOW, 0.15 * SLOW
AT_REST = 0.1
"""Of a CPU at most: it looks around five times a second, which is not nothing in an emulated guest."""
_numbers = itertools.count()


def delay(ms: float, **more: Any) -> Condition:
    """A condition that is a delay and nothing else."""
    return Condition(delay=Delay(Duration(round(ms * MS)), **more))


def rule(condition: Condition, ports: tuple[int, ...] = (), **match: Any) -> Rule:
    """`rule(delay(0), direction="egress")`"""
    return Rule(Match(ports=tuple(PortRange(p, p) for p in ports), **match), condition)


@dataclass
class Net:
    """client ═ server; the client is the target. line_engine: what makes the lines."""

    client: Namespace
    server: Namespace
    state: Path
    line_engine: LineEngine = "auto"
    engine: Engine = field(init=False)
    target: Target = field(init=False)

    def __post_init__(self) -> None:
        self.engine = Engine(Settings(state=self.state))
        (self.target,) = resolve(self.reference)

    @property
    def reference(self) -> str:
        return f"netns:{self.client.name}"

    def set(self, *rules: Rule) -> None:
        """In force from now on, in place of what was; returns when our processes have come to rest."""
        self.put(*rules)
        self.settle()

    def put(self, *rules: Rule) -> None:
        """The same, returning when the engine does."""
        self.engine.set(self.target, NetworkCondition(rules=rules, lease=LEASE, engine=self.line_engine))

    def clear(self) -> None:
        self.engine.clear(self.target)

    @contextmanager
    def condition(self, *rules: Rule) -> Iterator[None]:
        """In force within; without a rule nothing is."""
        if not rules:
            yield
            return
        self.set(*rules)
        try:
            yield
            self.check()
        finally:
            self.clear()

    def check(self) -> None:
        """A figure of a condition that was not in force is none. Raises RuntimeError."""
        problems = [problem for shown in self._shown() if not shown.in_force for problem in shown.problems or ("it ended",)]
        if not self._shown():
            log = self.engine.journal.directory(self.target.identity) / "keeper.log"
            problems = ["it is gone", log.read_text() if log.exists() else "without a keeper's log"]
        if problems:
            raise RuntimeError(f"the condition was not in force: {'; '.join(problems)}")

    def _shown(self) -> list[ConditionStatus]:
        return self.engine.show(self.target)

    def settle(self) -> None:
        """Waits until the keeper has started: that takes a CPU for a moment, once, and is no part of what is measured."""
        before, deadline = cpu_ticks(self.pid("keeper")), time.monotonic() + SETTLING_S
        while time.monotonic() < deadline:
            time.sleep(LOOK_S)
            now = cpu_ticks(self.pid("keeper"))
            if before <= now <= before + AT_REST * LOOK_S * TICKS:
                return
            before = now

    def pid(self, name: str) -> int:
        """Of the "pump" or "keeper" of our target; 0: there is none."""
        try:
            return int((self.engine.journal.directory(self.target.identity) / f"{name}.pid").read_text().split()[0])
        except (OSError, IndexError):
            return 0

    def unwanted_drops(self) -> int:
        """Packets that Netweather dropped and nobody asked for, since the condition was first set."""
        return max((shown.unwanted_drops for shown in self._shown()), default=0)

    def offloads(self, *, on: bool) -> None:
        """Segmentation and aggregation at both ends of the pair."""
        word = "on" if on else "off"
        for end in (self.client, self.server):
            end.run("ethtool", "-K", "eth0", "gso", word, "tso", word, "gro", word)


@contextmanager
def network() -> Iterator[Net]:
    """Makes it, and takes everything away at the end, however it comes. Needs root."""
    sweep()
    stem = f"{PREFIX}{owner.tag()}-{next(_numbers)}"
    made = [_namespace(f"{stem}-{role}", host) for host, role in enumerate(("client", "server"), 1)]
    state = Path(tempfile.mkdtemp(prefix=f"{stem}-", dir=STATES))
    try:
        _join(made)
        net = Net(made[0], made[1], state)
        yield net
    finally:
        for one in made:
            one.stop()
        _unmake(state)
        for one in made:
            remove(one.name)


def _namespace(name: str, host: int) -> Namespace:
    return Namespace(name, IPv4Address(f"192.0.2.{host}"), IPv6Address(f"2001:db8::{host}"))


def _join(ends: list[Namespace]) -> None:
    ip("-batch", "-", stdin="".join(f"netns add {one.name}\n" for one in ends))
    for one in ends:
        one.call(lambda: [Path("/proc/sys", name).write_text(value) for name, value in QUIET.items()])
    client, server = ends
    ip("link", "add", "eth0", "netns", client.name, "type", "veth", "peer", "name", "eth0", "netns", server.name)
    for one in ends:
        addresses = f"addr add {one.v4}/24 dev eth0\naddr add {one.v6}/64 dev eth0 nodad\n"
        ip("-n", one.name, "-batch", "-", stdin=f"link set lo up\nlink set eth0 up\n{addresses}")


def sweep() -> None:
    """Takes away what benches left that are dead."""
    for state in Path(STATES).glob(f"{PREFIX}*"):
        if not owner.alive(state.name):
            _unmake(state)
    for path in FOLDER.glob(f"{PREFIX}*"):
        if not owner.alive(path.name):
            remove(path.name)


def _unmake(state: Path) -> None:
    """Ends every condition of a state folder, and removes it."""
    engine = Engine(Settings(state=state))
    with suppress(NetweatherError, OSError):
        LocalService(engine).clear()
    for identity in engine.journal.identities():
        with suppress(NetweatherError, OSError):
            engine.recover()
        print(f"left behind: {state / 'targets' / identity}")
    if not engine.journal.identities():
        shutil.rmtree(state, ignore_errors=True)
