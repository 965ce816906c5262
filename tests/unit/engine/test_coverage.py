from __future__ import annotations

import pytest

from netweather.conditions import NetworkCondition, Rule
from netweather.engine.coverage import is_covered
from netweather.journal import Entry, Whose
from netweather.kernel.spec import NEVER, Interface, Observed
from netweather.planning.rules import InForce

WHOSE = Whose("netns:shop", "shop", 4, 4026531833, None, None, "netns")


@pytest.mark.parametrize(
    ("present", "attached", "covered"),
    [
        ({"eth0": 2, "eth1": 3}, {"eth0", "eth1"}, True),
        ({"eth0": 2}, {"eth0"}, False),
        ({"eth0": 2, "eth1": 3}, {"eth0"}, False),
        ({"eth0": 2, "eth1": 4}, {"eth0", "eth1"}, False),
        ({"eth0": 2, "lan0": 3}, {"eth0", "lan0"}, False),
        ({"eth0": 2, "eth1": 3, "eth2": 4}, {"eth0", "eth1"}, False),
    ],
)
def test_what_is_meant_and_nothing_else(present: dict[str, int], attached: set[str], covered: bool) -> None:
    entry = Entry(WHOSE, [InForce(NetworkCondition(rules=(Rule(),)), {}, NEVER, 1)])
    entry.interfaces = (Interface("eth0", 2, 0), Interface("eth1", 3, 1))
    assert is_covered(entry, Observed(interfaces=tuple(present.items()), attached=frozenset(attached))) is covered
