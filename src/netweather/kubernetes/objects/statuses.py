"""The conditions of a status as Kubernetes has them: one form for all our kinds. The same state gives the same status. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from netweather.errors import NetweatherError
from netweather.kubernetes.objects.snapshot import text_of

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


_QUIET: Final = frozenset({"NoPods", "Ended", "NotResolved", "Pending"})
"""Reasons of what is not so yet, or not any more: nothing is wrong."""


@dataclass(frozen=True)
class Transition:
    """What became of an object. reason: one word, as `kubectl get events` lists it; warning: something is wrong."""

    reason: str
    message: str
    warning: bool = False


def transitions(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Transition]:
    """What to tell of two statuses of one object. The same status twice tells nothing."""
    known = {each["type"]: each for each in before.get("conditions") or ()}
    for each in after.get("conditions") or ():
        old = known.get(each["type"], {})
        if (each["status"], each["reason"]) != (old.get("status"), old.get("reason")):
            yield from _told(each["type"], each["status"], each["reason"], each["message"])


def _told(kind: str, state: str, reason: str, message: str) -> Iterator[Transition]:
    if kind in ("InForce", "Ended", "Verified") and state == "True":
        yield Transition(kind, message)
    elif kind == "Verified" and reason in ("NotHeld", "CantTell"):
        yield Transition("NotVerified" if reason == "NotHeld" else reason, message, warning=True)
    elif kind in ("Resolved", "Accepted", "InForce") and state == "False" and reason not in _QUIET:
        yield Transition("Failed" if kind == "InForce" else "Refused", f"{reason}: {message}", warning=True)
