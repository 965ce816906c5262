from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netweather.conditions import (
    FLAGS,
    FOREVER,
    Condition,
    Connection,
    Delay,
    LossBurst,
    LossEvery,
    LossGemodel,
    LossList,
    LossRandom,
    LossState,
    Match,
    NetworkCondition,
    PortRange,
    RateLimit,
    Reorder,
    Rule,
    Slot,
    load_rule,
    network_condition_from_flags,
    network_condition_to_flags,
    rule_from_flags,
)
from netweather.errors import UsageError
from netweather.units import Duration, MeanLength, Packets, Percent, Rate, Size

BY_NAME = {flag.name: flag for flag in FLAGS}
DESIGNED = (
    {"profile", "delay", "rtt", "jitter", "delay-correlation", "distribution", "keep-order", "loss", "loss-correlation"}
    | {"loss-model", "duplicate", "corrupt", "reorder", "gap", "rate", "overhead", "limit", "slot"}
    | {"ecn", "block", "mtu", "trace", "seed", "to", "port", "protocol", "connection"}
    | {"share", "exclude", "interface", "direction", "for", "name", "engine"}
)


def test_every_designed_flag_is_there_once() -> None:
    assert set(BY_NAME) >= DESIGNED
    assert len(BY_NAME) == len(FLAGS)


def test_flags_say_what_a_command_line_needs() -> None:
    for flag in FLAGS:
        assert re.fullmatch("[a-z][a-z-]*", flag.name)
        assert flag.help, flag
        assert flag.example, flag
        assert (flag.metavar == "") == (flag.kind == "switch"), flag
        assert set(flag.needs) <= set(BY_NAME), flag
    assert BY_NAME["block"].choices == ("drop", "reject")
    assert BY_NAME["direction"].choices == ("egress", "ingress", "both")
    assert BY_NAME["mtu"].minimum == 68
    assert BY_NAME["to"].kind == "list"


@pytest.mark.parametrize("flag", FLAGS, ids=lambda flag: flag.name)
def test_every_example_works(flag: Any) -> None:
    values: dict[str, Any] = {"delay": "100ms"} if flag.name in ("reorder", "gap") else {}
    values[flag.name] = True if flag.kind == "switch" else flag.example
    if flag.name == "ecn":
        values["loss"] = "1%"
    if flag.name == "queue":
        values["rate"] = "1mbit"
    pending = list(flag.needs[:1])
    while pending:
        need = pending.pop()
        values[need] = BY_NAME[need].example
        pending += BY_NAME[need].needs[:1]
    if flag.name == "reorder-correlation":
        values["delay"] = "100ms"
    network_condition_from_flags(values)


MS = 1_000_000


@pytest.mark.parametrize(
    ("flags", "condition"),
    [
        ({}, Condition()),
        ({"delay": "100ms"}, Condition(delay=Delay(Duration(100 * MS)))),
        ({"delay": "0"}, Condition(delay=Delay(Duration(0)))),
        ({"rtt": "200ms", "jitter": "5ms"}, Condition(delay=Delay(Duration(100 * MS), Duration(5 * MS)))),
        (
            {"delay": "1ms", "jitter": "2ms", "delay-correlation": "25%", "distribution": "pareto", "keep-order": True},
            Condition(delay=Delay(Duration(MS), Duration(2 * MS), Percent(25 * 10**7), "pareto", True)),
        ),
        ({"loss": "3%", "loss-correlation": "25%"}, Condition(loss=LossRandom(Percent(3 * 10**7), Percent(25 * 10**7)))),
        ({"loss": "0%"}, Condition(loss=LossRandom(Percent(0)))),
        ({"loss-model": "gemodel:p=1%,r=10%"}, Condition(loss=LossGemodel(Percent(10**7), Percent(10**8)))),
        (
            {"loss-model": "gemodel:p=1%,r=10%,1-h=70%,1-k=1%"},
            Condition(loss=LossGemodel(Percent(10**7), Percent(10**8), Percent(7 * 10**8), Percent(10**7))),
        ),
        ({"loss-model": "state:p13=1%,p31=10%"}, Condition(loss=LossState(Percent(10**7), Percent(10**8)))),
        ({"loss-model": "burst:mean=5,share=2%"}, Condition(loss=LossBurst(MeanLength(5000), Percent(2 * 10**7)))),
        ({"loss-model": "every:10"}, Condition(loss=LossEvery(10))),
        ({"loss-model": "list:3,7,9"}, Condition(loss=LossList((3, 7, 9)))),
        (
            {"delay": "1ms", "reorder": "5%", "gap": "5"},
            Condition(delay=Delay(Duration(MS)), reorder=Reorder(Percent(5 * 10**7), gap=5)),
        ),
        ({"rate": "2mbit", "overhead": "-4"}, Condition(rate=RateLimit(Rate(2_000_000), -4))),
        ({"limit": "1000"}, Condition(limit=Packets(1000))),
        ({"limit": "64kb"}, Condition(limit=Size(64_000))),
        ({"rate": "1mbit", "limit": "500ms"}, Condition(rate=RateLimit(Rate(10**6)), limit=Duration(500 * 10**6))),
        ({"slot": "10ms"}, Condition(slot=Slot(Duration(10 * MS)))),
        (
            {"slot": "min=10ms,max=20ms,packets=5,bytes=1500b"},
            Condition(slot=Slot(Duration(10 * MS), Duration(20 * MS), Packets(5), Size(1500))),
        ),
        ({"block": "reject"}, Condition(block="reject")),
        ({"mtu": "1300", "seed": "7", "ecn": False, "trace": None}, Condition(mtu=1300, seed=7)),
        ({"profile": "3g", "delay": "1s"}, Condition(profile="3g", delay=Delay(Duration(1000 * MS)))),
    ],
)
def test_conditions(flags: dict[str, Any], condition: Condition) -> None:
    assert rule_from_flags(flags) == Rule(condition=condition)


