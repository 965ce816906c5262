"""The conditions of a status as Kubernetes has them: one form for all our kinds. The same state gives the same status. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from netweather.errors import NetweatherError
from netweather.kubernetes.snapshot import text_of

LONGEST_MESSAGE: Final = 1000
Told = tuple[str, str, str]
"""(status, reason, message)."""


def condition_of_status(kind: str, told: Told, previous: Mapping[str, Any], generation: int, now: datetime) -> dict[str, Any]:
    """previous: the status that the object has; the time of the last transition goes on where nothing changed."""
    state, reason, message = told
    before: Mapping[str, Any] = next((each for each in previous.get("conditions") or () if each["type"] == kind), {})
    return {
        "type": kind,
        "status": state,
        "reason": reason,
        "message": message[:LONGEST_MESSAGE],
        "lastTransitionTime": before["lastTransitionTime"] if before.get("status") == state else text_of(now),
        "observedGeneration": generation,
    }


def states_of(found: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The status' conditions of an object by their type, as far as they are of the spec as it is now."""
    status = found.get("status") or {}
    if status.get("observedGeneration") != found["metadata"].get("generation", 1):
        return {}
    return {each["type"]: each for each in status.get("conditions") or ()}


def refusal(error: NetweatherError) -> tuple[str, str]:
    """Reason and message of an error."""
    return reason_of(error.code), "; ".join(part for part in (error.what, error.why, error.remedy) if part)


def reason_of(code: str) -> str:
    """'too-many-pods' as 'TooManyPods', as Kubernetes' reasons are."""
    return "".join(part.capitalize() for part in code.split("-"))
