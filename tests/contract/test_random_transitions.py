"""The engine, over the strict FakeKernel and over the real one, goes through the same random sequences and tells the same.

After each step both show the same conditions, in force or not, and the same things are there; what becomes of a packet is what the
fake's rules say of it. Whatever happened, an emptied engine leaves nothing: dumps as before, and no file, process or device.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from netweather.conditions import FOREVER, Condition, Match, NetworkCondition, RateLimit
from netweather.engine import Engine, entries, recovery
from netweather.errors import NetweatherError
from netweather.kernel import keeper_process, namespaces
from netweather.kernel.bpf.hooks import best_hook
from netweather.kernel.datapath.fake import FakeKernel, FakeTarget
from netweather.kernel.datapath.operations import ChangeLine, Detach, Operation
from netweather.kernel.datapath.real import RealTarget
from netweather.kernel.datapath.seam import TargetKernel
from netweather.kernel.datapath.spec import NEVER, Action, RuleId
from netweather.planning.vectors import Packet, first_match
from netweather.results import Recovered
from netweather.settings import Settings
from netweather.targets import Target
from netweather.units import Duration, Rate
from tests.support import dumps
from tests.support import rig as rigs
from tests.support.machine import EMULATED, SLOW
from tests.support.rig import MS, delay, ports, until
from tests.support.traffic import Echo, round_trip, udp_client

pytestmark = [pytest.mark.root, pytest.mark.timeout(1200)]
ME, THERE = "192.0.2.1", "192.0.2.2"
PORTS = (7, 8)
PATIENCE = 8.0
"""How long a keeper, or a heart that a busy machine kept from beating, may take to make both tell the same."""
DROP = Condition(block="drop")
RECIPES: dict[str, tuple[NetworkCondition, ...] | Any] = {
    "a delay": {"rules": (rigs.rule(delay(30), direction="egress"),)},
    "a longer delay": {"rules": (rigs.rule(delay(90), direction="egress"),)},
    "both ways": {"rules": (rigs.rule(delay(30), to=(THERE,)),)},
    "a block": {"rules": (rigs.rule(DROP, ports=ports(7)),)},
    "a block that comes first": {"rules": (rigs.rule(DROP, priority=-1, ports=ports(8)),)},
    "several": {
        "rules": (
            rigs.rule(delay(30), ports=ports(7), direction="ingress"),
            rigs.rule(Condition(rate=RateLimit(Rate.parse("100mbit"))), protocol="tcp"),
            rigs.rule(Condition(block="reject"), to=("198.51.100.1",)),
        )
    },
    "with an exclusion": {"rules": (rigs.rule(delay(90), direction="egress"),), "exclude": (Match(ports=ports(8)),)},
    "many": {"rules": (*(rigs.rule(DROP, ports=ports(9000 + n)) for n in range(70)), rigs.rule(delay(30), ports=ports(8)))},
    "nothing wrong": {"rules": (rigs.rule(Condition(), ports=ports(7)),)},
}


class Keepers:
    """Keepers of fake targets, which are only remembered; those of real ones are the real thing. off: `set` starts none."""

    def __init__(self) -> None:
        self.alive: set[Path] = set()
        self.fakes: set[Path] = set()
        self.off = False

    def install(self, patch: pytest.MonkeyPatch) -> None:
        ensure, stop = keeper_process.ensure, keeper_process.stop_keeper

        def ensured(directory: Path, fd: int, state: Path) -> None:
            if self.off:
                return
            if directory in self.fakes:
                self.alive.add(directory)
            else:
                ensure(directory, fd, state)

        patch.setattr(keeper_process, "ensure", ensured)
        for name in ("running", "kept_by_another"):
            patch.setattr(keeper_process, name, self._told(getattr(keeper_process, name)))
        patch.setattr(keeper_process, "stop_keeper", lambda d: self.alive.discard(d) if d in self.fakes else stop(d))

    def _told(self, real: Callable[[Path], bool]) -> Callable[[Path], bool]:
        """Whether a target is kept: a fake one as remembered here, another one as `real` says."""
        return lambda directory: directory in self.alive if directory in self.fakes else real(directory)


@dataclass
class Fake:
    """A target of the FakeKernel, with a keeper that does its turn when it is told."""

    engine: Engine
    target: Target
    kernel: FakeKernel
    keepers: Keepers

    @property
    def folder(self) -> Path:
        return self.engine.journal.directory(self.target.identity)

    @property
    def kept(self) -> bool:
        return self.folder in self.keepers.alive

    def kill(self, who: set[str]) -> None:
        if "pump" in who:
            self.kernel.kill_pump()
        if "keeper" in who:
            self.keepers.alive.discard(self.folder)
        self.turn()

    def turn(self) -> None:
        """What the keeper does when it looks around."""
        if self.kept:
            self.engine.expire(self.target.identity, self.target.netns_fd)

    def delete_device(self) -> None:
        self.kernel.delete_port()
        if self.kept:
            self.engine.end(self.target.identity, self.target.netns_fd)

    def recover(self) -> list[Recovered]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(recovery, "every_namespace", lambda _: iter(()))
            return self.engine.recover()

    def fate(self, port: int) -> float | None:
        """What becomes of a round trip to that port: by how much it is later, in ms; None: nothing comes back."""
        attached = next(iter(self.kernel.attached.values()), None)
        rules = attached.tables.rules if attached and attached.tables else ()
        total = 0.0
        for direction in (0, 1):
            hit = first_match(rules, Packet(0, direction, ME, THERE, 17, 40_000, port))
            if hit is None or rules[hit].action is Action.PASS:
                continue
            if rules[hit].action is not Action.LINE:
                return None
            line = self.kernel.lines[dict(rules[hit].lines)[0, direction]]
            if self.kernel.port and (self.kernel.pump or line.engine != "pump"):
                total += self._delay_of(line.rule_id)
        return total

    def _delay_of(self, rule: RuleId) -> float:
        active = next(c for c in self.engine.active(self.target) if c.condition.name == rule.condition)
        asked = active.condition.rules[rule.rule].condition.delay
        return asked.time.ns / MS if asked else 0.0


@dataclass
class Real:
    """A target of this machine, with everything that is real about it."""

    rig: rigs.Rig
    dumped: dict[Any, dict[str, str]] = field(default_factory=dict)

    @property
    def engine(self) -> Engine:
        return self.rig.engine

    @property
    def target(self) -> Target:
        return self.rig.target

    def kill(self, who: set[str]) -> None:
        self.rig.kill(*sorted(who))

    def delete_device(self) -> None:
        self.rig.net.client.run("ip", "link", "del", "nw0")

    def recover(self) -> list[Recovered]:
        return self.rig.recover()

    def meets(self, port: int, fate: float | None) -> bool:
        """Whether a round trip to that port goes as it must."""
        with udp_client(self.rig.net.client, THERE, port) as connection:
            try:
                seen = round_trip(connection, 0.25) * 1000
            except TimeoutError:
                return fate is None
        return fate is not None and fate <= seen < fate + 25 * min(SLOW, 2)


Side = Fake | Real


def told(side: Side) -> dict[str, Any]:
    """What an engine shows, and what is seen to be there: all but times and numbers of devices."""
    shown = side.engine.show(side.target)
    with side.engine.kernel(entries.whose(side.target), side.target.netns_fd, "") as kernel:
        observed = kernel.observe()
    conditions = [
        (s.condition, s.remaining_ns is None, s.in_force, s.problems, s.interfaces, s.peers, s.engine, len(s.rules))
        for s in shown
    ]
    return {
        "conditions": conditions,
        "helper": observed.helper,
        "port": observed.port,
        "attached": sorted(observed.attached),
        "lines": sorted(observed.lines),
        "broken": sorted(observed.broken) if observed.helper else [],
        "rules": observed.rules,
        "classifier": observed.classifier,
        "pump": observed.pump,
        "leases": [lease == NEVER for lease in observed.leases if lease],
        "journal": side.engine.journal.identities() != [],
    }


def outcome(verb: Callable[[], object]) -> object:
    """What a command came to: its result, or the code it failed with."""
    try:
        return verb()
    except NetweatherError as error:
        return error.code


def other(condition: Condition) -> Condition:
    """The same with another delay, where there is one."""
    return replace(condition, delay=delay(90 if condition.delay == delay(30) else 30)) if condition.delay else condition


class Transitions(RuleBasedStateMachine):
    """One fake and one real target, always asked for the same."""

    def __init__(self, fake: Fake, real: Real) -> None:
        super().__init__()
        self.fake, self.real = fake, real
        self.sides: tuple[Side, Side] = (fake, real)

    def both(self, verb: Callable[[Side], object]) -> None:
        of_fake, of_real = (outcome(lambda side=side: verb(side)) for side in self.sides)  # type: ignore[misc]  # its default
        assert of_fake == of_real

    def begin(self) -> None:
        """Also after an example that failed, whose teardown may have failed with it."""
        for side in self.sides:
            side.engine.clear(side.target)
            side.recover()

    @initialize()
    def nothing_is_there(self) -> None:
        self.begin()
        assert [side.engine.journal.identities() for side in self.sides] == [[], []]

    names = st.sampled_from(["a", "b"])
    recipes = st.sampled_from(sorted(RECIPES))
    owners = st.sampled_from(["", "", "", "you"])

    @rule(name=names, recipe=recipes, owner=owners)
    def set(self, name: str, recipe: str, owner: str) -> None:
        condition = NetworkCondition(name=name, lease=FOREVER, owner=owner, **RECIPES[recipe])
        self.both(lambda side: side.engine.set(side.target, condition).changed)

    @precondition(lambda self: self.fake.engine.active(self.fake.target))
    @rule(data=st.data())
    def change(self, data: st.DataObject) -> None:
        """Every delay of a condition in force becomes the other one: its lines stay, and are changed."""
        in_force = {active.condition.name: active.condition for active in self.fake.engine.active(self.fake.target)}
        old = in_force[data.draw(st.sampled_from(sorted(in_force)), "which")]
        condition = replace(old, rules=tuple(replace(each, condition=other(each.condition)) for each in old.rules))
        self.both(lambda side: side.engine.set(side.target, condition).changed)

    @rule(name=names | st.none())
    def clear(self, name: str | None) -> None:
        self.both(lambda side: sorted(side.engine.clear(side.target, name)))

    @precondition(lambda self: self.fake.kept or self.fake.kernel.pump)
    @rule(data=st.data())
    def kill(self, data: st.DataObject) -> None:
        there = (["pump"] if self.fake.kernel.pump else []) + (["keeper"] if self.fake.kept else [])
        who = data.draw(st.sets(st.sampled_from(there), min_size=1), "who")
        for side in reversed(self.sides):
            side.kill(who)

    @rule()
    def recover(self) -> None:
        self.both(lambda side: [(found.what, found.taken) for found in side.recover()])

    @rule(name=names, recipe=recipes, kept=st.booleans())
    def set_and_let_the_lease_end(self, name: str, recipe: str, kept: bool) -> None:
        """With a keeper to end it, or without: then the next command sweeps."""
        if not kept and self.fake.kept:
            for side in self.sides:
                side.kill({"keeper"})
        condition = NetworkCondition(name=name, lease=Duration(200 * MS), **RECIPES[recipe])
        self.fake.keepers.off = not kept
        self.both(lambda side: outcome(lambda: side.engine.set(side.target, condition)) == "other-owner")
        self.fake.keepers.off = False
        end = namespaces.boot_ns() + 200 * MS
        until(lambda: namespaces.boot_ns() > end, 2, "the leases end")
        self.fake.turn()

    @precondition(lambda self: self.fake.kernel.port)
    @rule()
    def delete_the_device(self) -> None:
        for side in reversed(self.sides):
            side.delete_device()

    @invariant()
    def both_tell_the_same(self) -> None:
        expected = told(self.fake)
        deadline = time.monotonic() + PATIENCE * SLOW
        while (seen := told(self.real)) != expected and time.monotonic() < deadline:
            time.sleep(0.02)
        assert seen == expected

    @invariant()
    def packets_meet_what_is_told(self) -> None:
        for port in PORTS:
            fate = self.fake.fate(port)
            until(lambda port=port, fate=fate: self.real.meets(port, fate), PATIENCE, f"port {port}: {fate} ms")

    def teardown(self) -> None:
        """Emptied, nothing is left of either."""
        for side in self.sides:
            side.engine.clear(side.target)
            side.recover()
        assert self.fake.kernel == FakeKernel(self.fake.kernel.interfaces, hook=self.fake.kernel.hook)
        assert list(self.fake.engine.settings.state.rglob("*")) == []
        until(lambda: self.real.rig.remains() == [], PATIENCE, "nothing is left")
        for namespace, dump in self.real.dumped.items():
            dumps.assert_same(dump, namespace)


@pytest.fixture(params=["tcx", "clsact"])
def machine(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], Transitions]]:
    if os.geteuid():
        pytest.skip("needs root")
    if request.param == "tcx" and best_hook().name != "tcx":
        pytest.skip("this kernel has no tcx (Linux 6.6)")
    keepers = Keepers()
    keepers.install(monkeypatch)
    with rigs.rig(tmp_path / "real", hook=request.param) as rig, Echo(rig.net.server, list(PORTS)):
        real = Real(rig, {namespace: dumps.settled(namespace) for namespace in rig.net.namespaces})
        with fake_target(tmp_path, rig, keepers) as fake:
            yield lambda: Transitions(fake, real)
        with contextlib.suppress(NetweatherError, OSError):
            rig.recover()


@contextlib.contextmanager
def fake_target(folder: Path, rig: rigs.Rig, keepers: Keepers) -> Iterator[Fake]:
    """A fake with the real target's interface and hook, known by a file as a namespace is."""
    with RealTarget(rig.target.netns_fd, folder, rig.hook) as there:
        observed = there.observe()
    kernel = FakeKernel(dict(observed.interfaces), hook=observed.hook)
    path = folder / "namespace"
    path.touch()
    fd = os.open(path, os.O_RDONLY)
    status = os.fstat(fd)

    def open_kernel(*_: object) -> TargetKernel:
        return FakeTarget(kernel)

    engine = Engine(Settings(state=folder / "fake", hook=rig.hook), open_kernel)
    with Target("netns:fake", "fake", fd, status.st_dev, status.st_ino, None, str(path), "netns") as target:
        fake = Fake(engine, target, kernel, keepers)
        keepers.fakes.add(fake.folder)
        yield fake


