"""Documents and back."""

from __future__ import annotations

from netweather.client import response_reader
from netweather.measure import Evidence, Figure, Measured, Verdict
from netweather.measure.statistics import Interval


def test_evidence_and_back() -> None:
    figures = (
        Figure("delay", "egress", "s", 0.1, 0.1001, Interval(0.0999, 0.1002), Verdict.PASS, 100),
        Figure("loss", "egress", "share", None, None, None, Verdict.CANT_TELL, 0, "too few"),
    )
    asked = {"kind": "NetworkCondition", "spec": {}}
    found = Evidence("netns:a", "slow", asked, ({"rule": 0},), {"inForce": True}, (), (Measured(0, "UDP", figures, 12),))
    assert response_reader.evidence(found.plain()).plain() == found.plain()
    assert response_reader.evidence(found.plain()).verdict == found.verdict


def test_what_could_not_be_cleared() -> None:
    answer = response_reader.cleared(
        {"target": "netns:a", "cleared": [], "problem": {"code": "busy", "title": "t", "detail": "d", "remedy": "r"}}
    )
    assert answer.problem is not None
    assert str(answer.problem).startswith("t [busy]")
