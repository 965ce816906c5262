"""Measuring: what a condition lets one expect, what was seen, and the verdict. Pure; not here: sockets (kernel.traffic.probe_packets)."""

from netweather.measure.evidence import (
    ConditionEvidence,
    Figure,
    Measured,
    Null,
    Verdict,
    in_words,
    open_questions,
    value_words,
    worst,
)
from netweather.measure.expectation import Expected, expect
from netweather.measure.judging import judge_rtt, judge_stream

__all__ = [
    "ConditionEvidence", "Expected", "Figure", "Measured", "Null", "Verdict", "expect", "in_words", "judge_rtt", "judge_stream",
    "open_questions", "value_words", "worst",
]  # fmt: skip
