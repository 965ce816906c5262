"""The objects that a NetworkTest needs for one of its networks, and what those say that are there: plain data, nothing is asked.

The NetworkCondition comes first and ends by itself when nobody is left to delete it; the Job has only what its test's author wrote.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from netweather.conditions.language.loading import API_VERSION
from netweather.kubernetes.objects.networktest import NETWORK_LABEL, TEST_LABEL, NetworkTest, TriedNetwork
from netweather.kubernetes.objects.pod_selection import some
from netweather.kubernetes.objects.snapshot import time_of
from netweather.kubernetes.objects.statuses import states_of

KubeObject = dict[str, Any]
_LONGEST: Final = 300
_MOST_MEASURED: Final = 5
VARIABLE: Final = "NETWEATHER_NETWORK"
PREPARES_S: Final = 60
"""A condition that is not in force by then never will be; as long again it may be measured."""
GATHERS_S: Final = 30
"""So long after its time-out a Job is there for its log to be read; then Kubernetes ends it."""
_NAMED: Final = "kubectl.kubernetes.io/default-container"


def condition_for(test: NetworkTest, network: TriedNetwork) -> KubeObject:
    """The NetworkCondition of a network that has one."""
    lease = f"{test.timeout.ns // 10**9 + prepares(network) + GATHERS_S}s"
    return {
        "apiVersion": API_VERSION,
        "kind": "NetworkCondition",
        "metadata": _metadata(test, network),
        "spec": {**(network.spec or {}), "lease": lease},
    }


def prepares(network: TriedNetwork) -> int:
    """Seconds that its condition has to be such that the Job may begin."""
    return PREPARES_S * 2 if network.verified else PREPARES_S


def job_for(test: NetworkTest, network: TriedNetwork) -> KubeObject:
    """The Job. Of its template's metadata only labels and annotations count: its name, namespace and owner are the test's."""
    spec = copy.deepcopy(dict(test.template["spec"]))
    longest = test.timeout.ns // 10**9 + GATHERS_S
    spec["activeDeadlineSeconds"] = min(int(spec.get("activeDeadlineSeconds") or longest), longest)
    spec.setdefault("backoffLimit", 0)  # a test that is tried again until it passes says nothing of its network
    spec.pop("ttlSecondsAfterFinished", None)  # it goes with the test
    metadata = _metadata(test, network)
    told = test.template.get("metadata") or {}
    pod = spec["template"]
    pod["metadata"] = {**(pod.get("metadata") or {})}
    pod["metadata"]["labels"] = {**(pod["metadata"].get("labels") or {}), **metadata["labels"]}
    pod["spec"].setdefault("restartPolicy", "Never")
    variables = [{"name": key, "value": value} for key, value in {**network.variables, VARIABLE: network.name}.items()]
    for container in [*pod["spec"]["containers"], *(pod["spec"].get("initContainers") or ())]:
        given = [each for each in container.get("env") or () if each.get("name") not in {one["name"] for one in variables}]
        container["env"] = [*variables, *given]  # before the others, which may refer to them
    metadata |= {"labels": {**(told.get("labels") or {}), **metadata["labels"]}, "annotations": told.get("annotations") or {}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}


def _metadata(test: NetworkTest, network: TriedNetwork) -> KubeObject:
    return {
        "name": test.object_name(network.name),
        "namespace": test.namespace,
        "labels": {TEST_LABEL: test.name, NETWORK_LABEL: network.name},
        "ownerReferences": [test.owner],
    }


def owned(found: Sequence[KubeObject], test: NetworkTest) -> dict[str, KubeObject]:
    """By network, those that are this very test's, and not of one of the same name before it."""
    return {
        each["metadata"]["labels"][NETWORK_LABEL]: each
        for each in found
        if is_of(each, test) and NETWORK_LABEL in each["metadata"].get("labels", {})
    }


def is_of(found: KubeObject, test: NetworkTest) -> bool:
    """Whether an object was made for this very test."""
    return any(one.get("uid") == test.uid for one in found["metadata"].get("ownerReferences") or ())


# what they say


def created(found: KubeObject) -> datetime:
    """When the API server made it."""
    return time_of(found["metadata"]["creationTimestamp"])


@dataclass(frozen=True)
class ConditionReadiness:
    """What became of a condition. refused: no waiting helps."""

    state: Literal["waits", "holds", "refused"]
    message: str = ""


