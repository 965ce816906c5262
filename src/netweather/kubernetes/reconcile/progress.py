"""The status of a NetworkTest: how far it is, cell by cell, and its conditions as Kubernetes has them.

Complete is True at the end whatever came of it, so that who waits for it always comes back; Failed says whether anything is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from netweather.errors import NetweatherError
from netweather.kubernetes.objects.networktest import NetworkTest, report_name
from netweather.kubernetes.objects.statuses import LONGEST_MESSAGE, Told, condition_of_status, refusal
from netweather.kubernetes.reconcile.cells import FINAL, CellStatus

MOST_SHORTCOMINGS: Final = 20
_FACTS: Final = ("startedAt", "endedAt", "tests", "failed")


def status_of(
    test: NetworkTest,
    cells: Sequence[CellStatus],
    results: Mapping[str, Mapping[str, Any]],
    verdict: tuple[str, Sequence[str]] | None,
    previous: Mapping[str, Any],
    now: datetime,
) -> dict[str, Any]:
    """verdict: how it ended (AllIsWell, Shortcomings, CantTell) and why; None while it has not. previous: the status that it has."""
    ended = sum(cell.state in FINAL for cell in cells)
    status: dict[str, Any] = {
        "observedGeneration": test.generation,
        "summary": f"{ended}/{len(cells)}",
        "cells": [_cell(test, cell, results.get(cell.network, {})) for cell in cells],
    }
    result, why = verdict or ("", ())
    if result:
        status["report"] = f"configmap/{report_name(test.name)}"
        status["shortcomings"] = [each[:LONGEST_MESSAGE] for each in why[:MOST_SHORTCOMINGS]]
    wrong = "; ".join(why) if result else ""
    told: Mapping[str, Told] = {
        "Complete": ("True" if result else "False", result or "Running", wrong),
        "Failed": (str(result not in ("", "AllIsWell")), result or "Running", wrong),
    }
    return {**status, "conditions": _conditions(told, test.generation, previous, now)}


def refused(generation: int, error: NetweatherError, previous: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Of one that is never run: why, and that nothing more will come."""
    told: Told = ("True", "Refused", refusal(error)[1])
    return {
        "observedGeneration": generation,
        "conditions": _conditions({"Complete": told, "Failed": told}, generation, previous, now),
    }


def is_complete(status: Mapping[str, Any]) -> bool:
    """Whether it is over, whatever came of it."""
    return any(each["type"] == "Complete" and each["status"] == "True" for each in status.get("conditions") or ())


def _cell(test: NetworkTest, cell: CellStatus, result: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"network": cell.network, "state": cell.state, "job": test.object_name(cell.network)}
    if any(network.name == cell.network and network.spec for network in test.networks):
        found["condition"] = test.object_name(cell.network)
    if cell.message:
        found["message"] = cell.message[:LONGEST_MESSAGE]
    return found | {key: result[key] for key in _FACTS if result.get(key) not in (None, "")}


def _conditions(told: Mapping[str, Told], generation: int, previous: Mapping[str, Any], now: datetime) -> list[dict[str, Any]]:
    return [condition_of_status(kind, each, previous, generation, now) for kind, each in told.items()]
