"""What of a status' change is worth telling as a Kubernetes event: that a condition of it came true, or failed. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

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
