"""tools/bench/connections.py: what listing many connections takes."""

import pytest

from tools.bench.connections import run
from tools.bench.rounds import Plan

pytestmark = [pytest.mark.root, pytest.mark.timeout(120)]


def test_rows(plan: Plan) -> None:
    (one,) = run(plan)
    assert one.name == "200 connections listed"
    assert one.goal
    assert one.figure
    assert one.figure.median > 0
