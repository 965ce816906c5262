"""What the fake refuses; that the real one agrees on what both accept is in tests/contract."""

from __future__ import annotations

import pytest

from netweather.errors import NetweatherError
from netweather.kernel.datapath.fake import FakeKernel, FakeTarget
from netweather.kernel.datapath.operations import (
    Attach,
    ChangeLine,
    CloseLine,
    Detach,
    LoadClassifier,
    MakeHelper,
    MakeLine,
    MakePort,
    Operation,
    RemoveHelper,
    RemoveLine,
    StartPump,
    StopPump,
    WriteRules,
)
from netweather.kernel.datapath.spec import NEVER, Action, Datapath, FlatRule, Interface, Line, Room, RuleId
from netweather.planning.vectors import compile_tables

ETH0 = Interface("eth0", 2, 0)
LINE = Line(0, RuleId("a", 0), ETH0, "egress", "pump", b"")
RULES = (FlatRule(Action.LINE, 0, 0, frozenset({(0, 0)}), lines=(((0, 0), 0),)),)
WRITE = WriteRules(compile_tables(RULES, (ETH0,)), (NEVER,), Datapath((ETH0,), (LINE,), RULES, (NEVER,)))
ROOM = LoadClassifier(Room(64, 64, 1))
MADE: list[Operation] = [MakeHelper(), MakePort(""), ROOM, StartPump(()), MakeLine(LINE), WRITE, Attach("eth0", 2)]


@pytest.mark.parametrize(
    ("before", "refused"),
    [
        ([], MakePort("")),
        ([MakeHelper(), MakePort("")], MakePort("")),
        ([], WRITE),
        ([ROOM], WRITE),
        ([ROOM], Attach("eth0", 2)),
        ([], StartPump(())),
        (MADE[:3], MakeLine(LINE)),
        (MADE[:4], ChangeLine(LINE)),
        (MADE[:6], Attach("eth0", 3)),
        (MADE, RemoveLine(0)),
        (MADE, StopPump()),
        (MADE, CloseLine(0)),
        (MADE, RemoveHelper()),
        ([*MADE, Detach("eth0")], RemoveHelper()),
        ([LoadClassifier(Room(0, 0, 0))], WRITE),
    ],
)
def test_what_the_kernel_or_safety_forbids_is_refused(before: list[Operation], refused: Operation) -> None:
    target = FakeTarget(FakeKernel())
    for operation in before:
        target.apply(operation)
    with pytest.raises((NetweatherError, OSError)):
        target.apply(refused)


def test_a_classifier_that_was_never_attached_is_lost() -> None:
    kernel = FakeKernel()
    with FakeTarget(kernel) as target:
        target.apply(ROOM)
    assert FakeTarget(kernel).observe().classifier is None


def test_what_is_held_is_compared() -> None:
    target = FakeTarget(FakeKernel())
    assert target.differences(WRITE) == ["the rule set"]
    for operation in MADE:
        target.apply(operation)
    assert target.differences(WRITE) == []
    assert target.counters([0]) == {0: (0, 0, 0)}
    assert target.unwanted_drops() == 0
