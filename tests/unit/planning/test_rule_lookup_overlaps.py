from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

from netweather.kernel.datapath.spec import Action, Datapath, FlatRule
from netweather.planning.rule_lookup import can_meet, overlaps

RULE = FlatRule(Action.DROP, 0, 0, frozenset({(0, 0)}))


def test_rules_of_two_conditions_for_the_same_traffic_are_told_once() -> None:
    path = Datapath(rules=(RULE, replace(RULE, lease=1), replace(RULE, lease=1, counter=2)))
    assert overlaps(path, {"a": 0, "b": 1}) == ["'a' comes before 'b' for the traffic that both match"]


def test_rules_of_one_condition_are_its_own_affair() -> None:
    assert overlaps(Datapath(rules=(RULE, replace(RULE, counter=1))), {"a": 0}) == []


def test_what_differs_in_one_dimension_never_meets() -> None:
    here, there = ip_network("192.0.2.0/24"), ip_network("198.51.100.0/24")
    assert not can_meet(replace(RULE, peers=(here,)), replace(RULE, peers=(there,)))
    assert not can_meet(replace(RULE, ports=((1, 10),)), replace(RULE, ports=((11, 20),)))
    assert not can_meet(replace(RULE, protocols=frozenset({6})), replace(RULE, protocols=frozenset({17})))
    assert not can_meet(replace(RULE, family=4), replace(RULE, family=6))
    assert not can_meet(RULE, replace(RULE, places=frozenset({(0, 1)})))
    assert can_meet(replace(RULE, peers=(here,)), replace(RULE, ports=((1, 10),)))
