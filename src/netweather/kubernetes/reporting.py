"""The status of a NetworkCondition: what became of it, pod by pod as far as there is room, and its conditions as Kubernetes has them.

Level-triggered: the same state gives the same status, times of transition and all, so that nothing is written twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from netweather.kubernetes.nodes import Reports
from netweather.kubernetes.resolving import Resolved
from netweather.kubernetes.snapshot import Pod, text_of

MOST_PODS: Final = 20
MOST_WARNINGS: Final = 10
_LONGEST_MESSAGE: Final = 1000


def status_of(resolved: Resolved, reports: Reports, previous: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """previous: the status that the object has, whose times go on where nothing changed."""
    key = (resolved.uid, resolved.generation)
    living = {pod.uid for pod in resolved.pods}
    holding = reports.in_force.get(key, frozenset()) & living
    failed = {uid: why for uid, why in reports.failed.get(key, {}).items() if uid in living or not uid}
    status: dict[str, Any] = {
        "observedGeneration": resolved.generation,
        "selected": len(resolved.pods),
        "inForce": len(holding),
        "failed": len(failed),
        "summary": f"{len(holding)}/{len(resolved.pods)}",
        "pods": [_pod(pod, holding, failed) for pod in _troubled_first(resolved, holding)[:MOST_PODS]],
        "warnings": [warning[:_LONGEST_MESSAGE] for warning in resolved.warnings[:MOST_WARNINGS]],
        "conditions": _conditions(resolved, holding, failed, previous, now),
    }
    if resolved.started is not None:
        status["startedAt"] = text_of(resolved.started)
    if resolved.ends is not None:
        status["endsAt"] = text_of(resolved.ends)
    return status


def _troubled_first(resolved: Resolved, holding: frozenset[str]) -> list[Pod]:
    return sorted(resolved.pods, key=lambda pod: (pod.uid in holding, pod.key))


def _pod(pod: Pod, holding: frozenset[str], failed: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    found = {"name": pod.name, "node": pod.node}
    if pod.uid in failed:
        return {**found, "state": "Failed", "reason": _reason(failed[pod.uid][0]), "message": failed[pod.uid][1]}
    return {**found, "state": "InForce" if pod.uid in holding else "Pending"}


def _conditions(
    resolved: Resolved,
    holding: frozenset[str],
    failed: Mapping[str, tuple[str, str]],
    previous: Mapping[str, Any],
    now: datetime,
) -> list[dict[str, Any]]:
    known = {each["type"]: each for each in previous.get("conditions") or ()}
    found = []
    for kind, (state, reason, message) in (
        ("Resolved", _resolved(resolved)),
        ("InForce", _in_force(resolved, holding, failed)),
        ("Ended", _ended(resolved)),
    ):
        before = known.get(kind, {})
        since = before["lastTransitionTime"] if before.get("status") == state else text_of(now)
        found.append(
            {
                "type": kind,
                "status": state,
                "reason": reason,
                "message": message[:_LONGEST_MESSAGE],
                "lastTransitionTime": since,
                "observedGeneration": resolved.generation,
            }
        )
    return found


def _resolved(resolved: Resolved) -> tuple[str, str, str]:
    error = resolved.error
    if error is not None:
        return "False", _reason(error.code), "; ".join(part for part in (error.what, error.why, error.remedy) if part)
    if resolved.over:
        return "False", "Ended", "its lease is over: apply a changed spec to have it again"
    if not resolved.pods:
        return "False", "NoPods", "no pod fits its targets now; whoever comes gets it"
    return "True", "Resolved", "; ".join(resolved.warnings)


def _in_force(resolved: Resolved, holding: frozenset[str], failed: Mapping[str, tuple[str, str]]) -> tuple[str, str, str]:
    count = len(resolved.pods)
    if resolved.error is not None or resolved.over or not count:
        return "False", "NotResolved" if not resolved.over else "Ended", ""
    if failed:
        code, message = failed[min(failed)]
        return "False", _reason(code), f"on {len(failed)} of {count} pods: {message}"
    if len(holding) < count:
        return "False", "Pending", f"in force on {len(holding)} of {count} pods"
    return "True", "ReadBack", f"the kernel was read back on {count} pods"


def _ended(resolved: Resolved) -> tuple[str, str, str]:
    return ("True", "LeaseOver", "") if resolved.over else ("False", "LeaseRuns" if resolved.started else "NotStarted", "")


def _reason(code: str) -> str:
    """'too-many-pods' as 'TooManyPods', as Kubernetes' reasons are."""
    return "".join(part.capitalize() for part in code.split("-"))
