from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netweather.conditions import Connection, Match, PortRange, TcpFlags
from netweather.errors import UsageError
from tests.unit.conditions import strategies


@pytest.mark.parametrize(("text", "first", "last"), [("5432", 5432, 5432), ("6000-6010", 6000, 6010), ("0-65535", 0, 65535)])
def test_ports(text: str, first: int, last: int) -> None:
    assert PortRange.parse(text) == PortRange(first, last)
    assert str(PortRange.parse(text)) == text


@pytest.mark.parametrize("text", ["", "http", "-1", "65536", "10:20", "10-", "6010-6000", "1.5", "٣", "999999999999"])
def test_no_ports(text: str) -> None:
    with pytest.raises(UsageError) as raised:
        PortRange.parse(text)
    assert raised.value.code == "bad-port"
    assert raised.value.remedy


def test_a_swapped_range_is_offered_the_right_way_round() -> None:
    with pytest.raises(UsageError) as raised:
        PortRange.parse("6010-6000")
    assert raised.value.remedy == "write 6000-6010"


@pytest.mark.parametrize(
    "text",
    ["192.0.2.1:40000-192.0.2.2:80", "[2001:db8::1]:40000-[2001:db8::2]:80"],
)
def test_connections(text: str) -> None:
    assert str(Connection.parse(text)) == text
    assert Connection.parse(text).family == ("ipv6" if "[" in text else "ipv4")


def test_a_connection_is_stored_in_one_spelling() -> None:
    assert Connection.parse("[2001:DB8:0::1]:1-[2001:db8::2]:2") == Connection("2001:db8::1", 1, "2001:db8::2", 2)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "192.0.2.1-192.0.2.2",
        "192.0.2.1:1",
        "192.0.2.300:1-192.0.2.2:2",
        "192.0.2.1:1-[2001:db8::2]:2",
        "a:1-b:2",
        "192.0.2.1:70000-192.0.2.2:1",
        "2001:db8::1:1-2001:db8::2:2",
        "[2001:db8:::1]:1-[2001:db8::2]:2",
    ],
)
def test_no_connections(text: str) -> None:
    with pytest.raises(UsageError) as raised:
        Connection.parse(text)
    assert raised.value.code == "bad-connection"


@pytest.mark.parametrize(("text", "mask", "value"), [("syn", 2, 2), ("syn+!ack", 18, 2), ("!syn+!rst", 6, 0)])
def test_tcp_flags(text: str, mask: int, value: int) -> None:
    assert TcpFlags.parse(text) == TcpFlags(mask, value)
    assert str(TcpFlags(mask, value)) == text


@pytest.mark.parametrize("text", ["", "sin", "syn+syn", "syn,ack", "!!syn"])
def test_no_tcp_flags(text: str) -> None:
    with pytest.raises(UsageError) as raised:
        TcpFlags.parse(text)
    assert raised.value.code == "bad-tcp-flags"


def test_flags_outside_their_mask_are_refused() -> None:
    with pytest.raises(UsageError, match="not TCP flags"):
        TcpFlags(2, 16)
    with pytest.raises(UsageError, match="not TCP flags"):
        TcpFlags(0, 0)


@given(strategies.connections, strategies.tcp_flags, strategies.ports)
def test_values_parse_back(connection: Connection, flags: TcpFlags, ports: PortRange) -> None:
    assert Connection.parse(str(connection)) == connection
    assert TcpFlags.parse(str(flags)) == flags
    assert PortRange.parse(str(ports)) == ports


@given(st.text(max_size=40))
def test_any_text_is_a_value_or_a_usage_error(text: str) -> None:
    for cls in (Connection, TcpFlags, PortRange):
        with contextlib.suppress(UsageError):
            assert cls.parse(str(cls.parse(text))) == cls.parse(text)


def test_protocol_numbers_with_a_name_are_stored_by_it() -> None:
    assert Match(protocol=6) == Match(protocol="tcp")
    assert Match(protocol=47).protocol == 47
