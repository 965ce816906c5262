from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given

from netweather.conditions import (
    Condition,
    Delay,
    Match,
    NetworkCondition,
    Rule,
    load_condition,
    load_rule,
    validate,
    validate_condition,
    validate_rule,
)
from netweather.conditions.match import PortRange
from netweather.conditions.validation import check_types
from netweather.errors import UsageError
from netweather.units import Duration
from tests.unit.conditions import strategies


@given(strategies.network_conditions)
def test_what_makes_sense_passes_unchanged(condition: NetworkCondition) -> None:
    assert validate(condition) is condition


@pytest.mark.parametrize(
    "data",
    [
        {"delay": 0},
        {"delay": {"time": 0, "jitter": 0, "correlation": "0%"}},
        {"delay": {"time": "1ms", "jitter": "5ms"}},
        {"loss": "0%"},
        {"loss": "100%"},
        {"rate": 0},
        {"limit": 0},
        {"duplicate": "0%", "corrupt": "0%"},
        {"delay": 0, "reorder": "0%"},
        {"slot": 0},
        {"seed": 0},
        {"loss": "gemodel:p=0%,r=0%"},
        {"loss": "gemodel:p=100%,r=100%,1-h=0%"},
        {"loss": "burst:mean=1,share=50%"},
        {"loss": "state:p13=0%"},
        {"rate": "1mbit", "queue": "codel"},
        {"profile": "3g", "reorder": "5%", "ecn": True, "queue": "ecn"},
        {"profile": "satellite/reversed"},
    ],
)
def test_zero_is_a_value_and_edges_pass(data: dict[str, Any]) -> None:
    condition = load_condition(data)
    assert validate_condition(condition) is condition


@pytest.mark.parametrize(
    ("data", "code", "says"),
    [
        ({"block": "drop", "delay": "1ms"}, "conflicting-fields", "block and delay"),
        ({"block": "drop", "profile": "3g"}, "conflicting-fields", "block and profile"),
        ({"trace": "./x", "rate": "1mbit"}, "conflicting-fields", "trace and rate"),
        ({"reorder": "5%"}, "missing-key", "reorder needs delay"),
        ({"ecn": True}, "missing-key", "ecn needs loss"),
        ({"queue": "codel"}, "missing-key", "queue needs rate"),
        ({"delay": {"time": "1ms", "keepOrder": True}, "reorder": "5%"}, "conflicting-fields", "keepOrder and reorder"),
        ({"slot": "20ms,10ms"}, "conflicting-fields", "the maximum 10ms is below the minimum 20ms"),
        ({"loss": "gemodel:p=1%,r=1%,1-h=1%,1-k=2%"}, "bad-loss-model", "swap"),
        ({"loss": "state:p13=60%,p14=50%"}, "bad-loss-model", "p13 and p14"),
        ({"loss": "state:p13=1%,p31=60%,p32=50%"}, "bad-loss-model", "p31 and p32"),
        ({"loss": "burst:mean=1,share=50.1%"}, "bad-loss-model", "share"),
        ({"loss": "list:3,3"}, "bad-loss-model", "rising"),
        ({"loss": {"model": "list", "indices": []}}, "bad-loss-model", "rising"),
        ({"loss": "every:0"}, "out-of-range", "condition.loss.n: 0"),
        ({"loss": "list:0"}, "out-of-range", "condition.loss.indices"),
        ({"delay": {"time": "1ms", "jitter": "1ms", "distribution": "norml"}}, "unknown-distribution", "'normal'"),
        ({"mtu": 67}, "out-of-range", "68 to 65535"),
        ({"seed": -1}, "out-of-range", "seed"),
        ({"seed": 2**64}, "out-of-range", "seed"),
        ({"delay": "1ms", "reorder": {"gap": 0}}, "out-of-range", "gap"),
        ({"rate": {"bitrate": "1mbit", "overhead": 99999}}, "out-of-range", "overhead"),
    ],
)
def test_conditions_that_make_no_sense(data: dict[str, Any], code: str, says: str) -> None:
    with pytest.raises(UsageError) as raised:
        validate_condition(load_condition(data))
    assert raised.value.code == code
    assert says in str(raised.value)
    assert raised.value.remedy


