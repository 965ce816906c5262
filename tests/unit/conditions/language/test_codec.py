from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netweather.conditions import FOREVER, Condition, Delay, LossRandom, Match, NetworkCondition, PortRange, Reorder, Rule
from netweather.conditions.language.codec import read, write
from netweather.conditions.model import Lease
from netweather.errors import UsageError
from netweather.units import Duration, Limit, Packets, Percent, Size

MS = 1_000_000
trees: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["1%", "10ms", "1mbit", "tcp", "normal"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "rules",
                    "to",
                    "ports",
                    "protocol",
                    "condition",
                    "delay",
                    "loss",
                    "rate",
                    "time",
                    "jitter",
                    "model",
                    "percent",
                    "p",
                    "r",
                    "exclude",
                    "lease",
                    "rtt",
                    "slot",
                    "n",
                ]
            )
            | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def attempt(hint: Any, data: Any) -> tuple[Any, UsageError | None]:
    try:
        return read(hint, data, "here"), None
    except UsageError as error:
        return None, error


@given(trees)
def test_any_data_is_read_or_is_a_usage_error(data: Any) -> None:
    for hint in (NetworkCondition, Rule, Condition, Match):
        value, problem = attempt(hint, data)
        if problem is None:
            assert read(hint, write(value), "here") == value
        else:
            assert problem.code
            assert len(problem.what) < 400


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ({"delay": "100ms"}, {"delay": {"time": "100ms"}}),
        ({"delay": 0}, {"delay": {"time": "0s"}}),
        ({"delay": "100ms,20ms"}, {"delay": {"time": "100ms", "jitter": "20ms"}}),
        ({"rtt": "200ms"}, {"delay": {"time": "100ms"}}),
        ({"rtt": {"time": "200ms", "jitter": "5ms"}}, {"delay": {"time": "100ms", "jitter": "5ms"}}),
        ({"loss": "1%"}, {"loss": {"model": "random", "percent": "1%"}}),
        ({"loss": {"percent": "1%"}}, {"loss": {"model": "random", "percent": "1%"}}),
        ({"loss": "every:10"}, {"loss": {"model": "every", "n": 10}}),
        ({"rate": "10mbit"}, {"rate": {"bitrate": "10mbit"}}),
        ({"duplicate": "1%"}, {"duplicate": {"percent": "1%"}}),
        ({"reorder": {"gap": 5}}, {"reorder": {"percent": "100%", "gap": 5}}),
        ({"slot": "10ms"}, {"slot": {"minimum": "10ms"}}),
        ({"limit": 1000}, {"limit": 1000}),
        ({"limit": "64kb"}, {"limit": "64kb"}),
        ({"seed": "7"}, {"seed": 7}),
        ({"profile": 3}, {"profile": "3"}),
        ({"ecn": False}, {}),
        ({"delay": None}, {}),
        ({"keep_order": True, "time": "1ms"}, None),
    ],
)
def test_short_and_long_forms_of_conditions(short: dict[str, Any], long: dict[str, Any] | None) -> None:
    if long is None:
        assert read(Delay, short, "here") == Delay(Duration(MS), keep_order=True)
    else:
        assert write(read(Condition, short, "here")) == long


def test_lists_may_be_one_thing() -> None:
    assert read(Match, {"ports": 22, "to": "192.0.2.1"}, "") == Match(to=("192.0.2.1",), ports=(PortRange(22, 22),))
    assert read(Match, {"ports": "22,80"}, "").ports == (PortRange(22, 22), PortRange(80, 80))


def test_objects_pass() -> None:
    rule = read(Rule, {"condition": {"delay": Duration(5), "loss": LossRandom(Percent(1))}}, "")
    assert rule.condition == Condition(delay=Delay(Duration(5)), loss=LossRandom(Percent(1)))


def test_leases_and_limits() -> None:
    assert read(Lease, "forever", "") is FOREVER
    assert read(Lease, "10m", "") == Duration.parse("10m")
    assert read(Limit, 5, "") == Packets(5)
    assert read(Limit, "1kib", "") == Size(1024)


@pytest.mark.parametrize(
    ("hint", "data", "code", "says"),
    [
        (Condition, {"delay": {"time": "1ms", "jiter": "1ms"}}, "unknown-key", "did you mean 'jitter'?"),
        (Condition, {"delay": {"jitter": "1ms"}}, "missing-key", "here.delay: time is missing"),
        (Condition, {"delay": {"time": "1ms", "correlation": "5%"}}, "missing-key", "correlation needs jitter"),
        (Condition, {"delay": {"time": "1ms", "distribution": "normal"}}, "missing-key", "distribution needs jitter"),
        (Condition, {"delay": 100}, "bad-duration", "here.delay.time: '100' is not a duration"),
        (Condition, {"delay": True}, "bad-type", "it is true or false, and must be a mapping or its time"),
        (Condition, {"delay": ["1ms"]}, "bad-type", "it is a list"),
        (Condition, {"loss": 1}, "bad-percent", "write 1%"),
        (Condition, {"loss": {"model": "gilbert"}}, "unknown-loss-model", "gilbert"),
        (Condition, {"loss": {"model": "every", "percent": "1%"}}, "unknown-key", "percent"),
        (Condition, {"loss": {"model": []}}, "unknown-loss-model", "[]"),
        (Condition, {"loss": []}, "bad-type", "a percentage or a loss model"),
        (Condition, {"ecn": "on"}, "bad-type", "true or false"),
        (Condition, {"ecn": 1}, "bad-type", "true or false"),
        (Condition, {"block": "deny"}, "unknown-value", "drop, reject"),
        (Condition, {"limit": True}, "bad-type", "packets, a size or a time"),
        (Condition, {"limit": "many"}, "bad-packets", "here.limit"),
        (Condition, {"mtu": "big"}, "bad-type", "a whole number"),
        (Condition, {"rtt": "1ms", "delay": "1ms"}, "conflicting-fields", "both rtt and delay"),
        (Condition, {"rtt": "fast"}, "bad-duration", "here.rtt.time"),
        (Rule, {"direction": "egress", "condition": {"rtt": "1ms"}}, "conflicting-fields", "rtt needs direction both"),
        (Rule, {"condition": {}, "prot": "tcp"}, "unknown-key", "did you mean 'protocol'?"),
        (Match, {"protocol": "tpc"}, "unknown-value", "did you mean 'tcp'?"),
        (Match, {"ports": None}, "bad-type", "must be a list"),
        (Match, {"ports": [True]}, "bad-type", "here.ports[0]"),
        (Match, {"tcpFlags": "syn", "tcp_flags": "ack"}, "duplicate-key", "tcpFlags is given twice"),
        (Match, [], "bad-type", "it is a list, and must be a mapping"),
        (Reorder, {"gap": 1.5}, "bad-type", "the number 1.5"),
        (Delay, None, "bad-type", "it is empty"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(hint: type, data: Any, code: str, says: str) -> None:
    with pytest.raises(UsageError) as raised:
        read(hint, data, "here")
    assert raised.value.code == code
    assert says in str(raised.value)
    assert raised.value.remedy


def test_a_type_without_a_codec_is_our_fault() -> None:
    with pytest.raises(TypeError, match="no codec"):
        read(complex, 1, "")
    with pytest.raises(TypeError, match="no codec"):
        read(bytes | float, 1, "")


def test_names_of_protocols_may_be_in_capitals_or_numbers() -> None:
    assert read(Match, {"protocol": "TCP"}, "").protocol == "tcp"
    assert read(Match, {"protocol": "6"}, "").protocol == "tcp"
    assert read(Match, {"protocol": 47}, "").protocol == 47
