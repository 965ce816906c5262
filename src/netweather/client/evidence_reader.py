"""Documents of the API become the evidence of `verify`. Pure."""

from __future__ import annotations

import math
from typing import Any

from netweather.measure import Evidence, Figure, Measured, Null, Verdict
from netweather.measure.statistics import Interval


def evidence(document: dict[str, Any]) -> Evidence:
    """Evidence without the series that plots need."""
    requested = {key: value for key, value in document["requested"].items() if key != "expected"}
    kernel = {key: value for key, value in document["kernel"].items() if key not in ("problems", "verdict")}
    measured = tuple(
        Measured(
            each["rule"],
            each["probe"],
            tuple(map(_figure, each["fields"])),
            each["counterMoved"],
            null=tuple(map(_null, each.get("null", ()))),
        )
        for each in document["measured"]
    )
    expected, problems = tuple(document["requested"]["expected"]), tuple(document["kernel"]["problems"])
    return Evidence(document["target"], document["name"], requested, expected, kernel, problems, measured)


def _null(item: dict[str, Any]) -> Null:
    return Null(item["direction"], item["seen"], _interval(item["interval"]), item["samples"], item["lost"], item["why"])


def _interval(between: list[float | None] | None) -> Interval | None:
    """None within is an end that is nowhere."""
    if between is None:
        return None
    low, high = between
    return Interval(-math.inf if low is None else low, math.inf if high is None else high)


def _figure(field: dict[str, Any]) -> Figure:
    return Figure(
        field["field"],
        field["direction"],
        field["unit"],
        field["asked"],
        field["seen"],
        _interval(field["interval"]),
        Verdict(field["verdict"]),
        field["samples"],
        field["why"],
        field.get("without"),
        field.get("error"),
    )
