"""One suite over the fake kernel and the real one: what the one accepts, leaves and refuses, the other does too."""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from netweather.conditions import Condition, Delay
from netweather.kernel.datapath.fake import FakeKernel, FakeTarget
from netweather.kernel.datapath.operations import Lift, WriteRules
from netweather.kernel.datapath.pump_process import wait_gone
from netweather.kernel.datapath.real import RealTarget
from netweather.kernel.datapath.seam import TargetKernel
from netweather.kernel.datapath.spec import NEVER, Action, Datapath, FlatRule, Interface, Line, Observed, RuleId
from netweather.kernel.features.features import there
from netweather.lines.netem_line import netem_for
from netweather.lines.pump_line import line_parameters
from netweather.planning.plan import plan
from netweather.units import Duration

Open = Callable[[], TargetKernel]
PLACES = frozenset({(0, 0), (0, 1)})


class World:
    """A target of either kind, and what can happen to it behind our back."""

    def __init__(self, open_kernel: Open, kill_pump: Callable[[], None], ifindex: int, netem: bool) -> None:
        self.open, self.kill_pump, self.netem = open_kernel, kill_pump, netem
        self.eth0 = Interface("eth0", ifindex, 0)

    def become(self, desired: Datapath) -> Observed:
        with self.open() as kernel:
            operations = plan(desired, kernel.observe())
            for operation in operations:
                kernel.apply(operation)
            for operation in operations:
                if isinstance(operation, WriteRules):
                    assert kernel.differences(operation) == []
            return kernel.observe()

    def delaying(self, *milliseconds: int) -> Datapath:
        """A rule for each delay, egress."""
        lines, rules = [], []
        for number, each in enumerate(milliseconds):
            condition = Condition(delay=Delay(Duration(each * 10**6)))
            if self.netem:
                kernels = netem_for(condition).pack()
                lines.append(Line(number, RuleId("t", number), self.eth0, "egress", "netem", kernels, whole=number % 2 == 0))
            else:
                lines.append(
                    Line(number, RuleId("t", number), self.eth0, "egress", "pump", *line_parameters(condition, "egress"))
                )
            way, beats = (((0, 0), number),), not self.netem
            rules.append(FlatRule(Action.LINE, 0, number, PLACES, ports=((number, number),), lines=way, heartbeat=beats))
        return Datapath((self.eth0,), tuple(lines), tuple(rules), (NEVER,), "netweather: contract")

    def blocking(self, count: int = 1) -> Datapath:
        rules = tuple(FlatRule(Action.DROP, 0, i, PLACES, ports=((i, i),)) for i in range(count))
        return Datapath((self.eth0,), (), rules, (NEVER,), "netweather: contract")


@pytest.fixture(
    params=[
        "fake-pump",
        "fake-netem",
        pytest.param("real-pump", marks=pytest.mark.root),
        pytest.param("real-netem", marks=pytest.mark.root),
    ]
)
def world(request: pytest.FixtureRequest, tmp_path: Path, make_lab: Any) -> Iterator[World]:
    kind, _, engine = request.param.partition("-")
    if kind == "fake":
        fake = FakeKernel()
        yield World(lambda: FakeTarget(fake), fake.kill_pump, 2, engine == "netem")
        return
    if os.geteuid():
        pytest.skip("needs root")
    if engine == "netem" and not there("netem"):
        pytest.skip("this kernel has no sch_netem (NET_SCH_NETEM)")
    with make_lab() as net:
        fd = os.open(net.client.path, os.O_RDONLY)

        def kill_pump() -> None:
            with RealTarget(fd, tmp_path) as kernel:
                process = kernel.pump_process()
                if process:
                    process.signal(9)
                    assert wait_gone(process, 5)

        with RealTarget(fd, tmp_path) as kernel:
            ifindex = dict(kernel.observe().interfaces)["eth0"]
        made = World(lambda: RealTarget(fd, tmp_path), kill_pump, ifindex, engine == "netem")
        try:
            yield made
        finally:
            made.become(Datapath())
            os.close(fd)


def summary(observed: Observed) -> dict[str, object]:
    return {
        "helper": observed.helper,
        "port": observed.port,
        "attached": sorted(observed.attached),
        "lines": sorted(observed.lines),
        "broken": sorted(observed.broken),
        "rules": bool(observed.rules),
        "classifier": observed.classifier,
    }


