from datetime import UTC, datetime
from typing import Any

import pytest

from netweather.kubernetes.objects.condition_reader import read_condition
from netweather.kubernetes.objects.networktest import read_test
from netweather.kubernetes.reconcile import jobs
from tests.support.objects import CREATED, condition, network_test, states

NOW = datetime(2026, 1, 1, 0, 2, tzinfo=UTC)
LATER = "2026-01-01T00:00:30Z"
HELD = states(Resolved="True", InForce="True", Ended="False")
JOB = {"metadata": {"creationTimestamp": CREATED, "name": "checkout-slow"}}


def test_a_condition_has_the_test_s_lease_and_owner_and_can_be_read() -> None:
    test = read_test(network_test(timeout="2m"))
    made = jobs.condition_for(test, test.networks[1])
    assert made["spec"]["lease"] == "210s"
    assert made["metadata"]["ownerReferences"] == [test.owner]
    read = read_condition({**made, "metadata": {**made["metadata"], "uid": "u"}})
    assert read.key == "shop/checkout-slow"


def test_of_a_template_s_metadata_only_labels_and_annotations_count() -> None:
    container = {"name": "test", "env": [{"name": "A", "value": "mine"}, {"name": "B", "value": "$(A)"}]}
    pod = {"metadata": {"labels": {"app": "t"}}, "spec": {"serviceAccountName": "tester", "containers": [container]}}
    metadata = {"name": "other", "namespace": "kube-system", "ownerReferences": [{}], "finalizers": ["x"], "labels": {"l": "1"}}
    spec = {"ttlSecondsAfterFinished": 1, "activeDeadlineSeconds": 10**6, "template": pod}
    networks = [{"name": "perfect", "variables": {"A": "1"}}]
    test = read_test(network_test(networks=networks, jobTemplate={"metadata": metadata, "spec": spec}))
    made = jobs.job_for(test, test.networks[0])
    assert (made["metadata"]["name"], made["metadata"]["namespace"]) == ("checkout-perfect", "shop")
    assert made["metadata"]["ownerReferences"] == [test.owner]
    assert set(made["metadata"]) == {"name", "namespace", "labels", "ownerReferences", "annotations"}
    assert made["metadata"]["labels"] == {"l": "1", "netweather.dev/test": "checkout", "netweather.dev/network": "perfect"}
    assert made["spec"]["template"]["metadata"]["labels"]["app"] == "t"
    assert (made["spec"]["backoffLimit"], made["spec"]["activeDeadlineSeconds"]) == (0, 630)
    assert "ttlSecondsAfterFinished" not in made["spec"]
    told = made["spec"]["template"]["spec"]
    assert (told["restartPolicy"], told["serviceAccountName"]) == ("Never", "tester")
    assert [(each["name"], each["value"]) for each in told["containers"][0]["env"]] == [
        ("A", "1"), ("NETWEATHER_NETWORK", "perfect"), ("B", "$(A)"),
    ]  # fmt: skip
    assert container["env"][0] == {"name": "A", "value": "mine"}  # the template stays as it is


def test_objects_of_another_test_of_the_same_name_are_not_its_own() -> None:
    test = read_test(network_test())
    mine = jobs.condition_for(test, test.networks[1])
    other = {**mine, "metadata": {**mine["metadata"], "ownerReferences": [{**test.owner, "uid": "another"}]}}
    assert jobs.owned([other], test) == {}
    assert jobs.owned([other, mine], test) == {"slow": mine}


