"""Evidence as a document and back."""

from __future__ import annotations

from netweather.client.evidence_reader import evidence
from netweather.measure import Evidence, Figure, Measured, Verdict
from netweather.measure.statistics import Interval


def test_evidence_and_back() -> None:
    figures = (
        Figure("delay", "egress", "s", 0.1, 0.1001, Interval(0.0999, 0.1002), Verdict.PASS, 100),
        Figure("loss", "egress", "share", None, None, None, Verdict.CANT_TELL, 0, "too few"),
    )
    asked = {"kind": "NetworkCondition", "spec": {}}
    found = Evidence("netns:a", "slow", asked, ({"rule": 0},), {"inForce": True}, (), (Measured(0, "UDP", figures, 12),))
    assert evidence(found.plain()).plain() == found.plain()
    assert evidence(found.plain()).verdict == found.verdict
