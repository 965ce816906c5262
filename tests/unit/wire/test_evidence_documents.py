"""Evidence as a document and back."""

from __future__ import annotations

import json
import math

import jsonschema
import pytest

from netweather.measure import ConditionEvidence, Figure, Measured, Null, Verdict
from netweather.measure.statistics import Interval
from netweather.wire.evidence_documents import EVIDENCE

FIGURES = (
    Figure("delay", "egress", "s", 0.1, 0.1001, Interval(0.0999, 0.1002), Verdict.PASS, 100, without=0.001, error=0.002),
    Figure("loss", "egress", "share", None, None, Interval(-math.inf, math.inf), Verdict.CANT_TELL, 0, "too few"),
)
MEASURED = Measured(
    0, "UDP", FIGURES, 12, null=(Null("egress", 0.1, Interval(0, 0.2), 200, 4), Null("egress", None, None, why="no route"))
)
FOUND = ConditionEvidence("netns:a", "slow", {"kind": "NetworkCondition"}, ({"rule": 0},), {"inForce": True}, (), (MEASURED,))


def test_evidence_and_back() -> None:
    plain = json.loads(json.dumps(EVIDENCE.write(FOUND), allow_nan=False))
    assert EVIDENCE.read(plain) == FOUND
    assert (plain["verdict"], plain["kernel"]["verdict"], plain["confidence"]) == ("CAN'T TELL", "PASS", 0.999)
    assert plain["requested"] == {"kind": "NetworkCondition", "expected": [{"rule": 0}]}


@pytest.mark.parametrize("number", [math.inf, math.nan])
def test_what_is_no_number_is_null(number: float) -> None:
    figure = Figure("loss", "egress", "share", number, None, None, Verdict.CANT_TELL)
    plain = EVIDENCE.write(ConditionEvidence("a", "b", {}, (), {}, (), (Measured(0, "UDP", (figure,)),)))
    assert plain["measured"][0]["fields"][0]["asked"] is None


def test_the_schema_allows_it() -> None:
    components: dict[str, object] = {}
    schema = {**EVIDENCE.schema(components), "components": {"schemas": components}}
    jsonschema.validate(EVIDENCE.write(FOUND), schema)