def standing(condition: KubeObject, *, verified: bool = False) -> ConditionReadiness:
    """Whether a Job may begin on it. verified: whether it is to be measured, too."""
    states = states_of(condition)
    resolved, held, measured = (states.get(word, {}) for word in ("Resolved", "InForce", "Verified"))
    if states.get("Ended", {}).get("status") == "True":
        return ConditionReadiness("refused", "its lease was over")
    if resolved.get("status") == "False" and resolved.get("reason") != "NoPods":
        return ConditionReadiness("refused", _told(resolved))
    if held.get("status") != "True":
        why = resolved if resolved.get("status") == "False" else held
        return ConditionReadiness("waits", f"not in force: {_told(why)}" if why else "")
    if verified and (measured.get("status") == "False" or measured.get("reason") == "CantTell"):
        return ConditionReadiness("refused", f"in force, and not verified: {measured.get('message', '')}")
    if verified and measured.get("status") != "True":
        return ConditionReadiness("waits", "it is being measured")
    return ConditionReadiness("holds")


def doubt(condition: KubeObject | None, job: KubeObject | None) -> str:
    """Why a Job's network was not as declared for the whole of its time, or nothing."""
    if condition is None:
        return "its condition was deleted while the Job ran"
    if condition["metadata"].get("generation", 1) != 1:
        return "its condition was changed while the Job ran"
    now = standing(condition)
    if now.state != "holds":
        return now.message
    since = states_of(condition)["InForce"]["lastTransitionTime"]
    if job is not None and time_of(since) > created(job):
        return f"in force on every pod only since {since}: pods started, stopped or did not have it meanwhile"
    return ""


def _told(state: Mapping[str, Any]) -> str:
    """'Reason: message', as far as they are there."""
    return ": ".join(each for each in (state.get("reason"), state.get("message")) if each)


def ending(job: KubeObject) -> tuple[str, str] | None:
    """How a Job ended: ("Complete" | "Failed", why), or None."""
    for each in (job.get("status") or {}).get("conditions") or ():
        if each["type"] in ("Complete", "Failed") and each["status"] == "True":
            return each["type"], _told(each)
    return None


@dataclass(frozen=True)
class JobRun:
    """What a Job's pod did. code: its exit code, None when it has not ended. seconds: whole ones, as Kubernetes keeps them."""

    pod: str
    container: str
    code: int | None
    seconds: float
    waiting: str = ""
    """Why it did not even begin."""


def outcome(job: KubeObject, run: JobRun | None, now: datetime, *, late: bool) -> tuple[int | None, float, str]:
    """A Job's exit code (None when it took too long), its seconds, and why it can't be told how it would have ended."""
    ended = ending(job)
    whole = (now - created(job)).total_seconds()
    if late or ended is None or ended[1].startswith("DeadlineExceeded"):
        return None, whole, f"its pod never began: {run.waiting}" if run is not None and run.waiting else ""
    seconds = run.seconds if run is not None and run.code is not None else whole
    if ended[0] == "Complete":
        return 0, seconds, ""
    return (
        (run.code if run is not None and run.code else 1),
        seconds,
        "" if run is not None else f"its pod was deleted: {ended[1]}",
    )


def evidence(condition: KubeObject, job: KubeObject, now: datetime) -> dict[str, Any]:
    """What a condition's status tells of the time of a Job, in the words of the other reports (reports.network_evidence)."""
    status, spec = condition.get("status") or {}, condition["spec"]
    problem = doubt(condition, job)
    pods = [each["name"] for each in status.get("pods") or ()]
    proved = [each for each in status.get("pods") or () if each.get("verdict")]
    measured = [f"{each['name']}: {each['verdict']}: {each.get('evidence', '')}" for each in proved]
    return {
        "name": condition["metadata"]["name"],
        "target": f"{condition['metadata']['namespace']}: {some(pods)}",
        "condition": json.dumps(spec.get("rules"))[:_LONGEST],
        "inForce": not problem,
        "seconds": round((now - created(job)).total_seconds(), 1),
        **({"measured": measured[:_MOST_MEASURED]} if measured else {}),
        **({"problems": [problem]} if problem else {}),
    }


def run_of(pods: Sequence[KubeObject]) -> JobRun | None:
    """The pod of a Job that tells most: one that failed, or else the last one."""
    runs = [_run(each) for each in sorted(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")))]
    failed = [each for each in runs if each.code]
    return next(reversed(failed or runs), None)


def _run(pod: KubeObject) -> JobRun:
    containers = pod["spec"]["containers"]
    name = (pod["metadata"].get("annotations") or {}).get(_NAMED, containers[0]["name"])
    listed = (pod.get("status") or {}).get("containerStatuses") or ()
    state = next((each.get("state") or {} for each in listed if each["name"] == name), {})
    ended, waits = state.get("terminated") or {}, state.get("waiting") or {}
    seconds = 0.0
    if ended.get("startedAt") and ended.get("finishedAt"):
        seconds = (time_of(ended["finishedAt"]) - time_of(ended["startedAt"])).total_seconds()
    why = _told(waits)
    if not state:
        conditions = (pod.get("status") or {}).get("conditions") or ()
        why = next((each.get("message", "") for each in conditions if each["status"] == "False"), "no node has it in force yet")
    return JobRun(pod["metadata"]["name"], name, ended.get("exitCode"), seconds, why)
