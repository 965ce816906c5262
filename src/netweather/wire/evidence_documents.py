"""Documents of `verify`: what was requested, what the kernel has, what was measured, and the verdict."""

from __future__ import annotations

import math
from typing import Any, Final

from netweather.measure import ConditionEvidence, Figure, Measured, Null, Verdict
from netweather.measure.statistics import CONFIDENCE, Interval
from netweather.wire.schema_types import (
    NUMBER,
    OPEN,
    TEXT,
    WHOLE,
    ListOf,
    Nullable,
    ObjectType,
    Property,
    Scalar,
    choice,
    computed,
    items,
    of,
)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _interval(ends: list[float | None]) -> Interval:
    """None is an end at infinity."""
    low, high = ends
    return Interval(-math.inf if low is None else low, math.inf if high is None else high)


_NUMBER: Final = Scalar({"anyOf": [{"type": "number"}, {"type": "null"}]}, _finite)
"""A number; null for None, and for what JSON has no number for."""
_INTERVAL: Final = Nullable(
    Scalar(
        {"type": "array", "items": {"anyOf": [{"type": "number"}, {"type": "null"}]}, "minItems": 2, "maxItems": 2},
        lambda interval: [_finite(interval.low), _finite(interval.high)],
        _interval,
    )
)
_VERDICT: Final = Scalar(choice(*Verdict).described, str, Verdict)

FIGURE: Final = ObjectType(
    "Figure",
    "One property of the condition, measured in one direction.",
    Figure,
    {
        "field": of("name", TEXT),
        "direction": of("direction", TEXT),
        "unit": of("unit", TEXT, "s, share, bit/s, packets or distance"),
        "asked": of("asked", _NUMBER),
        "seen": of("seen", _NUMBER),
        "interval": of("interval", _INTERVAL, "of what was measured; null: an end at infinity"),
        "samples": of("samples", WHOLE),
        "verdict": of("verdict", _VERDICT),
        "why": of("why", TEXT, "the reason of a verdict other than PASS"),
        "without": of("without", _NUMBER, "the same without the condition"),
        "error": of("error", _NUMBER, "uncertainty of the difference"),
    },
)
_NULL: Final = ObjectType(
    "NullMeasurement",
    "The same path without the condition.",
    Null,
    {
        "direction": of("direction", TEXT),
        "seen": of("seen", _NUMBER, "median delay in seconds"),
        "interval": of("interval", _INTERVAL),
        "samples": of("samples", WHOLE),
        "lost": of("lost", WHOLE),
        "why": of("why", TEXT, "the reason why it could not be measured"),
    },
)
_MEASURED: Final = ObjectType(
    "MeasuredRule",
    "One rule, measured.",
    Measured,
    {
        "rule": of("rule", WHOLE),
        "probe": of("probe", TEXT, "the packets that were sent, in words"),
        "counterMoved": of("packets", WHOLE),
        "verdict": computed(_VERDICT, lambda measured: measured.verdict),
        "fields": of("figures", ListOf(FIGURE)),
        "null": of("null", ListOf(_NULL)),
    },
)


def _requested(plain: dict[str, Any]) -> dict[str, Any]:
    requested = {key: value for key, value in plain.items() if key != "expected"}
    return {"requested": requested, "expected": tuple(plain["expected"])}


def _kernel(plain: dict[str, Any]) -> dict[str, Any]:
    kernel = {key: value for key, value in plain.items() if key not in ("problems", "verdict")}
    return {"kernel": kernel, "problems": tuple(plain["problems"])}


EVIDENCE: Final = ObjectType(
    "Evidence",
    "Whether a condition does on one target what was requested.",
    ConditionEvidence,
    {
        "target": of("target", TEXT),
        "name": of("name", TEXT),
        "requested": Property(
            OPEN,
            lambda evidence: {**evidence.requested, "expected": list(evidence.expected)},
            _requested,
            "the condition, and `expected`: what it does in each direction of each rule",
        ),
        "kernel": Property(
            OPEN,
            lambda evidence: {
                **evidence.kernel,
                "problems": list(evidence.problems),
                "verdict": str(evidence.kernel_verdict),
            },
            _kernel,
            "what was read back from the kernel, with `problems` and a `verdict`",
        ),
        "measured": of("measured", ListOf(_MEASURED)),
        "confidence": computed(NUMBER, lambda evidence: CONFIDENCE),
        "verdict": computed(_VERDICT, lambda evidence: evidence.verdict),
    },
)
EVIDENCE_ITEMS: Final = items(EVIDENCE, "EvidenceItems", "The evidence for each condition.")
