from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest

from netweather.conditions import Condition, Connection, Delay, Match, NetworkCondition, PortRange, Rule
from netweather.errors import UsageError
from netweather.kernel.datapath.spec import MAX_LINES, NEVER, Action, Engine, Interface, LineId, PacketDirection, RuleId
from netweather.planning.rules import Allocation, InForce, LineSpec, PlainRule, flatten
from netweather.units import Duration, Percent

ETH0 = Interface("eth0", 2, 0)
ETH1 = Interface("eth1", 3, 1)
DELAY = Condition(delay=Delay(Duration(10**8)))
DROP = Condition(block="drop")


def no_parameters(condition: Condition, direction: str, engine: str) -> LineSpec:
    return LineSpec(f"{direction} {engine}".encode())


def active(
    *rules: Rule, name: str = "default", created: int = 1, exclude: tuple[Match, ...] = (), engine: Engine = "pump"
) -> InForce:
    peers = {"192.0.2.0/24": (ip_network("192.0.2.0/24"),)}
    plain = tuple(PlainRule(rule, number, engine) for number, rule in enumerate(rules))
    return InForce(NetworkCondition(name=name, rules=rules, exclude=exclude), peers, NEVER, created, plain)


def test_one_line_for_each_interface_and_direction() -> None:
    path, slots = flatten([active(Rule(Match(), DELAY))], (ETH0, ETH1), no_parameters, Allocation())
    assert [(line.interface.name, line.direction) for line in path.lines] == [
        ("eth0", "egress"),
        ("eth0", "ingress"),
        ("eth1", "egress"),
        ("eth1", "ingress"),
    ]
    assert len({line.index for line in path.lines}) == 4
    assert dict(path.rules[0].lines)[1, 1] == path.lines[3].index
    assert slots.lines[LineId(RuleId("default", 0), "ingress", "eth1", "pump")] == path.lines[3].index


def test_block_needs_no_line() -> None:
    path, _ = flatten([active(Rule(Match(), DROP))], (ETH0,), no_parameters, Allocation())
    assert path.lines == ()
    assert path.rules[0].action is Action.DROP


def test_slots_stay_and_a_freed_one_is_not_taken_at_once() -> None:
    first = active(Rule(Match(direction="egress"), DELAY), name="first")
    second = active(Rule(Match(direction="egress"), DELAY), name="second", created=2)
    third = active(Rule(Match(direction="egress"), DELAY), name="third", created=3)
    _, slots = flatten([first, second], (ETH0,), no_parameters, Allocation())
    path, slots = flatten([second, third], (ETH0,), no_parameters, slots)
    assert [line.index for line in path.lines] == [1, 2]
    path, _ = flatten([second, third, first], (ETH0,), no_parameters, slots)
    assert sorted(line.index for line in path.lines) == [0, 1, 2]


def test_priority_then_creation_decides_the_order() -> None:
    late = active(Rule(Match(), DROP, priority=-1), name="late", created=2)
    early = active(Rule(Match(), DELAY), Rule(Match(), DROP, priority=5), name="early", created=1)
    path, _ = flatten([early, late], (ETH0,), no_parameters, Allocation())
    assert [rule.action for rule in path.rules] == [Action.DROP, Action.LINE, Action.DROP]


def test_exclusions_stand_before_their_own_rules_and_skip_only_those() -> None:
    ssh = Match(ports=(PortRange(22, 22),))
    first = active(Rule(Match(), DELAY), name="first", created=1, exclude=(ssh,))
    second = active(Rule(Match(), DROP), name="second", created=2)
    path, _ = flatten([first, second], (ETH0,), no_parameters, Allocation())
    assert [rule.action for rule in path.rules] == [Action.SKIP, Action.LINE, Action.DROP]
    assert path.rules[0].skip_to == 2


def test_a_connection_matches_whichever_end_is_ours() -> None:
    match = Match(connection=Connection("192.0.2.1", 40000, "192.0.2.2", 80), protocol="tcp")
    path, _ = flatten([active(Rule(match, DROP))], (ETH0,), no_parameters, Allocation())
    connections = path.rules[0].connections
    assert connections is not None
    assert {c.local[1] for c in connections} == {40000, 80}
    assert {c.protocol for c in connections} == {6}