@pytest.mark.parametrize(
    ("flags", "match"),
    [
        ({"to": ["192.0.2.1", "db.example.org"]}, Match(to=("192.0.2.1", "db.example.org"))),
        ({"to": "192.0.2.1,db.example.org"}, Match(to=("192.0.2.1", "db.example.org"))),
        ({"port": ["22", "6000-6010,80"]}, Match(ports=(PortRange(22, 22), PortRange(6000, 6010), PortRange(80, 80)))),
        ({"protocol": "udp", "direction": "egress", "family": "ipv6"}, Match(protocol="udp", direction="egress", family="ipv6")),
        (
            {"connection": "192.0.2.1:40000-192.0.2.2:80"},
            Match(connection=Connection("192.0.2.1", 40000, "192.0.2.2", 80)),
        ),
        ({"share": "10%", "interface": ["eth0", "eth1"]}, Match(share=Percent(10**8), interfaces=("eth0", "eth1"))),
    ],
)
def test_matches(flags: dict[str, Any], match: Match) -> None:
    assert rule_from_flags(flags).match == match


def test_the_whole() -> None:
    values: dict[str, Any] = {
        "delay": "1ms",
        "exclude": ["192.0.2.9", "port=22,protocol=tcp"],
        "name": "slow",
        "for": "forever",
        "engine": "pump",
        "reason": "to see, and learn",
        "priority": "-3",
    }
    assert network_condition_from_flags(values, ("pid:1",), "alice") == NetworkCondition(
        name="slow",
        targets=("pid:1",),
        lease=FOREVER,
        rules=(Rule(condition=Condition(delay=Delay(Duration(MS))), priority=-3),),
        exclude=(Match(to=("192.0.2.9",)), Match(ports=(PortRange(22, 22),), protocol="tcp")),
        owner="alice",
        reason="to see, and learn",
        engine="pump",
    )


@pytest.mark.parametrize(
    ("flags", "code", "says"),
    [
        ({"dealy": "1ms"}, "unknown-flag", "did you mean 'delay'?"),
        ({"delay": "100"}, "bad-duration", "--delay: '100'"),
        ({"loss": "3"}, "bad-percent", "write 3%"),
        ({"loss": "gemodel:p=1%"}, "bad-percent", "--loss"),
        ({"loss-model": "3%"}, "bad-short-form", "write gemodel:p=1%,r=10%"),
        ({"loss-model": "gemodel:p=1%,q=2%"}, "unknown-key", "--loss-model"),
        ({"loss-model": "gemodel:p=x"}, "bad-percent", "--loss-model"),
        ({"loss-model": "gemodel:p=1%,r=x"}, "bad-percent", "--loss-model.r"),
        ({"loss": "1%", "loss-model": "every:3"}, "conflicting-flags", "--loss and --loss-model"),
        ({"delay": "1ms", "rtt": "1ms"}, "conflicting-flags", "--delay and --rtt"),
        ({"rtt": "1ms", "direction": "egress"}, "conflicting-fields", "rtt needs direction both"),
        ({"jitter": "1ms"}, "missing-flag", "--jitter needs --delay or --rtt"),
        ({"delay": "1ms", "distribution": "normal"}, "missing-flag", "--distribution needs --jitter"),
        ({"overhead": "14"}, "missing-flag", "add --rate"),
        ({"reorder": "5%"}, "missing-key", "reorder needs delay"),
        ({"port": "http"}, "bad-port", "--port[0]"),
        ({"protocol": "tpc"}, "unknown-value", "did you mean 'tcp'?"),
        ({"exclude": "prot=tcp"}, "unknown-key", "--exclude"),
        ({"mtu": "10"}, "out-of-range", "68 to 65535"),
        ({"for": "0"}, "bad-lease", "lease"),
        ({"keep-order": "yes", "delay": "1ms"}, "bad-type", "--keep-order"),
        ({"delay": True}, "bad-type", "--delay"),
    ],
)
def test_what_is_wrong_names_the_flag(flags: dict[str, Any], code: str, says: str) -> None:
    with pytest.raises(UsageError) as raised:
        network_condition_from_flags(flags)
    assert raised.value.code == code
    assert says in str(raised.value)
    assert raised.value.remedy


def test_several_rules_do_not_fit_into_flags() -> None:
    with pytest.raises(UsageError, match="2 rules"):
        network_condition_to_flags(NetworkCondition(rules=(Rule(), load_rule({"ports": 22}))))


@given(st.dictionaries(st.sampled_from(sorted(BY_NAME)), st.text(max_size=12) | st.booleans() | st.lists(st.text(max_size=5))))
def test_any_values_are_a_rule_or_a_usage_error(values: dict[str, Any]) -> None:
    try:
        rule = rule_from_flags(values)
    except UsageError:
        return
    assert isinstance(rule, Rule)
