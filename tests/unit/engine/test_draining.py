"""What becomes of packets that lines hold when their condition ends."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netweather.conditions import NetworkCondition, load
from netweather.engine import entries
from netweather.engine.draining import DRAIN_NS, carry_out, datapath, look, taken
from netweather.journal import Entry
from netweather.kernel import namespaces
from netweather.kernel.datapath.fake import FakeKernel, FakeTarget
from netweather.kernel.datapath.operations import CloseLine, Operation, RemoveLine, StopPump
from netweather.kernel.datapath.spec import NEVER, Interface, Line, RuleId
from netweather.planning.rules import Allocation, InForce, PlainRule
from netweather.results import Rest, TargetRef
from tests.unit.engine.conftest import Bench

ENTRY = Entry(TargetRef("netns:a", "a", 1, 2, None, None, "netns"))
CLOSED: list[Operation] = [CloseLine(0), CloseLine(1), RemoveLine(0), RemoveLine(1)]


@pytest.fixture
def kernel() -> FakeKernel:
    lines = {i: Line(i, RuleId("a", 0), Interface("eth0", 2, 0), "egress", "pump", b"") for i in range(2)}
    return FakeKernel(helper=True, port=True, pump=True, lines=lines)


def test_only_empty_lines_are_removed(kernel: FakeKernel) -> None:
    kernel.held = {1: 7}
    entry = replace(ENTRY)
    assert carry_out(FakeTarget(kernel), entry, CLOSED, drop=False) == Rest(7, 0)
    assert kernel.lines.keys() == {1}
    left = entry.draining[1] - namespaces.boot_ns()
    assert 0 < left <= DRAIN_NS


@pytest.mark.parametrize("late", [True, False])
def test_what_has_had_its_time_is_dropped(kernel: FakeKernel, late: bool) -> None:
    kernel.held = {1: 7}
    entry = replace(ENTRY, draining={1: namespaces.boot_ns() + (-1 if late else DRAIN_NS)})
    assert carry_out(FakeTarget(kernel), entry, CLOSED, drop=not late) == Rest(0, 7)
    assert kernel.lines == {}
    assert entry.draining == {}


def test_nothing_is_stopped_while_anything_is_held(kernel: FakeKernel) -> None:
    kernel.held = {0: 1}
    carry_out(FakeTarget(kernel), replace(ENTRY), [CloseLine(0), StopPump()], drop=False)
    assert kernel.pump
    kernel.held = {}
    carry_out(FakeTarget(kernel), replace(ENTRY), [CloseLine(0), StopPump()], drop=False)
    assert not kernel.pump


def test_lines_that_hold_packets_of_ended_conditions_are_not_given_away(kernel: FakeKernel) -> None:
    kernel.held = {0: 1}
    assert taken(replace(ENTRY, ended=5), FakeTarget(kernel)) == {0: 5 + DRAIN_NS}
    others = replace(ENTRY, conditions=[InForce(NetworkCondition(), {}, NEVER, 1, ())], draining={1: 9})
    assert taken(others, FakeTarget(kernel)) == {1: 9}


def test_nothing_is_settled_while_lines_drain(bench: Bench) -> None:
    bench.set()
    bench.kernel.held = dict.fromkeys(bench.kernel.lines, 3)
    bench.engine.clear(bench.target)
    settled: list[Entry] = []

    def settle(entry: Entry) -> Rest:
        settled.append(entry)
        return Rest()

    assert look(bench.engine, bench.target.identity, settle) == (False, 0)
    assert settled == []
    bench.kernel.held = {}
    assert look(bench.engine, bench.target.identity, settle) == (True, 0)
    assert len(settled) == 1


@pytest.mark.parametrize("held", [0, 7])
def test_a_netem_that_holds_packets_is_not_made_faster(held: int) -> None:
    """netem can't re-time what it holds, and with a rate what comes next would wait behind that: it gets a fresh line."""

    def entry(delay: str, slots: Allocation) -> Entry:
        condition = load({"rules": [{"direction": "egress", "condition": {"delay": delay, "rate": "1mbit"}}]})
        active = InForce(condition, {}, NEVER, 1, (PlainRule(condition.rules[0], 0, "netem"),))
        return replace(ENTRY, conditions=[active], slots=slots, interfaces=(Interface("eth0", 2, 0),))

    before, slots = entries.datapath(entry("1s", Allocation()))
    kernel = FakeKernel(port=True, lines={line.index: line for line in before.lines}, held={0: held})
    target = FakeTarget(kernel)
    after = entry("1ms", slots)
    assert [line.index for line in datapath(target, target.observe(), after).lines] == ([1] if held else [0])
    assert list(after.draining) == ([0] if held else [])
