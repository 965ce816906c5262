"""tools/bench/unmatched.py: traffic that no rule means, and our own time."""

import pytest

from tools.bench.rounds import Plan
from tools.bench.unmatched import run

pytestmark = [pytest.mark.root, pytest.mark.timeout(180)]


def test_rows(plan: Plan) -> None:
    tcp, udp, spent, idle = run(plan)
    assert str(tcp.goal) == str(udp.goal) == "× ≥ 0.99"
    assert spent.figure
    assert 20 < spent.figure.median < 5000  # ns
    assert spent.ratio
    assert spent.ratio.median < 0.5
    assert idle.figure
    assert idle.figure.median < 50  # % of a CPU
