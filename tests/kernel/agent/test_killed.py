"""SIGKILL of the agent, the pump, the keeper, the command line, or several of them, at random moments of set, change and clear.

Each round has two conditions on one target: one with a lease of a second, which is worked on while somebody dies, and one of a minute,
which must go on whoever dies. Afterwards what `show` says, what the kernel holds and what traffic sees are the same; at the deadline
traffic is normal, even with nobody left alive; and after `recover` every dump is as before.
"""

from __future__ import annotations

import random
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from netweather.client import Client
from netweather.conditions import NetworkCondition, load
from netweather.engine import Engine
from netweather.errors import NetweatherError
from netweather.kernel import keeper_process, namespaces
from netweather.kernel.datapath.pump_process import ProcessHandle
from netweather.kernel.datapath.real import RealTarget
from netweather.results import ConditionStatus
from netweather.service import LocalService
from netweather.targets import Target, resolve
from tests.kernel.agent.conftest import PROGRAM, RealAgent, real_agent
from tests.support import dumps
from tests.support.netns import Lab, lab
from tests.support.rig import MS, only_in, until

LEASE_S, GRACE_S = 1.0, 0.3
SHORT, CHANGED, LONG = 100, 160, 140
"""ms of round trip: of the short condition before and after its change, which all but IPv6 meets, and of the long one, which IPv6 meets."""
NORMAL = 60
"""ms of a round trip that nothing delays, on a busy machine."""
VICTIMS = (
    ("agent",),
    ("pump",),
    ("keeper",),
    ("caller",),
    ("agent", "pump"),
    ("keeper", "pump"),
    ("agent", "keeper"),
    ("agent", "pump", "keeper", "caller"),
)
ROUNDS = [pytest.param(seed, marks=[pytest.mark.full] * (seed >= 20)) for seed in range(200)]


def condition(target: str, name: str, rtt: int, lease: str, *to: str) -> NetworkCondition:
    rule = {"to": list(to), "condition": {"delay": f"{rtt // 2}ms"}}
    return load({"name": name, "targets": [target], "lease": lease, "rules": [rule]})


@dataclass
class Stage:
    """What all rounds share. took: the seconds that a set takes here, through the agent and by a command of its own."""

    agent: RealAgent
    net: Lab
    target: Target
    before: dict[str, str]
    took: dict[bool, float] = field(default_factory=dict)

    @property
    def reference(self) -> str:
        return self.target.reference

    @property
    def direct(self) -> Engine:
        return Engine(self.agent.settings)

    @property
    def folder(self) -> Path:
        return self.direct.journal.directory(self.target.identity)

    def rtt(self, version: int) -> float:
        """The least of a few round trips in ms; 10,000 when none comes back."""
        address = str(self.net.server.v4 if version == 4 else self.net.server.v6)
        told = self.net.client.run("ping", "-n", "-c3", "-i0.05", "-W1", address, check=False).stdout
        return min(map(float, re.findall(r"time=([\d.]+) ms", told)), default=1e4)

    def leases(self) -> list[int]:
        """The deadlines that the kernel holds and that are not over, in ns of boot time; of one condition once."""
        with self.direct.journal.locked(self.target.identity), RealTarget(self.target.netns_fd, self.folder) as kernel:
            return sorted({each for each in kernel.observe().leases if each > namespaces.boot_ns()})

    def measure(self) -> None:
        """How long the work takes on this machine: moments to kill at are parts of it."""
        for direct in (True, False):
            story = Round(self, seed=0, what="set", direct=direct, victims=())
            begin = time.monotonic()
            story.act()
            story.join()
            self.took[direct] = time.monotonic() - begin
            LocalService(self.direct).clear()
            until(lambda: not self.agent.folders(), 20, "all is taken away")


