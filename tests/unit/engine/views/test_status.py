from __future__ import annotations

from netweather.conditions import Condition, Match, NetworkCondition, Rule
from netweather.engine.views.status import problems, uncovered
from netweather.journal import Entry
from netweather.kernel.datapath.spec import NEVER, Action, Datapath, FlatRule, Interface, Line, Observed, Room, RuleId, digest_of
from netweather.planning.rules import InForce
from netweather.results import TargetRef
from tests.unit.engine.conftest import Bench

ETH0 = Interface("eth0", 2, 0)
RULE = FlatRule(Action.LINE, 0, 0, frozenset({(0, 0)}), lines=(((0, 0), 0),))
PATH = Datapath((ETH0,), (Line(0, RuleId("a", 0), ETH0, "egress", "pump", b""),), (RULE,), (0,))
ENTRY = Entry(TargetRef("netns:a", "a", 1, 2, None, None, "netns"), state="made")
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
    assert "nw0 is missing" in told(port=False)
    assert told(port=False, port_faults=("the device nw0 is down",)) == "the device nw0 is down"
    assert "1 of 1 emulated links" in told(lines=frozenset())
    assert "the pump is not running" in told(pump=False)


def test_an_interface_that_has_left_is_named_and_a_rename_is_nothing() -> None:
    assert told(interfaces=(), attached=frozenset()).startswith("the interface eth0 was moved")
    assert told(interfaces=(("lan0", 2),), attached=frozenset({"lan0"})) == ""
    assert problems(ENTRY, Datapath(), GOOD) == ("no interface is left that it could act on",)


def test_an_unfinished_command_is_told() -> None:
    assert "not finished" in problems(Entry(ENTRY.target, state="making"), PATH, GOOD)[0]


def test_an_interface_that_came_later_is_named_when_the_condition_means_it() -> None:
    def asked(*interfaces: str) -> Entry:
        rules = (Rule(Match(interfaces=interfaces), Condition(block="drop")),)
        active = InForce(NetworkCondition(rules=rules), {}, NEVER, 1, rules=())
        return Entry(ENTRY.target, [active], interfaces=(ETH0,), state="made")

    both = Observed(interfaces=(("eth0", 2), ("eth1", 3)))
    (text,) = uncovered(asked(), both)
    assert "eth1 came after the condition was set" in text
    assert uncovered(asked("eth0"), both) == ()
    assert len(uncovered(asked("eth1"), both)) == 1
    assert uncovered(asked(), Observed(interfaces=(("lan0", 2),))) == (), "a rename"


def test_a_later_interface_concerns_the_conditions_that_mean_it(bench: Bench) -> None:
    drop = Condition(block="drop")
    bench.set(Rule(Match(interfaces=("eth0",)), drop), name="named")
    bench.set(Rule(Match(), drop), name="all")
    bench.kernel.interfaces["eth1"] = 3
    found = {shown.condition.name: len(shown.problems) for shown in bench.engine.show(bench.target)}
    assert found == {"named": 0, "all": 1}
