from __future__ import annotations

import pytest

from netweather.conditions import (
    Condition,
    Match,
    NetworkCondition,
    Rule,
    builtin_profiles,
    directions,
    expand,
    expand_rule,
    find_profile,
    load_condition,
    load_profiles,
    load_rule,
    rule_from_flags,
)
from netweather.conditions.declare import declared_fields
from netweather.errors import UsageError

WANTED = {
    "gprs",
    "edge",
    "3g",
    "3g-lossy",
    "4g",
    "5g",
    "dsl",
    "cable",
    "home-wifi",
    "lossy-wifi",
    "airplane",
    "geo-satellite",
} | {
    "leo-satellite",
    "transatlantic",
    "intercontinental",
    "congested",
    "flapping",
    "blackhole",
    "perfect",
}


def test_those_that_were_promised() -> None:
    assert set(builtin_profiles()) >= WANTED


@pytest.mark.parametrize("name", sorted(builtin_profiles()))
def test_each_is_complete_and_can_be_set(name: str) -> None:
    profile = builtin_profiles()[name]
    assert profile.name == name
    assert profile.title
    assert profile.source
    expanded = expand(NetworkCondition(rules=(load_rule({"condition": {"profile": name}}),)))
    assert all(rule.condition.profile is None for rule in expanded.rules)
    assert len(expanded.rules) == (1 if profile.up == profile.down else 2)


def test_figures_of_a_published_one() -> None:
    profile = find_profile("3g")
    assert profile.down == load_condition({"delay": "150ms", "rate": "1.6mbit"})
    assert profile.up == load_condition({"delay": "150ms", "rate": "768kbit"})


def test_names_and_aliases_are_told_apart() -> None:
    names = list(builtin_profiles()) + [alias for profile in builtin_profiles().values() for alias in profile.aliases]
    assert len(names) == len(set(names))
    assert find_profile("satellite") is find_profile("geo-satellite")


def test_an_unknown_one() -> None:
    with pytest.raises(UsageError) as raised:
        find_profile("satelite")
    assert raised.value.code == "unknown-profile"
    assert raised.value.remedy == "did you mean 'satellite'?"


def test_the_far_end() -> None:
    near, far = find_profile("3g"), find_profile("3g/reversed")
    assert (far.up, far.down) == (near.down, near.up)


def test_directions_become_rules() -> None:
    rule = load_rule({"ports": 443, "priority": 5, "condition": {"profile": "3g"}})
    egress, ingress = expand_rule(rule)
    assert (egress.match.direction, ingress.match.direction) == ("egress", "ingress")
    assert egress.condition == find_profile("3g").up
    assert ingress.condition == find_profile("3g").down
    assert egress.priority == ingress.priority == 5
    assert egress.match.ports == ingress.match.ports == rule.match.ports


def test_one_direction_is_one_rule() -> None:
    (only,) = expand_rule(load_rule({"direction": "ingress", "condition": {"profile": "3g"}}))
    assert only.condition == find_profile("3g").down
    assert only.match.direction == "ingress"


def test_a_rule_without_a_profile_stays() -> None:
    rule = rule_from_flags({"delay": "1ms"})
    assert expand_rule(rule) == (rule,)
    assert directions(rule) == (rule.condition, rule.condition)


def test_what_is_given_wins() -> None:
    up, down = directions(rule_from_flags({"profile": "3g", "loss": "1%", "delay": "1s"}))
    assert up is not None
    assert down is not None
    assert up.rate == find_profile("3g").up.rate
    assert up.loss == down.loss == load_condition({"loss": "1%"}).loss
    assert up.delay == load_condition({"delay": "1s"}).delay


def test_a_trace_takes_the_place_of_a_rate() -> None:
    up, _ = directions(rule_from_flags({"profile": "3g", "trace": "./x"}))
    assert up is not None
    assert up.rate is None
    assert up.trace == "./x"


def test_a_condition_opens_a_blackhole() -> None:
    up, _ = directions(rule_from_flags({"profile": "blackhole", "delay": "1ms"}))
    assert up == load_condition({"delay": "1ms"})


def test_what_no_longer_makes_sense_is_refused() -> None:
    rule = rule_from_flags({"profile": "dsl", "ecn": True})
    with pytest.raises(UsageError, match="ecn needs loss"):
        expand(NetworkCondition(rules=(rule,)))


OWN = """
office:
  title: the office
  source: measured in May
  aliases: [work]
  both: {rtt: 20ms, loss: 0.1%}
  down: {rate: 50mbit}
  up: {rate: 10mbit, delay: 15ms}
3g: {both: {delay: 1ms}}
"""


def test_a_users_own() -> None:
    own = load_profiles(OWN)
    office = find_profile("work", own)
    assert office.title == "the office"
    assert office.down == load_condition({"delay": "10ms", "loss": "0.1%", "rate": "50mbit"})
    assert office.up == load_condition({"delay": "15ms", "loss": "0.1%", "rate": "10mbit"})
    assert find_profile("3g", own).up == load_condition({"delay": "1ms"}), "the user's own come first"
    (rule,) = expand_rule(rule_from_flags({"profile": "3g"}), own)
    assert rule.condition == load_condition({"delay": "1ms"})


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("[]", "bad-type", "names to profiles"),
        ("x: 5", "bad-type", "x: it is"),
        ("x: {downn: {}}", "unknown-key", "did you mean 'down'?"),
        ("x: {title: t}", "missing-key", "add both, down or up"),
        ("x: {both: {loss: 3}}", "bad-percent", "x.up"),
        ("x: {down: {dealy: 3ms}}", "unknown-key", "x.down"),
        ("x: {down: 5}", "bad-type", "x.down"),
        ("x: {both: {profile: 3g}}", "unknown-key", "another profile"),
        ("x: {both: {block: drop, delay: 1ms}}", "conflicting-fields", "x.up"),
        ("x: {both: {}, aliases: y}", "bad-type", "x.aliases"),
    ],
)
def test_wrong_ones(text: str, code: str, says: str) -> None:
    with pytest.raises(UsageError) as raised:
        load_profiles(text)
    assert raised.value.code == code
    assert says in str(raised.value)


def test_perfect_is_no_condition() -> None:
    assert find_profile("perfect").up == Condition()


def test_the_rules_of_a_profile_have_all_else_of_the_rule() -> None:
    asked = Rule(Match(to=("192.0.2.1",)), Condition(profile="3g"), priority=7)
    ways = expand_rule(asked)
    assert [each.match.direction for each in ways] == ["egress", "ingress"]
    for field in declared_fields(Rule):
        kept = {getattr(each, field.attribute) for each in ways} == {getattr(asked, field.attribute)}
        assert kept or field.attribute in ("match", "condition"), field.attribute
