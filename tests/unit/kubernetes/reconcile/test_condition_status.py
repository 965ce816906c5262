from datetime import UTC, datetime, timedelta
from typing import Any

from netweather.errors import UsageError
from netweather.kubernetes.objects.node_objects import NodeReport, Proof, Reports
from netweather.kubernetes.objects.snapshot import Pod
from netweather.kubernetes.reconcile.condition_status import MOST_PODS, status_of
from netweather.kubernetes.reconcile.node_plans import Resolved

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def resolved(count: int = 2, **more: Any) -> Resolved:
    pods = tuple(Pod("shop", f"pod-{n:03}", f"p{n}", "node-1", {}) for n in range(count))
    return Resolved("shop/slow", 3, "c1", pods, started=NOW, ends=NOW + timedelta(minutes=10), **more)


def reports(*in_force: str, **failed: tuple[str, str]) -> Reports:
    return {("c1", 3): NodeReport(dict.fromkeys(in_force, "pump"), failed)}


def proved(**verdicts: str) -> Reports:
    """Of pods on which it is in force: each one's verdict, "" of those that were not measured."""
    proofs = {pod: Proof(verdict, f"evidence of {pod}") for pod, verdict in verdicts.items() if verdict}
    return {("c1", 3): NodeReport(dict.fromkeys(verdicts, "pump"), {}, proofs)}


def states(status: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {each["type"]: (each["status"], each["reason"]) for each in status["conditions"]}


def test_it_counts_pods_and_is_in_force_on_all_or_not() -> None:
    half = status_of(resolved(), reports("p0", "gone"), {}, NOW)
    assert (half["summary"], half["inForce"], states(half)["InForce"]) == ("1/2", 1, ("False", "Pending"))
    assert [each["state"] for each in half["pods"]] == ["Pending", "InForce"]  # what is amiss first
    whole = status_of(resolved(), reports("p0", "p1"), {}, NOW)
    assert states(whole) == {"Resolved": ("True", "Resolved"), "InForce": ("True", "ReadBack"), "Ended": ("False", "LeaseRuns")}
    assert (whole["startedAt"], whole["endsAt"]) == ("2026-01-01T12:00:00Z", "2026-01-01T12:10:00Z")


def test_failures_say_where_and_why() -> None:
    status = status_of(resolved(), reports("p0", p1=("other-owner", "not yours")), {}, NOW)
    assert states(status)["InForce"] == ("False", "OtherOwner")
    assert status["pods"][0] == {
        "name": "pod-001",
        "node": "node-1",
        "state": "Failed",
        "reason": "OtherOwner",
        "message": "not yours",
    }


def test_refusals_say_what_why_and_the_remedy() -> None:
    error = UsageError("too-many-pods", "90 pods are selected", "one may take 50", "select fewer")
    status = status_of(Resolved("shop/slow", 3, error=error), reports(), {}, NOW)
    assert states(status)["Resolved"] == ("False", "TooManyPods")
    assert status["conditions"][0]["message"] == "90 pods are selected; one may take 50; select fewer"
    assert "endsAt" not in status


def test_without_pods_it_waits_and_after_its_lease_it_has_ended() -> None:
    assert states(status_of(resolved(0), reports(), {}, NOW))["Resolved"] == ("False", "NoPods")
    over = status_of(resolved(0, over=True), reports(), {}, NOW)
    assert states(over) == {"Resolved": ("False", "Ended"), "InForce": ("False", "Ended"), "Ended": ("True", "LeaseOver")}


def test_it_is_verified_when_every_pod_was_measured_and_holds() -> None:
    def verified(**verdicts: str) -> tuple[str, str]:
        return states(status_of(resolved(verify=True), proved(**verdicts), {}, NOW))["Verified"]

    assert verified(p0="", p1="") == ("Unknown", "Pending")
    assert verified(p0="PASS", p1="") == ("Unknown", "Pending")
    assert verified(p0="PASS", p1="PASS") == ("True", "Held")
    assert verified(p0="PASS", p1="CAN'T TELL") == ("Unknown", "CantTell")
    assert verified(p0="FAIL", p1="CAN'T TELL") == ("False", "NotHeld")
    assert verified(p0="PASS", p1="PASS", gone="FAIL") == ("True", "Held")
    assert "Verified" not in states(status_of(resolved(), proved(p0="PASS", p1="PASS"), {}, NOW))


def test_evidence_is_told_pod_by_pod_what_is_amiss_first() -> None:
    status = status_of(resolved(verify=True), proved(p0="PASS", p1="FAIL"), {}, NOW)
    assert status["verified"] == 1
    assert [(each["name"], each["verdict"], each["engine"]) for each in status["pods"]] == [
        ("pod-001", "FAIL", "pump"),
        ("pod-000", "PASS", "pump"),
    ]
    (told,) = [each["message"] for each in status["conditions"] if each["type"] == "Verified"]
    assert told == "on 1 of 2 pods, so on pod-001: evidence of p1"


def test_what_was_verified_outlives_the_lease_and_not_a_change() -> None:
    before = status_of(resolved(verify=True), proved(p0="PASS", p1="PASS"), {}, NOW)
    after = status_of(resolved(0, over=True), {}, before, NOW + timedelta(minutes=10))
    assert states(after)["Verified"] == ("True", "Held")
    assert status_of(resolved(0, over=True), {}, after, NOW + timedelta(minutes=11)) == after
    changed = Resolved("shop/slow", 4, "c1", over=True)
    assert "Verified" not in states(status_of(changed, {}, before, NOW + timedelta(minutes=10)))


def test_the_same_state_is_the_same_status_and_a_change_has_its_time() -> None:
    first = status_of(resolved(), reports("p0"), {}, NOW)
    later = NOW + timedelta(seconds=5)
    assert status_of(resolved(), reports("p0"), first, later) == first
    whole = status_of(resolved(), reports("p0", "p1"), first, later)
    times = {each["type"]: each["lastTransitionTime"] for each in whole["conditions"]}
    assert times == {"Resolved": "2026-01-01T12:00:00Z", "InForce": "2026-01-01T12:00:05Z", "Ended": "2026-01-01T12:00:00Z"}


def test_it_stays_small_however_many_pods_there_are() -> None:
    status = status_of(resolved(10_000, warnings=("x" * 9000,) * 50), reports(), {}, NOW)
    assert len(status["pods"]) == MOST_PODS
    assert len(str(status)) < 20_000