@pytest.mark.parametrize(
    ("status", "verified", "state"),
    [
        ({}, False, "waits"),
        ({**HELD, "observedGeneration": 0}, False, "waits"),
        (states(Resolved="False NoPods", InForce="False"), False, "waits"),
        (states(Resolved="False UnknownProfile", InForce="False"), False, "refused"),
        (states(Resolved="True", InForce="False Pending"), False, "waits"),
        (states(Resolved="False Ended", InForce="False", Ended="True"), False, "refused"),
        (HELD, False, "holds"),
        (HELD, True, "waits"),
        (states(InForce="True", Verified="Unknown Pending"), True, "waits"),
        (states(InForce="True", Verified="Unknown CantTell"), True, "refused"),
        (states(InForce="True", Verified="False NotHeld"), True, "refused"),
        (states(InForce="True", Verified="True"), True, "holds"),
    ],
)
def test_whether_a_job_may_begin(status: dict[str, Any], verified: bool, state: str) -> None:
    assert jobs.standing(condition(status=status), verified=verified).state == state


def test_when_a_network_was_not_as_declared() -> None:
    since = states(InForce="True")
    since["conditions"][0]["lastTransitionTime"] = LATER
    changed = condition(generation=2, status={**HELD, "observedGeneration": 2})
    assert jobs.doubt(condition(status=HELD), JOB) == ""
    assert "deleted" in jobs.doubt(None, JOB)
    assert "changed" in jobs.doubt(changed, JOB)
    assert f"only since {LATER}" in jobs.doubt(condition(status=since), JOB)
    assert "not in force" in jobs.doubt(condition(status=states(InForce="False")), JOB)


def test_evidence_is_what_the_condition_s_status_tells() -> None:
    pods = [{"name": "api-1", "verdict": "PASS", "evidence": "delay 100 ms"}]
    found = jobs.evidence(condition(status={**HELD, "pods": pods}), JOB, NOW)
    assert (found["target"], found["inForce"], found["seconds"]) == ("shop: api-1", True, 120.0)
    assert found["measured"] == ["api-1: PASS: delay 100 ms"]


def job_pod(name: str, created: str = CREATED, *, state: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    listed = [{"name": "test", "state": state}] if state else []
    spec = {"containers": [{"name": "test"}]}
    return {
        "metadata": {"name": name, "creationTimestamp": created},
        "spec": spec,
        "status": {"containerStatuses": listed, **more},
    }


def ended(code: int) -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "startedAt": CREATED, "finishedAt": LATER}}


def job(kind: str, reason: str = "") -> dict[str, Any]:
    return {**JOB, "status": {"conditions": [{"type": kind, "status": "True", "reason": reason}]}}


def test_the_pod_that_failed_tells_most() -> None:
    pods = [job_pod("b", LATER, state=ended(0)), job_pod("a", state=ended(7))]
    assert jobs.run_of(pods) == jobs.JobRun("a", "test", 7, 30.0)
    assert jobs.run_of(pods[:1]) == jobs.JobRun("b", "test", 0, 30.0)
    assert jobs.run_of([]) is None


def test_how_a_job_ended() -> None:
    run = jobs.JobRun("a", "test", 7, 30.0)
    waiting = jobs.run_of([job_pod("a", state={"waiting": {"reason": "ImagePullBackOff"}})])
    unplaced = jobs.run_of([job_pod("a", conditions=[{"type": "PodScheduled", "status": "False", "message": "no node fits"}])])
    assert jobs.outcome(job("Complete"), jobs.JobRun("a", "test", 0, 30.0), NOW, late=False) == (0, 30.0, "")
    assert jobs.outcome(job("Failed", "BackoffLimitExceeded"), run, NOW, late=False) == (7, 30.0, "")
    assert jobs.outcome(job("Failed", "DeadlineExceeded"), None, NOW, late=False) == (None, 120.0, "")
    assert jobs.outcome(JOB, jobs.JobRun("a", "test", None, 0.0), NOW, late=True) == (None, 120.0, "")
    assert jobs.outcome(JOB, waiting, NOW, late=True)[2] == "its pod never began: ImagePullBackOff"
    assert jobs.outcome(JOB, unplaced, NOW, late=True)[2] == "its pod never began: no node fits"
    assert jobs.outcome(job("Failed", "BackoffLimitExceeded"), None, NOW, late=False)[2].startswith("its pod was deleted")
