"""tools/bench/latency.py: what a line adds to a packet's time, and what it loses."""

import pytest

from tools.bench.latency import RATES, run
from tools.bench.rounds import Plan

pytestmark = [pytest.mark.root, pytest.mark.timeout(180)]


def test_rows(plan: Plan) -> None:
    rows = {one.name: one for one in run(plan)}
    assert len(rows) == 1 + 2 + 4 + 2 * len(RATES)
    changed = rows["RTT, after a live change to 10 ms each way"]
    assert changed.figure
    assert changed.figure.low >= 20  # and as late as this machine is
    ping = rows["ping through a 0 ms line, median RTT"]
    assert ping.ratio
    assert ping.ratio.median > 1
    late = rows["50 ms asked at ingress, how late: median"]
    assert late.figure
    assert -100 < late.figure.median < 50_000  # µs
    assert str(rows["unwanted drops at 10,000/s"].goal) == "≤ 0"
