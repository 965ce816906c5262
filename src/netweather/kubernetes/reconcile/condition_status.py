"""The status of a NetworkCondition or NetworkScenario: what became of it, pod by pod as far as there is room.

Level-triggered: the same state gives the same status, times of transition and all, so that nothing is written twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from netweather.kubernetes.objects.node_objects import NodeReport, Reports
from netweather.kubernetes.objects.snapshot import Pod, text_of
from netweather.kubernetes.objects.statuses import LONGEST_MESSAGE, Told, condition_of_status, reason_of, refusal
from netweather.kubernetes.reconcile.node_plans import Resolved

MOST_PODS: Final = 20
MOST_WARNINGS: Final = 10
HELD, BROKEN = "PASS", "FAIL"


def status_of(resolved: Resolved, reports: Reports, previous: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """previous: the status that the object has, whose times go on where nothing changed."""
    report = _of_living(resolved, reports.get((resolved.uid, resolved.generation), NodeReport()))
    status: dict[str, Any] = {
        "observedGeneration": resolved.generation,
        "selected": len(resolved.pods),
        "inForce": len(report.in_force),
        "failed": len(report.failed),
        "summary": f"{len(report.in_force)}/{len(resolved.pods)}",
        "pods": [_pod(pod, report) for pod in _troubled_first(resolved, report)[:MOST_PODS]],
        "warnings": [warning[:LONGEST_MESSAGE] for warning in resolved.warnings[:MOST_WARNINGS]],
        "conditions": _conditions(resolved, report, previous, now),
    }
    if resolved.round:
        status |= {"step": resolved.step, "round": resolved.round}
    if resolved.verify:
        status["verified"] = sum(proof.verdict == HELD for proof in report.proofs.values())
    if resolved.started is not None:
        status["startedAt"] = text_of(resolved.started)
    if resolved.ends is not None:
        status["endsAt"] = text_of(resolved.ends)
    return status


def _of_living(resolved: Resolved, report: NodeReport) -> NodeReport:
    """What was said of pods that are there; of "" it was said of them all."""
    living = {pod.uid for pod in resolved.pods}
    return NodeReport(
        {uid: engine for uid, engine in report.in_force.items() if uid in living},
        {uid: why for uid, why in report.failed.items() if uid in living or not uid},
        {uid: proof for uid, proof in report.proofs.items() if uid in living and resolved.verify},
    )


def _troubled_first(resolved: Resolved, report: NodeReport) -> list[Pod]:
    good = {uid for uid in report.in_force if uid not in report.proofs or report.proofs[uid].verdict == HELD}
    return sorted(resolved.pods, key=lambda pod: (pod.uid in good, pod.key))


def _pod(pod: Pod, report: NodeReport) -> dict[str, str]:
    found = {"name": pod.name, "node": pod.node}
    if pod.uid in report.failed:
        code, message = report.failed[pod.uid]
        return {**found, "state": "Failed", "reason": reason_of(code), "message": message}
    if pod.uid not in report.in_force:
        return {**found, "state": "Pending"}
    found |= {"state": "InForce", **({"engine": engine} if (engine := report.in_force[pod.uid]) else {})}
    if pod.uid in report.proofs:
        found |= {"verdict": report.proofs[pod.uid].verdict, "evidence": report.proofs[pod.uid].evidence}
    return found


def _conditions(resolved: Resolved, report: NodeReport, previous: Mapping[str, Any], now: datetime) -> list[dict[str, Any]]:
    known = {each["type"]: each for each in previous.get("conditions") or ()}
    told = {"Resolved": _resolved(resolved), "InForce": _in_force(resolved, report), "Ended": _ended(resolved)}
    if resolved.verify:
        told["Verified"] = _verified(resolved, report)
    found = [condition_of_status(kind, each, previous, resolved.generation, now) for kind, each in told.items()]
    if resolved.over and known.get("Verified", {}).get("observedGeneration") == resolved.generation:
        found.append(known["Verified"])  # what was found outlives the lease
    return found


def _resolved(resolved: Resolved) -> Told:
    error = resolved.error
    if error is not None:
        return "False", *refusal(error)
    if resolved.over:
        return "False", "Ended", "its lease has ended: apply a changed spec to set it again"
    if not resolved.pods:
        return "False", "NoPods", "no pod fits its targets now; new pods get it"
    return "True", "Resolved", "; ".join(resolved.warnings)


def _in_force(resolved: Resolved, report: NodeReport) -> Told:
    count = len(resolved.pods)
    if resolved.error is not None or resolved.over or not count:
        return "False", "NotResolved" if not resolved.over else "Ended", ""
    if report.failed:
        code, message = report.failed[min(report.failed)]
        return "False", reason_of(code), f"on {len(report.failed)} of {count} pods: {message}"
    if len(report.in_force) < count:
        return "False", "Pending", f"in force on {len(report.in_force)} of {count} pods"
    return "True", "ReadBack", f"the kernel was read back on {count} pods"


def _verified(resolved: Resolved, report: NodeReport) -> Told:
    """True: measured on every pod, and it holds. False: on one it doesn't. Unknown: yet to come, or nobody can tell."""
    names = {pod.uid: pod.name for pod in resolved.pods}
    wrong = sorted(uid for uid, proof in report.proofs.items() if proof.verdict == BROKEN)
    untold = sorted(uid for uid, proof in report.proofs.items() if proof.verdict not in (HELD, BROKEN))
    for state, reason, uids in (("False", "NotHeld", wrong), ("Unknown", "CantTell", untold)):
        if uids:
            evidence = report.proofs[uids[0]].evidence
            return state, reason, f"on {len(uids)} of {len(names)} pods, so on {names[uids[0]]}: {evidence}"
    if not names or len(report.proofs) < len(names):
        return "Unknown", "Pending", f"measured on {len(report.proofs)} of {len(names)} pods"
    first = min(names, key=lambda uid: names[uid])
    return "True", "Held", f"measured on {len(names)} pods; on {names[first]}: {report.proofs[first].evidence}"


def _ended(resolved: Resolved) -> Told:
    return ("True", "LeaseOver", "") if resolved.over else ("False", "LeaseRuns" if resolved.started else "NotStarted", "")
