"""Verdicts and the plain form of evidence."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from netweather.measure import ConditionEvidence, Figure, Measured, Verdict, in_words, value_words, worst
from netweather.measure.statistics import Interval

GOOD = Figure("loss", "egress", "share", 0.1, 0.1, Interval(0.08, 0.12), Verdict.PASS, 100)
OPEN = Figure("delay", "egress", "s", 0.1, None, Interval(-math.inf, math.inf), Verdict.CANT_TELL, 0, "nothing arrived")
BAD = Figure("rate", "egress", "bit/s", 1e6, 2e6, Interval(1.9e6, 2.1e6), Verdict.FAIL, 50, "it is more")


def evidence(*figures: Figure, problems: tuple[str, ...] = ()) -> ConditionEvidence:
    return ConditionEvidence(
        "netns:a", "default", {"spec": {}}, (), {"inForce": True}, problems, (Measured(0, "400 packets", figures, 400),)
    )


def test_exit_codes() -> None:
    assert [verdict.exit_code for verdict in (Verdict.PASS, Verdict.FAIL, Verdict.CANT_TELL)] == [0, 1, 3]


def test_one_failure_fails_the_whole_and_one_doubt_leaves_it_open() -> None:
    assert worst([]) is Verdict.CANT_TELL
    assert evidence(GOOD).verdict is Verdict.PASS
    assert evidence(GOOD, OPEN).verdict is Verdict.CANT_TELL
    assert evidence(GOOD, OPEN, BAD).verdict is Verdict.FAIL
    assert evidence().verdict is Verdict.CANT_TELL


def test_what_the_kernel_does_not_hold_is_a_failure_whatever_was_seen() -> None:
    found = evidence(GOOD, problems=("the pump is not running",))
    assert found.verdict is Verdict.FAIL
    assert found.kernel_verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [(0.1, "s", "100 ms"), (0.05, "share", "5 %"), (2e6, "bit/s", "2 Mbit/s"), (64e3, "bit/s", "64 kbit/s"), (1.5, "packets", "1.5"),
     (None, "s", "")],
)  # fmt: skip
def test_values_in_words(value: float | None, unit: str, words: str) -> None:
    assert value_words(value, unit) == words


def test_evidence_in_a_line_begins_with_what_is_wrong() -> None:
    nothing = replace(GOOD, name="duplicate", asked=0.0, seen=0.0)
    assert in_words(evidence(GOOD, OPEN, nothing, BAD, problems=("its program is gone",))) == (
        "its program is gone; rate egress: 2 Mbit/s seen, 1 Mbit/s asked (it is more); delay egress: CAN'T TELL: nothing arrived; "
        "loss egress: 10 % seen, 10 % asked; 400 packets matched its rules"
    )