@dataclass
class Round:
    """One round: what is done, by whom, who dies, and at which part of the time that the work takes."""

    stage: Stage
    seed: int
    what: str
    direct: bool
    victims: tuple[str, ...]
    moment: float = 0.0
    late: bool = False
    """The agent is started again only when the short lease is over."""
    callers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)
    expires: tuple[int, int] = (0, 0)
    """When the long one ends, in ns of boot time: not before, not after."""

    @classmethod
    def of(cls, stage: Stage, seed: int) -> Round:
        chance = random.Random(seed)
        what, direct, victims = chance.choice(("set", "change", "clear")), chance.random() < 0.4, chance.choice(VICTIMS)
        return cls(stage, seed, what, direct, victims, chance.uniform(0.3 * direct, 1.1), chance.random() < 0.5)

    def __str__(self) -> str:
        way = "direct" if self.direct else "by the agent"
        dead = " and ".join(self.victims)
        return f"seed {self.seed}: {self.what} {way}, {dead} killed at {self.moment:.2f} of the time, late {self.late}"

    def run(self) -> None:
        """Until the work has ended, one way or the other."""
        since = namespaces.boot_ns()
        self.put(condition(self.stage.reference, "long", LONG, "1m", str(self.stage.net.server.v6)))
        self.expires = (since + 60_000 * MS, namespaces.boot_ns() + 60_000 * MS)
        if self.what != "set":
            self.put(condition(self.stage.reference, "short", SHORT, "1s"))
        self.act()
        time.sleep(self.moment * self.stage.took[self.direct])
        self.kill()
        self.join()

    def put(self, wanted: NetworkCondition) -> None:
        if self.direct:
            self.stage.direct.set(self.stage.target, wanted)
            return
        with self.stage.agent.client() as client:
            client.set([wanted])

    def act(self) -> None:
        """Begins the work: a request to the agent, or a command that does it itself."""
        if self.direct:
            words = ["set", self.stage.reference, "--delay", f"{CHANGED // 2}ms", "--for", "1s"]
            words = ["clear", self.stage.reference] if self.what == "clear" else words
            command, environment = [*PROGRAM, *words, "--name", "short", "--direct"], self.stage.agent.environment
            silent = subprocess.DEVNULL
            self.callers.append(subprocess.Popen(command, env=environment, stdout=silent, stderr=silent))
            return
        client = self.stage.agent.client()
        client.look("health")  # it is connected: what follows is the work alone
        self.threads.append(threading.Thread(target=self._ask, args=(client,)))
        self.threads[0].start()

    def _ask(self, client: Client) -> None:
        with suppress(NetweatherError), client:
            if self.what == "clear":
                client.clear([self.stage.reference], "short")
            else:
                client.set([condition(self.stage.reference, "short", CHANGED, "1s")])

    def join(self) -> None:
        for thread in self.threads:
            thread.join(30)
            assert not thread.is_alive(), f"{self}: it never ends"
        for caller in self.callers:
            caller.wait(30)

    def kill(self) -> None:
        """All at once, as far as they run."""
        found = [process for victim in self.victims for process in self._processes(victim)]
        for process in found:
            process.signal(signal.SIGKILL)
        if "agent" in self.victims:
            assert self.stage.agent.process
            self.stage.agent.process.wait(20)
        until(lambda: not any(process.alive for process in found), 20, f"{self}: they are dead")

    def _processes(self, victim: str) -> list[ProcessHandle]:
        if victim in ("pump", "keeper"):
            with suppress(OSError, ValueError):
                words = (self.stage.folder / f"{victim}.pid").read_text().split()
                # An agent as the keeper is killed as the agent.
                return [ProcessHandle(int(words[0]), int(words[1]))] if len(words) == 2 else []
            return []
        pids = [self.stage.agent.process.pid if self.stage.agent.process else 0] if victim == "agent" else []
        pids += [caller.pid for caller in self.callers] if victim == "caller" else []
        return [process for pid in pids if (process := ProcessHandle.of(pid)) is not None]

    # what must hold

    def all_agree(self, client: Client) -> str:
        """What is not the same in what `show` says, what the kernel holds and what traffic sees; "" when all is."""
        since = namespaces.boot_ns()
        shown = {each.condition.name: each for each in client.show([self.stage.reference])}
        now = namespaces.boot_ns()
        if "long" not in shown or not shown["long"].in_force:
            return f"the long one is not in force: {shown.get('long')}"
        if not keeper_process.running(self.stage.folder):
            return "nobody keeps the target"
        held, told = self.stage.leases(), sorted(each.remaining_ns or 0 for each in shown.values())
        if len(held) != len(told) or any(
            not since + left - MS <= end <= now + left + MS for left, end in zip(told, held, strict=True)
        ):
            return f"shown are leases of {told} ns from {since} to {now}, the kernel has {held}"
        if not self.expires[0] <= held[-1] <= self.expires[1]:
            return f"the long one ends at {held[-1]}, and was to end between {self.expires}"
        if not LONG <= (seen := self.stage.rtt(6)) < LONG + NORMAL:
            return f"a round trip that meets the long one takes {seen} ms"
        return ""

    def short_is_as_shown(self, client: Client) -> bool | None:
        """Whether traffic sees what `show` says of the short condition, before and after; None when that is not the same."""

        def asked() -> int | None:
            found: list[ConditionStatus] = [
                each for each in client.show([self.stage.reference]) if each.condition.name == "short"
            ]
            if not found:
                return 0
            delay = found[0].condition.rules[0].condition.delay
            return 2 * delay.time.ns // 10**6 if found[0].in_force and delay else None

        before, seen, after = asked(), self.stage.rtt(4), asked()
        if before is None or before != after:
            return None
        return before <= seen < before + NORMAL


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with lab() as net, pytest.MonkeyPatch.context() as patch:
        before, _ = (dumps.settled(namespace) for namespace in net.namespaces)
        (target,) = resolve(f"netns:{net.client.name}")
        only_in(patch, target)
        with target, real_agent(Path(tmp_path_factory.mktemp("killed"), "state")) as agent:
            made = Stage(agent, net, target, before)
            made.measure()
            yield made


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", ROUNDS)
def test_nothing_is_left_behind(stage: Stage, seed: int) -> None:
    agent, story = stage.agent, Round.of(stage, seed)
    assert agent.process
    story.run()
    deadline = time.monotonic() + LEASE_S + GRACE_S
    if not story.late and agent.process.poll() is not None:
        agent.start()
    if agent.process.poll() is None:
        with agent.client() as client:
            answers = [story.short_is_as_shown(client) for _ in range(2)]
            assert False not in answers or True in answers, f"{story}: traffic and what is shown differ: {answers}"
    time.sleep(max(0.0, deadline - time.monotonic()))
    assert stage.rtt(4) < NORMAL, f"{story}: not normal at the deadline"
    if agent.process.poll() is not None:
        agent.start()
    with agent.client() as client:
        wrong = ["not asked yet"]

        def agree() -> bool:
            wrong[0] = story.all_agree(client)
            return not wrong[0]

        try:
            until(agree, 20, "all agree")
        except AssertionError:
            pytest.fail(f"{story}: {wrong[0]}")
        assert [each.condition.name for each in client.show([stage.reference])] == ["long"]
        client.clear([stage.reference], "long")
    until(lambda: agent.folders() == [], 20, f"{story}: the agent has taken everything away")
    stage.direct.recover()
    dumps.assert_same(stage.before, stage.net.client)
