"""What an agent sets, changes and clears costs nobody else a packet, however often."""

from __future__ import annotations

from pathlib import Path

import pytest

from netweather.conditions import NetworkCondition
from netweather.units import Duration
from tests.kernel.agent.conftest import real_agent
from tests.kernel.test_bystander import CHANGES, SERVER, expect_none_lost, pinging
from tests.support import dumps
from tests.support.machine import SLOW
from tests.support.netns import lab
from tests.support.traffic import Echo, talking, tcp_client

BETWEEN_CLEARS = 50


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("changes", [60, pytest.param(1000, marks=pytest.mark.full)])
def test_a_bystander_loses_nothing_and_connections_survive(tmp_path: Path, changes: int) -> None:
    with lab(bystander=True) as net, real_agent(tmp_path / "state") as agent, Echo(net.server, [7]):
        assert net.bystander
        before, target = dumps.settled(net.client), f"netns:{net.client.name}"
        with (
            tcp_client(net.client, SERVER, 7, timeout=30 * SLOW) as connection,
            talking(connection, 0.02) as talk,
            pinging(net.bystander, str(net.client.v4)) as inward,
            pinging(net.client, str(net.bystander.v6)) as outward,
            agent.client() as client,
        ):
            for number in range(1, changes + 1):
                rules = tuple(CHANGES[number // 5 % len(CHANGES)](number))
                client.set([NetworkCondition("storm", targets=(target,), rules=rules, lease=Duration(600 * 10**9))])  # type: ignore[arg-type]  # rules
                if number % BETWEEN_CLEARS == 0 or number == changes:
                    assert client.clear([target])[0].names == ("storm",)
        print(f"{changes} changes: {inward}, {outward}, {talk.messages} messages of the connection")
        assert talk.error is None
        assert talk.messages > changes / 2
        for pings in (inward, outward):
            assert pings.sent > 10 * changes
            expect_none_lost(pings)
        agent.gone()
        dumps.assert_same(before, net.client)
