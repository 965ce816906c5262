"""tools/bench/agent.py: what the agent costs."""

import pytest

from tools.bench.agent import run
from tools.bench.rounds import Plan

pytestmark = [pytest.mark.root, pytest.mark.timeout(240)]


def test_rows(plan: Plan) -> None:
    rows = list(run(plan))
    assert [one.name for one in rows] == [
        "first set on a target",
        "change of a live condition: median",
        "change of a live condition: 99 %",
        "`netweather set`: CPU time of the command",
        "`netweather show`: CPU time of the command",
        "`netweather clear`: CPU time of the command",
        "memory at rest",
        "at rest",
        "set 4 targets at once",
        "clear 4 targets at once",
        "restart with 4 conditions",
    ]
    assert all(one.goal and one.figure for one in rows)
    assert all(
        one.figure.median > 0 for one in rows if one.figure and one.name not in ("at rest", "change of a live condition: median")
    )
