"""tools/bench/plugin.py: what a mark costs a test."""

import pytest

from tools.bench.plugin import run
from tools.bench.rounds import Plan

pytestmark = [pytest.mark.root, pytest.mark.timeout(240)]


def test_rows(plan: Plan) -> None:
    (one,) = run(plan)
    assert one.name == "a marked test beyond a plain one"
    assert one.goal
    assert one.figure
    assert one.figure.median > 0
