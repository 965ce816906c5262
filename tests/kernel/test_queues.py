"""How much a queue holds, seen on the wire: a burst into a slow link, of which so many arrive as fit."""

from __future__ import annotations

import pytest

from netweather.conditions import Condition, RateLimit
from netweather.units import Duration, Limit, Packets, Rate, Size
from tests.support.machine import SLOW
from tests.support.probe import udp_socket
from tests.support.rig import Rig, rule
from tests.support.traffic import udp_client

V4, SINK = "192.0.2.2", 9
FRAME = 1514
BURST = 60


@pytest.mark.parametrize(
    ("rate", "limit", "held"),
    [
        ("400kbit", None, 10**5 // 2 // FRAME),  # a second
        ("48kbit", None, 10),  # and 10 packets at least
        ("400kbit", Duration(500 * 10**6), 10**5 // 4 // FRAME),
        ("400kbit", Packets(0), 0),
        ("400kbit", Size(0), 0),
    ],
)
def test_a_burst_fills_the_queue(rig: Rig, rate: str, limit: Limit | None, held: int) -> None:
    """One packet more may be under way already, and netem rounds up."""
    with udp_socket(rig.net.server, 4, port=SINK) as sink, udp_client(rig.net.client, V4, SINK) as bulk:
        rig.set(rule(Condition(rate=RateLimit(Rate.parse(rate)), limit=limit), direction="egress"))
        for _ in range(BURST):
            bulk.send(bytes(FRAME - 14 - 28))
        sink.settimeout(5 * SLOW)
        arrived = 0
        try:
            while sink.recv(2000):
                arrived += 1
        except TimeoutError:
            pass
    assert held <= arrived <= held + 3 * bool(held)
    assert rig.shown().queue_drops == BURST - arrived
