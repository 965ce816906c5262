from __future__ import annotations

from netweather.engine.status import problems
from netweather.journal import Entry, Whose
from netweather.kernel.spec import Action, Datapath, FlatRule, Interface, Line, Observed, Room, digest_of

ETH0 = Interface("eth0", 2, 0)
RULE = FlatRule(Action.LINE, 0, 0, frozenset({(0, 0)}), lines=(((0, 0), 0),))
PATH = Datapath((ETH0,), (Line(0, "a/0/egress/eth0", ETH0, "egress", "pump", b""),), (RULE,), (0,))
ENTRY = Entry(Whose("netns:a", "a", 1, 2, None, None, "netns"), state="made")
GOOD = Observed(
    interfaces=(("eth0", 2),),
    port=True,
    classifier=Room(64, 64, 1),
    rules=digest_of((RULE,)),
    attached=frozenset({"eth0"}),
    lines=frozenset({0}),
    pump=True,
)


def told(**changes: object) -> str:
    return "; ".join(problems(ENTRY, PATH, Observed(**{**GOOD.__dict__, **changes})))


def test_all_is_well() -> None:
    assert told() == ""


def test_each_missing_part_has_its_words() -> None:
    assert "not attached to eth0" in told(attached=frozenset())
    assert "other rules" in told(rules=1)
    assert "nw0 is gone" in told(port=False)
    assert told(port=False, port_faults=("the device nw0 is down",)) == "the device nw0 is down"
    assert "1 of 1 lines are gone" in told(lines=frozenset())
    assert "the pump is not running" in told(pump=False)


def test_an_interface_that_has_left_is_named_and_a_rename_is_nothing() -> None:
    assert told(interfaces=(), attached=frozenset()).startswith("the interface eth0 was moved")
    assert told(interfaces=(("lan0", 2),), attached=frozenset({"lan0"})) == ""
    assert problems(ENTRY, Datapath(), GOOD) == ("no interface is left that it could act on",)


def test_an_unfinished_command_is_told() -> None:
    assert "not finished" in problems(Entry(ENTRY.target, state="making"), PATH, GOOD)[0]
