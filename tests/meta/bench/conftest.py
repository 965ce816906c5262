"""The bench's own network, and a plan that is quick."""

from collections.abc import Iterator

import pytest

from tools.bench.network import Net, network
from tools.bench.rounds import Plan


@pytest.fixture
def net() -> Iterator[Net]:
    with network() as made:
        yield made


@pytest.fixture
def plan() -> Plan:
    return Plan(1, quick=True)
