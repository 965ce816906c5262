from __future__ import annotations

from netweather.conditions import NetworkCondition, Rule
from netweather.results import ConditionStatus, RuleCounters, TargetRef


def shown(*rules: RuleCounters) -> ConditionStatus:
    target = TargetRef("netns:a", "a", 1, 2, None, None, "netns")
    return ConditionStatus(
        target, NetworkCondition("slow", rules=(Rule(),) * len(rules)), None, True, (), (), {}, rules, 0, "pump"
    )


def test_a_condition_has_the_sums_of_its_rules_and_what_one_does_not_tell_is_unknown() -> None:
    one = RuleCounters(10, 100, 9, 1, 2, 3, 0, 3, 4, 5, 6, 7)
    found = shown(one, one)
    assert found.causes == {"blocked": 2, "loss": 4, "trace": 6, "mtu": 0, "queue": 6}
    assert found.effects == {"marked": 8, "duplicated": 10, "corrupted": 12, "reordered": 14}
    assert shown(one, RuleCounters(10, 100, 9, 1, None)).causes["loss"] is None
    assert shown().causes == {}