def test_share_becomes_a_threshold() -> None:
    path, _ = flatten([active(Rule(Match(share=Percent.parse("25%")), DROP))], (ETH0,), no_parameters, Allocation())
    assert path.rules[0].share == 2**30
    path, _ = flatten([active(Rule(Match(share=Percent.parse("100%")), DROP))], (ETH0,), no_parameters, Allocation())
    assert path.rules[0].share is None


def test_leases_by_slot() -> None:
    path, slots = flatten([active(Rule(Match(), DROP), name="a")], (ETH0,), no_parameters, Allocation())
    assert path.leases[slots.leases["a"]] == NEVER


def test_an_interface_that_is_not_there_is_passed_by() -> None:
    path, _ = flatten([active(Rule(Match(interfaces=("eth9",)), DROP))], (ETH0,), no_parameters, Allocation())
    assert path.rules[0].places == frozenset()


def test_an_interface_that_must_be_named_is_in_no_other_rule() -> None:
    tunnel = Interface("wg0", 9, 1, upper=True)
    named = Match(interfaces=("wg0",), direction="egress")
    path, _ = flatten(
        [active(Rule(Match(direction="egress"), DROP), Rule(named, DROP))], (ETH0, tunnel), no_parameters, Allocation()
    )
    assert [rule.places for rule in path.rules] == [frozenset({(0, 0)}), frozenset({(1, 0)})]


def test_the_parts_of_a_profile_are_one_rule_with_one_counter() -> None:
    parts = tuple(PlainRule(Rule(Match(direction=way), DELAY), 0, "pump") for way in ("egress", "ingress"))
    whole = InForce(
        NetworkCondition(rules=(Rule(Match(), Condition(profile="3g")), Rule())), {}, NEVER, 1, (*parts, PlainRule(Rule(), 1))
    )
    path, slots = flatten([whole], (ETH0,), no_parameters, Allocation())
    assert [rule.rule_id for rule in path.rules] == [RuleId("default", 0), RuleId("default", 0), RuleId("default", 1)]
    assert [rule.counter for rule in path.rules] == [0, 0, 1]
    assert slots.counters == {RuleId("default", 0): 0, RuleId("default", 1): 1}


def test_a_condition_is_compiled_once_unless_the_directions_differ() -> None:
    compiled: list[str] = []

    def make_line(condition: Condition, direction: PacketDirection, engine: str) -> LineSpec:
        compiled.append(direction)
        return LineSpec(direction.encode())

    path, _ = flatten([active(Rule(Match(), DELAY))], (ETH0, ETH1), make_line, Allocation())
    assert (compiled, len(path.lines)) == (["egress"], 4)
    path, _ = flatten([active(Rule(Match(), replace(DELAY, seed=1)))], (ETH0, ETH1), make_line, Allocation())
    assert compiled == ["egress", "egress", "ingress"]
    assert [line.parameters.decode() for line in path.lines] == [line.direction for line in path.lines]


def test_too_many_lines() -> None:
    rules = [Rule(Match(), DELAY) for _ in range(MAX_LINES // 2 + 1)]
    with pytest.raises(UsageError, match="too-many-lines"):
        flatten([active(*rules)], (ETH0,), no_parameters, Allocation())


def test_the_empty_condition_lets_traffic_be() -> None:
    path, _ = flatten([active(Rule(Match(), Condition()))], (ETH0,), no_parameters, Allocation())
    assert path.rules[0].action is Action.PASS


def test_a_line_of_netem_is_another_line_and_has_no_heart() -> None:
    pumped = active(Rule(Match(direction="egress"), DELAY))
    kernels = active(Rule(Match(direction="egress"), DELAY), engine="netem")
    before, slots = flatten([pumped], (ETH0,), no_parameters, Allocation())
    after, _ = flatten([kernels], (ETH0,), no_parameters, slots)
    assert [line.engine for line in (*before.lines, *after.lines)] == ["pump", "netem"]
    assert before.lines[0].index != after.lines[0].index
    assert [str(path.lines[0].id) for path in (before, after)] == ["default/0/egress/eth0", "default/0/egress/eth0/netem"]
    assert [before.rules[0].heartbeat, after.rules[0].heartbeat] == [True, False]