PHASES = [Phase.generate, Phase.shrink]


def test_random_transitions(machine: Callable[[], Transitions], request: pytest.FixtureRequest) -> None:
    full = request.config.getoption("--full") and not EMULATED
    asked = settings(max_examples=60 if full else 2 if EMULATED else 4, stateful_step_count=20 if full else 10, phases=PHASES)
    run_state_machine_as_test(machine, settings=asked)


DEFECTS = {"programs stay attached": (Detach, "attached"), "a changed line stays as it was": (ChangeLine, "port 7")}


@pytest.mark.parametrize("machine", ["tcx"], indirect=True)
@pytest.mark.parametrize("defect", DEFECTS)
def test_a_planted_defect_is_found(machine: Callable[[], Transitions], monkeypatch: pytest.MonkeyPatch, defect: str) -> None:
    whole = RealTarget.apply
    left_out, told_by = DEFECTS[defect]

    def apply(self: RealTarget, operation: Operation) -> None:
        if not isinstance(operation, left_out):
            whole(self, operation)

    class Planted(Transitions):
        def begin(self) -> None:
            super().begin()
            monkeypatch.setattr(RealTarget, "apply", apply)

        def teardown(self) -> None:
            monkeypatch.setattr(RealTarget, "apply", whole)

    def planted() -> Transitions:
        sound = machine()
        return Planted(sound.fake, sound.real)

    monkeypatch.setattr(f"{__name__}.PATIENCE", 3.0)
    sought = settings(max_examples=30, stateful_step_count=9, phases=[Phase.generate], report_multiple_bugs=False)
    with pytest.raises(AssertionError, match=told_by):
        run_state_machine_as_test(planted, settings=sought)
