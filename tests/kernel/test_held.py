"""Packets that a line holds when its condition changes or ends: they delay nothing that comes later."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from netweather.conditions import Condition, LossRandom, RateLimit
from netweather.units import Packets, Percent, Rate
from tests.support.rig import Rig, delay, rule
from tests.support.traffic import Echo, round_trip, udp_client

V4 = "192.0.2.2"
ECHO, SINK = 7, 9


def rate(text: str) -> Condition:
    return Condition(rate=RateLimit(Rate.parse(text)), limit=Packets(200))


@dataclass(frozen=True)
class Change:
    """before holds `packets` of 1,000 bytes for longer than `seconds`; what is sent after the change comes back well within them."""

    before: Condition
    packets: int
    after: Condition
    seconds: float


CHANGES = {
    "a long delay becomes short": Change(Condition(delay=delay(600_000)), 5, Condition(delay=delay(10)), 60),
    "a slow rate becomes fast": Change(rate("9600bit"), 120, rate("100mbit"), 60),
    "a slow rate becomes a delay": Change(rate("9600bit"), 120, Condition(delay=delay(10)), 60),
    "jitter of minutes becomes none": Change(
        Condition(delay=delay(300_000, jitter=delay(290_000).time)), 20, Condition(delay=delay(10)), 30
    ),
    "one profile becomes another": Change(Condition(profile="gprs", limit=Packets(200)), 180, Condition(profile="lte"), 30),
    "a delay becomes nothing but a loss": Change(
        Condition(delay=delay(600_000)), 5, Condition(loss=LossRandom(Percent.parse("0.0001%"))), 60
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_held_delays_nothing_after_a_change(rig: Rig, name: str) -> None:
    change = CHANGES[name]
    with Echo(rig.net.server, [ECHO]), udp_client(rig.net.client, V4, SINK) as bulk, udp_client(rig.net.client, V4, ECHO) as ping:
        rig.set(rule(change.before))
        for _ in range(change.packets):
            bulk.send(bytes(1000))
        rig.set(rule(change.after))
        assert round_trip(ping, change.seconds) < change.seconds / 2