@pytest.mark.parametrize(
    ("data", "code", "says"),
    [
        ({"ports": 22, "protocol": "icmp"}, "conflicting-fields", "icmp has no ports"),
        ({"ports": 22, "protocol": 47}, "conflicting-fields", "47 has no ports"),
        ({"protocol": 256}, "out-of-range", "protocol"),
        ({"protocol": "udp", "tcpFlags": "syn"}, "conflicting-fields", "only TCP"),
        ({"vlan": 4095}, "out-of-range", "0 to 4094"),
        ({"interfaces": ["lo"]}, "bad-interface", "loopback"),
        ({"interfaces": ["../../etc"]}, "bad-interface", "1 to 15 characters"),
        ({"interfaces": ["a" * 16]}, "bad-interface", "1 to 15 characters"),
        ({"to": ["198.51.100.7/24"]}, "bad-peer", "write 198.51.100.0/24"),
        ({"to": ["192.0.2.300"]}, "bad-peer", "not an address"),
        ({"to": ["2001:db8::/129"]}, "bad-peer", "not an address"),
        ({"to": [""]}, "bad-peer", "not a peer"),
        ({"to": ["a b"]}, "bad-peer", "not a peer"),
        ({"to": ["a\x1b[31m"]}, "bad-peer", "not a peer"),
        ({"to": ["192.0.2.1"], "family": "ipv6"}, "conflicting-fields", "family ipv6"),
        ({"connection": "192.0.2.1:1-192.0.2.2:2", "family": "ipv6"}, "conflicting-fields", "is not ipv6"),
        ({"connection": "192.0.2.1:1-192.0.2.2:2", "ports": 2}, "conflicting-fields", "connection and ports"),
        ({"connection": "192.0.2.1:1-192.0.2.2:2", "to": "192.0.2.2"}, "conflicting-fields", "connection and to"),
        ({"connection": "192.0.2.1:1-192.0.2.2:2", "share": "1%"}, "conflicting-fields", "connection and share"),
        ({"connection": "192.0.2.1:1-192.0.2.2:2", "protocol": "icmp"}, "conflicting-fields", "icmp has no ports"),
        ({"family": "ipv6", "condition": {"mtu": 1279}}, "out-of-range", "too small for IPv6"),
        ({"condition": {"mtu": 10}}, "out-of-range", "rule.condition.mtu"),
    ],
)
def test_rules_that_make_no_sense(data: dict[str, Any], code: str, says: str) -> None:
    with pytest.raises(UsageError) as raised:
        validate_rule(load_rule(data))
    assert raised.value.code == code
    assert says in str(raised.value)
    assert raised.value.remedy


def test_peers_of_several_families_may_stand_beside_a_family() -> None:
    validate_rule(load_rule({"to": ["192.0.2.1", "2001:db8::1"], "family": "ipv6"}))
    validate_rule(load_rule({"to": ["192.0.2.1", "db.example.org"], "family": "ipv6"}))


@pytest.mark.parametrize(
    ("changed", "code", "says"),
    [
        ({"name": "Slow"}, "bad-name", "small letters"),
        ({"name": "a" * 64}, "bad-name", "1 to 63"),
        ({"name": "../x"}, "bad-name", "small letters"),
        ({"lease": Duration(0)}, "bad-lease", "forever"),
        ({"targets": ("pid:1", "pid:1")}, "repeated-target", "appears twice"),
        ({"targets": ("",)}, "bad-text", "targets"),
        ({"owner": "a\nb"}, "bad-text", "owner"),
        ({"reason": "\x1b[2J"}, "bad-text", "reason"),
        ({"reason": "x" * 1001}, "bad-text", "reason"),
        ({"rules": (Rule(), Rule())}, "repeated-match", "rules[1] would never apply"),
        ({"exclude": (load_rule({"to": "a b"}).match,)}, "bad-peer", "exclude[0].to"),
        ({"engine": "tc"}, "bad-type", "engine"),
    ],
)
def test_network_conditions_that_make_no_sense(changed: dict[str, Any], code: str, says: str) -> None:
    with pytest.raises(UsageError) as raised:
        validate(dataclasses.replace(NetworkCondition(), **changed))
    assert raised.value.code == code
    assert says in str(raised.value)


def test_a_thousand_rules_and_no_more() -> None:
    rules = tuple(Rule(Match(ports=(PortRange(port, port),))) for port in range(1001))
    validate(NetworkCondition(rules=rules[:1000]))
    with pytest.raises(UsageError, match="1001") as raised:
        validate(NetworkCondition(rules=rules))
    assert raised.value.code == "too-many-rules"


@pytest.mark.parametrize(
    "condition",
    [
        Condition(delay="100ms"),  # type: ignore[arg-type]
        Condition(delay=Delay("100ms")),  # type: ignore[arg-type]
        Condition(delay=Delay(Duration(1), distribution=None)),  # type: ignore[arg-type]
        Condition(ecn=1),  # type: ignore[arg-type]
        Condition(mtu=1300.0),  # type: ignore[arg-type]
        Condition(mtu=True),
        Condition(block="deny"),  # type: ignore[arg-type]
    ],
)
def test_objects_of_the_wrong_type_are_told(condition: Condition) -> None:
    with pytest.raises(UsageError) as raised:
        check_types(condition, "condition")
    assert raised.value.code == "bad-type"


def test_a_list_where_a_tuple_belongs_is_told() -> None:
    with pytest.raises(UsageError, match="ports"):
        check_types(Match(ports=[]), "match")  # type: ignore[arg-type]
