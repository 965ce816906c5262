"""Shares of connections, with a fan and a counter that are made up."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from netweather.kernel.traffic.probe_packets import UDP, Flow
from netweather.measure.probe_flow import ENOUGH, Shared, fans_for


class Fan:
    """Flows of which those of some ports are meant; other traffic may move the counter too."""

    flow = Flow(UDP, "192.0.2.1", "192.0.2.2", 0, 7)

    def __init__(self, meant: set[int], others: int = 0) -> None:
        self.meant, self.others, self.counter = meant, others, 0
        self.ports = tuple(range(1000, 1400))

    def send(self, ports: Iterable[int], way: str) -> None:
        self.counter += sum(port in self.meant for port in ports) + self.others


@pytest.mark.parametrize("meant", [{1000}, {1399}, {1003, 1250, 1251}, set(range(1000, 1400))])
def test_the_share_and_one_that_is_meant(meant: set[int]) -> None:
    fan, shared = Fan(meant), Shared()
    shared.add(fan, "egress", lambda: fan.counter)
    assert (shared.flows, shared.met) == (400, len(meant))
    assert shared.flow is not None
    assert shared.flow.local_port in meant
    assert shared.flow.remote_port == 7


def test_none_is_meant() -> None:
    fan, shared = Fan(set()), Shared()
    shared.add(fan, "egress", lambda: fan.counter)
    assert (shared.met, shared.flow) == (0, None)


def test_a_counter_that_others_move_names_no_flow() -> None:
    fan, shared = Fan(set(), others=3), Shared()
    shared.add(fan, "egress", lambda: fan.counter)
    assert shared.flow is None


def test_how_many_are_enough() -> None:
    fan, shared = Fan(set(range(1000, 1000 + ENOUGH))), Shared()
    assert not shared.enough()
    shared.add(fan, "egress", lambda: fan.counter)
    assert shared.enough()
    assert fans_for(0.5) == 1
    assert fans_for(0.05) == 3
    assert fans_for(0.001) == fans_for(0.999) == fans_for(0.0) == 5