EMPTY = {"helper": False, "port": False, "attached": [], "lines": [], "broken": [], "rules": False, "classifier": None}


def test_nothing_is_there_at_first(world: World) -> None:
    with world.open() as kernel:
        assert summary(kernel.observe()) == EMPTY


def test_what_is_made_is_seen_and_what_is_unmade_is_gone(world: World) -> None:
    observed = world.become(world.delaying(10, 20))
    assert observed.helper
    assert observed.port
    assert observed.pump is not world.netem
    assert observed.lines == {0, 1}
    assert observed.attached == {"eth0"}
    assert observed.leases[0] == NEVER
    assert summary(world.become(Datapath())) == EMPTY


def test_the_same_twice_changes_nothing(world: World) -> None:
    first = world.become(world.delaying(10))
    second = world.become(world.delaying(10))
    assert summary(first) == summary(second)
    assert first.rules == second.rules


def test_the_digest_tells_rule_sets_apart(world: World) -> None:
    assert world.become(world.blocking(1)).rules != world.become(world.blocking(2)).rules


def test_a_classifier_grows_with_its_rules(world: World) -> None:
    assert world.become(world.blocking(3)).classifier.rules == 64  # type: ignore[union-attr]  # it is there
    assert world.become(world.blocking(200)).classifier.rules == 256  # type: ignore[union-attr]  # it is there


def test_a_dead_pump_comes_back_with_its_lines(world: World) -> None:
    world.become(world.delaying(10, 20))
    world.kill_pump()
    observed = world.become(world.delaying(10, 20))
    assert observed.pump is not world.netem
    assert observed.lines == {0, 1}


@pytest.mark.parametrize("other", [False, True], ids=["same-engine", "other-engine"])
def test_what_is_left_of_a_cleared_condition_serves_the_next(world: World, *, other: bool) -> None:
    world.become(world.delaying(300, 5))
    with world.open() as kernel:
        kernel.observe()
        kernel.apply(Lift())
        assert not kernel.observe().alive
        both = isinstance(kernel, FakeTarget) or there("netem")
    if other and not both:
        pytest.skip("this kernel has no sch_netem (NET_SCH_NETEM)")
    world.netem = world.netem is not other
    observed = world.become(world.delaying(1))
    assert observed.lines == {0}
    assert observed.pump or world.netem
    assert summary(world.become(Datapath())) == EMPTY


def test_the_lease_of_one_condition_ends(world: World) -> None:
    rules = tuple(FlatRule(Action.DROP, lease, lease, PLACES) for lease in range(3))
    world.become(Datapath((world.eth0,), (), rules, (NEVER, NEVER, NEVER)))
    with world.open() as kernel:
        kernel.observe()
        kernel.apply(Lift(frozenset({1})))
        observed = kernel.observe()
    assert (observed.leases[:3], observed.alive) == ((NEVER, 0, NEVER), True)
    assert summary(world.become(Datapath())) == EMPTY


def test_an_interface_that_is_gone_is_refused(world: World) -> None:
    lost = Datapath((Interface("eth7", 4711, 0),), (), (FlatRule(Action.DROP, 0, 0, PLACES),), (NEVER,))
    with pytest.raises(OSError, match=r"eth7|4711|[Nn]o such device"):
        world.become(lost)
    assert summary(world.become(Datapath())) == EMPTY


@pytest.mark.parametrize("seed", range(3))
def test_random_transitions_end_as_if_made_from_nothing(world: World, seed: int) -> None:
    generator = random.Random(seed)
    states = [Datapath(), world.delaying(1), world.delaying(5, 6, 7), world.blocking(1), world.blocking(70), world.delaying(9, 1)]
    for before, after in itertools.pairwise(generator.choices(states, k=9)):
        world.become(before)
        if generator.random() < 0.3:
            world.kill_pump()
        observed = world.become(after)
        expected = sorted(line.index for line in after.lines)
        assert sorted(observed.lines) == expected
        assert observed.port == bool(after.lines)
        assert observed.attached == ({"eth0"} if after.rules else set())
    assert summary(world.become(Datapath())) == EMPTY
