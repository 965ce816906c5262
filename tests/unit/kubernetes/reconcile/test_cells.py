"""kubernetes/reconcile/cells.py: what is next, of what is there.

A whole run is played through by a world that forgets the planner each time.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from netweather.kubernetes.objects.networktest import NetworkTest, read_test
from netweather.kubernetes.objects.snapshot import Space, pod_of
from netweather.kubernetes.reconcile.cells import FINAL, ObservedTest, Planned, plan
from tests.support.objects import CREATED, DELAY, condition, network_test, pod, states

NOW = datetime(2026, 1, 1, 0, 0, 30, tzinfo=UTC)
RULES = {"rules": [{"condition": DELAY}]}
JOB: dict[str, Any] = {"metadata": {"creationTimestamp": CREATED, "name": "j"}}
ENDED = {**JOB, "status": {"conditions": [{"type": "Complete", "status": "True"}]}}
HELD = condition(status=states(Resolved="True", InForce="True"))
RESULT = {"state": "Passed", "condition": "uid-slow", "leaseEnds": "2026-01-01T00:10:00Z"}


def pods(*apps: str) -> Space:
    found = [pod_of(pod(f"{app}-1", labels={"app": app})) for app in apps]
    return Space(each for each in found if each is not None)


def on(app: str) -> dict[str, Any]:
    return {"targets": [{"podSelector": {"matchLabels": {"app": app}}}], **RULES}


def made(name: str = "checkout", **spec: Any) -> NetworkTest:
    return read_test(network_test(name, **spec))


def steps(planned: Planned) -> list[tuple[str, str]]:
    return [(step.verb, step.network.name) for step in planned.steps]


def told(planned: Planned) -> dict[str, str]:
    return {cell.network: cell.state for cell in planned.cells}


def one(seen: ObservedTest, *apps: str) -> Planned:
    (planned,) = plan([seen], pods(*(apps or ("api", "db"))))
    return planned


def test_overlapping_targets_are_had_one_after_another_and_others_at_once() -> None:
    networks = [
        {"name": "perfect"},
        *({"name": name, "condition": on(app)} for name, app in (("a", "api"), ("b", "db"), ("c", "db"))),
    ]
    test = made(networks=networks, targets=[])  # the perfect one is that of both
    assert steps(one(ObservedTest(test, NOW))) == [("job", "perfect")]
    test = made(networks=networks[1:], targets=[])
    planned = one(ObservedTest(test, NOW))
    assert steps(planned) == [("condition", "a"), ("condition", "b")]
    assert told(planned) == {"a": "Preparing", "b": "Preparing", "c": "Pending"}
    assert steps(one(ObservedTest(replace(test, parallelism=1), NOW))) == [("condition", "a")]


def test_a_part_of_the_same_pods_overlaps_whichever_they_are() -> None:
    targets = [{"podSelector": {"matchLabels": {"app": "api"}}, "count": 1}]
    networks = [{"name": name, "condition": {"targets": targets, **RULES}} for name in ("a", "b")]
    assert steps(one(ObservedTest(made(networks=networks), NOW))) == [("condition", "a")]


def test_tests_of_one_namespace_leave_each_other_s_pods_alone() -> None:
    first, second = made("first"), made("second")
    busy = ObservedTest(
        first, NOW, conditions={"slow": HELD}, jobs={"slow": JOB}, results={"perfect": {**RESULT, "condition": ""}}
    )
    planned = plan([busy, ObservedTest(second, NOW)], pods("api"))
    assert [steps(each) for each in planned] == [[], []]
    assert [steps(each) for each in plan([ObservedTest(first, NOW), ObservedTest(second, NOW)], pods("api"))] == [
        [("job", "perfect")],
        [],
    ]


@pytest.mark.parametrize(
    ("found", "verbs", "state"),
    [
        ({}, ["condition"], "Preparing"),
        ({"conditions": {"slow": condition(status=states(InForce="False Pending"))}}, [], "Preparing"),
        ({"conditions": {"slow": HELD}}, ["job"], "Preparing"),
        ({"conditions": {"slow": HELD}, "jobs": {"slow": JOB}}, [], "Running"),
        ({"conditions": {"slow": HELD}, "jobs": {"slow": ENDED}}, ["gather"], "Running"),
        ({"conditions": {"slow": HELD}, "jobs": {"slow": ENDED}, "results": {"slow": RESULT}}, ["end-condition"], "Passed"),
        (
            {"conditions": {"slow": HELD}, "jobs": {"slow": JOB}, "results": {"slow": RESULT}},
            ["end-condition", "end-job"],
            "Passed",
        ),
        ({"jobs": {"slow": ENDED}, "results": {"slow": RESULT}, "held": frozenset({"uid-slow"})}, [], "Passed"),
    ],
    ids=["nothing", "condition", "in-force", "job", "job-ended", "result", "result-of-a-job-that-runs", "on-its-nodes"],
)
def test_the_next_step_is_told_by_what_is_there(found: dict[str, Any], verbs: list[str], state: str) -> None:
    test = made(networks=[{"name": "slow", "condition": RULES}])
    planned = one(ObservedTest(test, NOW, **found))
    assert (steps(planned), told(planned)) == ([(verb, "slow") for verb in verbs], {"slow": state})
    assert planned.over is False


def test_it_is_over_when_its_conditions_are_off_the_nodes_or_their_leases_are_over() -> None:
    test = made(networks=[{"name": "slow", "condition": RULES}])
    seen = ObservedTest(test, NOW, jobs={"slow": ENDED}, results={"slow": RESULT}, held=frozenset({"uid-slow"}))
    assert one(replace(seen, held=frozenset())).over
    assert one(replace(seen, now=NOW + timedelta(minutes=10))).over  # a node that is away says nothing any more


@pytest.mark.parametrize(
    ("found", "why"),
    [
        ({"conditions": {"slow": condition(status=states(Resolved="False UnknownProfile"))}}, "UnknownProfile"),
        (
            {"conditions": {"slow": condition(status=states(Resolved="False NoPods"))}, "now": NOW + timedelta(seconds=60)},
            "NoPods",
        ),
        ({"told": {"slow": {"state": "Running"}}}, "was deleted"),
        ({"jobs": {"slow": ENDED}}, "its condition was deleted"),
        ({"jobs": {"slow": ENDED}, "conditions": {"slow": condition(status=states(InForce="False"))}}, "not in force"),
    ],
    ids=["refused", "nobody", "job-deleted", "condition-deleted", "not-in-force"],
)
def test_what_can_t_be_told_says_why(found: dict[str, Any], why: str) -> None:
    test = made(networks=[{"name": "slow", "condition": RULES}])
    (step,) = one(ObservedTest(**{"test": test, "now": NOW, **found})).steps
    assert (step.verb, step.late) == ("gather", False)
    assert why in step.problem


def test_what_is_to_be_measured_may_take_longer() -> None:
    found = {"slow": condition(status=states(InForce="True", Verified="Unknown Pending"))}
    test = made(networks=[{"name": "slow", "condition": {**RULES, "verify": True}}])
    assert one(ObservedTest(test, NOW + timedelta(seconds=80), conditions=found)).steps == ()
    (step,) = one(ObservedTest(test, NOW + timedelta(seconds=91), conditions=found)).steps
    assert step.problem == "it is being measured"


def test_a_job_that_takes_too_long_is_late() -> None:
    test = made(networks=[{"name": "perfect"}], timeout="29s")
    (step,) = one(ObservedTest(test, NOW, jobs={"perfect": JOB})).steps
    assert (step.verb, step.late, step.problem) == ("gather", True, "")
    assert one(ObservedTest(made(networks=[{"name": "perfect"}], timeout="31s"), NOW, jobs={"perfect": JOB})).steps == ()


class World:
    """A cluster in which what is asked for happens by the next look."""

    def __init__(self, test: NetworkTest) -> None:
        self.seen = ObservedTest(test, NOW)
        self.most = 0
        self.order: list[tuple[str, str]] = []

    def look(self, *, lost: bool) -> Planned:
        """One look, by a planner that knows only what is there. lost: the operator dies before it writes the status."""
        (planned,) = plan([self.seen], pods("api", "db"))
        conditions, jobs, results = dict(self.seen.conditions), dict(self.seen.jobs), dict(self.seen.results)
        for name, found in jobs.items():
            jobs[name] = found if name in results else ENDED
        for step in planned.steps:
            name = step.network.name
            self.order.append((step.verb, name))
            if step.verb == "condition":
                assert name not in conditions
                conditions[name] = {**HELD, "metadata": {**HELD["metadata"], "uid": f"uid-{name}"}}
            elif step.verb == "job":
                assert name not in jobs
                jobs[name] = JOB
            elif step.verb == "gather":
                assert name not in results
                results[name] = {**RESULT, "state": "CantTell" if step.problem else "Passed", "condition": f"uid-{name}"}
            elif step.verb == "end-condition":
                del conditions[name]
        told = {} if lost else {cell.network: {"state": cell.state} for cell in planned.cells}
        self.seen = replace(self.seen, conditions=conditions, jobs=jobs, results=results, told=told or self.seen.told)
        self.most = max(self.most, len(conditions))
        return planned


@pytest.mark.parametrize("lost", [False, True], ids=["kept", "the-status-is-never-written"])
def test_a_whole_run_ends_whoever_carries_it_on(lost: bool) -> None:
    networks = [
        {"name": "perfect"},
        *({"name": name, "condition": on(app)} for name, app in (("a", "api"), ("b", "db"), ("c", "db"))),
    ]
    world = World(made(networks=networks, targets=[]))
    for _ in range(40):
        planned = world.look(lost=lost)
        if planned.over:
            break
    assert planned.over
    assert told(planned) == dict.fromkeys(("perfect", "a", "b", "c"), "Passed")
    assert set(told(planned).values()) <= set(FINAL)
    assert world.most == 2  # a and b, then c
    assert len(world.order) == len(set(world.order)) == 2 + 3 * 4  # nothing was done twice
