from __future__ import annotations

from dataclasses import replace

import pytest

from netweather.kernel.datapath.operations import (
    Attach,
    ChangeLine,
    Detach,
    LoadClassifier,
    MakeHelper,
    MakeLine,
    MakePort,
    RemoveLine,
    StartPump,
)
from netweather.kernel.datapath.spec import NEVER, Action, Datapath, FlatRule, Interface, Line, Observed, Room, RuleId
from netweather.planning.plan import describe, plan, tears_down

ETH0 = Interface("eth0", 2, 0)
PLACES = frozenset({(0, 0), (0, 1)})
LINE = Line(3, RuleId("default", 0), ETH0, "egress", "pump", b"")
DELAYING = Datapath((ETH0,), (LINE,), (FlatRule(Action.LINE, 0, 0, PLACES, lines=(((0, 0), 3),)),), (NEVER,))
BLOCKING = Datapath((ETH0,), (), (FlatRule(Action.DROP, 0, 0, PLACES),), (NEVER,))
ROOM = Room(64, 64, 1)
MADE = Observed(
    interfaces=(("eth0", 2),),
    helper=True,
    port=True,
    classifier=ROOM,
    attached=frozenset({"eth0"}),
    leases=(NEVER,),
    lines=frozenset({3}),
    pump=True,
)


def names(desired: Datapath, observed: Observed) -> list[str]:
    return [type(operation).__name__ for operation in plan(desired, observed)]


def test_hooks_come_last_when_making() -> None:
    assert names(DELAYING, Observed()) == [
        "MakeHelper",
        "MakePort",
        "LoadClassifier",
        "StartPump",
        "MakeLine",
        "WriteRules",
        "Attach",
    ]


def test_rules_are_lifted_first_when_unmaking() -> None:
    assert names(Datapath(), MADE) == ["Lift", "CloseLine", "Detach", "StopPump", "RemoveHelper", "RemovePort"]


@pytest.mark.parametrize(
    ("desired", "held", "left"),
    [
        (Datapath(), {3}, ["Lift", "CloseLine"]),
        (Datapath(), {}, ["Lift", "CloseLine", "Detach", "StopPump", "RemoveHelper", "RemovePort"]),
        (BLOCKING, {3}, ["WriteRules", "CloseLine"]),
        (BLOCKING, {}, ["WriteRules", "CloseLine", "StopPump", "RemoveHelper", "RemovePort"]),
    ],
)
def test_nothing_is_destroyed_while_a_closed_line_holds_packets(desired: Datapath, held: set[int], left: list[str]) -> None:
    assert [type(o).__name__ for o in plan(desired, MADE) if not tears_down(o, held)] == left


def test_of_two_closed_lines_the_empty_one_is_removed() -> None:
    operations = plan(DELAYING, replace(MADE, lines=frozenset({3, 4, 5})))
    assert [o for o in operations if isinstance(o, RemoveLine) and not tears_down(o, {5})] == [RemoveLine(4)]


def test_nothing_of_ours_needs_nothing_but_a_stopped_pump() -> None:
    assert names(Datapath(), Observed()) == ["StopPump"]


def test_a_change_makes_nothing_new() -> None:
    assert names(DELAYING, MADE) == ["ChangeLine", "WriteRules"]


def test_a_line_that_nobody_uses_any_more_is_dropped_and_begins_anew() -> None:
    assert names(DELAYING, replace(MADE, leases=(0, 0))) == ["CloseLine", "MakeLine", "WriteRules"]


def test_blocking_makes_no_devices() -> None:
    assert not {"MakeHelper", "MakePort", "StartPump"} & set(names(BLOCKING, Observed()))


def test_from_delay_to_block_takes_the_devices_away_after_the_rules() -> None:
    assert names(BLOCKING, MADE) == ["WriteRules", "CloseLine", "StopPump", "RemoveHelper", "RemovePort"]


def test_a_dead_pump_is_started_with_the_lines_that_are_there() -> None:
    operations = plan(DELAYING, Observed(**{**MADE.__dict__, "pump": False}))
    start = next(o for o in operations if isinstance(o, StartPump))
    assert start.lines == (LINE,)


def test_a_broken_line_is_made_again() -> None:
    operations = plan(DELAYING, Observed(**{**MADE.__dict__, "lines": frozenset(), "broken": frozenset({3})}))
    assert any(isinstance(o, MakeLine) for o in operations)
    assert not any(isinstance(o, RemoveLine) for o in operations)


def test_more_rules_than_fit_load_the_classifier_anew() -> None:
    many = Datapath((ETH0,), (), tuple(FlatRule(Action.DROP, 0, i, PLACES) for i in range(65)), (NEVER,))
    operations = plan(many, MADE)
    assert any(isinstance(o, LoadClassifier) and o.room.rules == 128 for o in operations)
    assert any(isinstance(o, Attach) for o in operations)


def test_an_interface_that_is_no_longer_meant_is_let_go() -> None:
    observed = Observed(**{**MADE.__dict__, "attached": frozenset({"eth0", "eth1"})})
    assert Detach("eth1") in plan(DELAYING, observed)


def test_every_operation_can_be_told() -> None:
    told = [
        describe(o) for o in [*plan(DELAYING, Observed()), *plan(Datapath(), MADE), ChangeLine(LINE), MakeHelper(), MakePort("")]
    ]
    assert all(told)
