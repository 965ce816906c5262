"""tools/bench/scope.py: a report of many containers, over a real socket."""

from __future__ import annotations

from tools.bench.rounds import Plan
from tools.bench.scope import run


def test_a_report(plan: Plan) -> None:
    (one,) = run(plan)
    assert (one.name, str(one.goal)) == ("report of 50 containers", "≤ 100")
    assert one.figure
    assert one.figure.median > 0
    assert one.beside == "json.dumps of the same"
    assert one.note.endswith("MB")
