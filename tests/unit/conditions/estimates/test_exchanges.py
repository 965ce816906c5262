"""The arithmetic of exchanges; whether it is right, tests/kernel/test_explain.py shows with ping and TCP."""

from __future__ import annotations

import math
from typing import Any

import pytest

from netweather.conditions import load_condition
from netweather.conditions.estimates.effects import MSS, effects_of
from netweather.conditions.estimates.exchanges import Exchange, Link, download, transfer, upload


def over(base: float = 0.0, **short: Any) -> Exchange:
    """The same in both directions."""
    effects = effects_of(load_condition(short))
    return Exchange.over(effects, effects, base)


def test_a_packet_waits_for_those_before_it_and_takes_its_own_time() -> None:
    link = Link(effects_of(load_condition({"rate": "8kbit"})), delay=1.0)
    assert [link.carry(0, 100), link.carry(0, 300), link.carry(5, 100)] == pytest.approx([1.1, 1.4, 6.1])


@pytest.mark.parametrize(
    ("short", "ping", "connect", "first_byte"),
    [
        ({}, 0.0, 0.0, 0.0),
        ({"delay": "50ms"}, 0.1, 0.1, 0.2),
        ({"rate": "9600bit"}, 2 * 98 / 1200, 2 * 74 / 1200, (2 * 74 + 66 + 166 + 66 + 1514) / 1200),
        ({"rate": {"bitrate": "9600bit", "overhead": 40}}, 276 / 1200, 228 / 1200, (228 + 106 + 206 + 106 + 1554) / 1200),
        ({"rate": {"bitrate": "9600bit", "overhead": -14}}, 168 / 1200, 120 / 1200, (120 + 52 + 152 + 52 + 1500) / 1200),
        ({"rate": "9600bit", "delay": "1s"}, 2 + 196 / 1200, 2 + 148 / 1200, 4 + (2 * 74 + 66 + 166 + 66 + 1514) / 1200),
    ],
)
def test_an_exchange_is_the_sum_of_its_packets(short: dict[str, Any], ping: float, connect: float, first_byte: float) -> None:
    connected = over(**short)
    assert (over(**short).ping(), connected.connect()) == pytest.approx((ping, connect))
    assert connected.first_byte() == pytest.approx(first_byte)


def test_tls_takes_more_packets() -> None:
    http, tls13, tls12 = (over(rate="9600bit") for _ in range(3))
    for each in (http, tls13, tls12):
        each.connect()
    tls13.tls13()
    tls12.tls12()
    found = [http.first_byte(), tls13.first_byte(), tls12.first_byte(), over(rate="9600bit").quic()]
    assert found[0] + 4000 / 1200 < found[1] < found[2]
    assert over(0.1).quic() == pytest.approx(0.2)


def test_a_transfer_fills_the_link_or_waits_for_its_window() -> None:
    effects, free = effects_of(load_condition({"rate": "1mbit"})), effects_of(load_condition({}))
    slow = transfer(Link(effects, 0.0), Link(free, 0.0), 0.0, 100 * MSS)
    assert slow == pytest.approx(100 * 1514 * 8 / 1e6)
    windows = transfer(Link(free, 0.5), Link(free, 0.5), 0.0, (10 + 20 + 40) * MSS)
    assert windows == pytest.approx(2.5), "ten segments, 20, and 40, a second apart"


def test_directions_count_for_themselves() -> None:
    slow, quick = effects_of(load_condition({"rate": "100kbit"})), effects_of(load_condition({}))
    assert download(quick, slow, 0.0) > 8 > 1 > download(slow, quick, 0.0)
    assert upload(slow, quick, 0.0) > 8 > 1 > upload(quick, slow, 0.0)


def test_a_packet_that_is_too_large_never_arrives() -> None:
    """A path MTU black hole: the connect succeeds, and a full segment is lost each time that it is sent."""
    assert over(mtu=1300).connect() == 0
    exchange = over(mtu=1300)
    exchange.connect()
    assert exchange.first_byte() == math.inf
    assert over(mtu=1500).first_byte() == 0
    assert over(mtu=80).ping() == math.inf
    hole, whole = effects_of(load_condition({"mtu": 1300})), effects_of(load_condition({}))
    assert download(whole, hole, 0.0) == upload(hole, whole, 0.0) == math.inf
    assert download(hole, whole, 0.0) < 1


def test_a_packet_that_comes_alone_waits_for_a_slot() -> None:
    assert over(slot="100ms").ping() == pytest.approx(0.2)
    assert over(slot={"minimum": "10ms", "maximum": "30ms"}, delay="5ms").ping() == pytest.approx(0.05)
