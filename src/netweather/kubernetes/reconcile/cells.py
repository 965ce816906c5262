"""What is to be done next for NetworkTests, of what is there: a pure function, the same for the same state, whoever asks and when.

    plan([Seen(test, …)], pods) -> for each test its cells' states and the next steps
A cell is the Job on one network. Its result, once gathered, is kept in an object of the cluster and never made again; everything before
that is told by the objects that there are: a condition, a Job, a Job that has ended. So a new operator goes on where the last was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from netweather.kubernetes.objects.networktest import NetworkTest, TriedNetwork
from netweather.kubernetes.objects.pod_selection import could_be
from netweather.kubernetes.objects.snapshot import Space, time_of
from netweather.kubernetes.reconcile.jobs import KubeObject, created, doubt, ending, prepares, standing

StepVerb = Literal["condition", "job", "gather", "end-condition", "end-job"]
CellState = Literal["Pending", "Preparing", "Running", "Passed", "Failed", "TimedOut", "CantTell"]
FINAL: Final = ("Passed", "Failed", "TimedOut", "CantTell")


@dataclass(frozen=True)
class NextStep:
    """One thing to do for a network. problem: why what was gathered says nothing; late: its Job took too long."""

    verb: StepVerb
    network: TriedNetwork
    problem: str = ""
    late: bool = False


@dataclass(frozen=True)
class ObservedTest:
    """A test as it is now. conditions, jobs: by network; results: what was gathered, by network; told: by network, what its
    status says of it; held: uids of conditions that nodes still have."""

    test: NetworkTest
    now: datetime
    conditions: Mapping[str, KubeObject] = field(default_factory=dict)
    jobs: Mapping[str, KubeObject] = field(default_factory=dict)
    results: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    told: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    held: frozenset[str] = frozenset()

    def at_work(self, network: str) -> bool:
        """Whether its pods' network is not anybody else's to change: until its condition is off the nodes again."""
        result = self.results.get(network)
        if network in self.conditions:
            return True
        if result is None:
            return network in self.jobs
        return result.get("condition", "") in self.held and self.now < time_of(result["leaseEnds"])


@dataclass(frozen=True)
class CellStatus:
    """message: what it waits for, or how it ended."""

    network: str
    state: CellState
    message: str = ""


@dataclass(frozen=True)
class Planned:
    """over: nothing is left to be done but the report."""

    cells: tuple[CellStatus, ...]
    steps: tuple[NextStep, ...] = ()
    over: bool = False


def plan(seen: Sequence[ObservedTest], pods: Space) -> list[Planned]:
    """For the tests of one namespace, the first first. pods: that namespace's."""
    taken: set[str] = set()
    for each in seen:
        for network in each.test.networks:
            taken |= could_be(network.targets, pods) if each.at_work(network.name) else frozenset()
    return [_plan(each, pods, taken) for each in seen]


def _plan(seen: ObservedTest, pods: Space, taken: set[str]) -> Planned:
    cells: list[CellStatus] = []
    steps: list[NextStep] = []
    busy = sum(seen.at_work(network.name) for network in seen.test.networks)
    for network in seen.test.networks:
        if _waits(network.name, seen):
            wanted = could_be(network.targets, pods)
            if busy >= seen.test.parallelism or wanted & taken:
                cells.append(CellStatus(network.name, "Pending"))
                continue
            taken |= wanted
            busy += 1
            steps.append(NextStep("condition" if network.spec else "job", network))
            cells.append(CellStatus(network.name, "Preparing"))
            continue
        cell, step = _cell(network, seen)
        cells.append(cell)
        steps += step
    over = all(cell.state in FINAL for cell in cells) and not steps and not any(seen.at_work(n.name) for n in seen.test.networks)
    return Planned(tuple(cells), tuple(steps), over)


def _waits(name: str, seen: ObservedTest) -> bool:
    """Whether nothing was done for it yet."""
    begun = name in seen.results or name in seen.jobs or name in seen.conditions
    return not begun and seen.told.get(name, {}).get("state", "Pending") in ("Pending", "Preparing")


def _cell(network: TriedNetwork, seen: ObservedTest) -> tuple[CellStatus, list[NextStep]]:
    name = network.name
    condition, job = seen.conditions.get(name), seen.jobs.get(name)
    if name in seen.results:
        return _ended(network, seen.results[name], condition, job)
    if job is not None:
        return _running(network, seen, condition, job)
    if seen.told.get(name, {}).get("state") not in (None, "Pending", "Preparing"):
        return _given_up(network, "its Job or its result was deleted")
    if condition is None:
        return CellStatus(name, "Preparing"), []
    now = standing(condition, verified=network.verified)
    if now.state == "holds":
        return CellStatus(name, "Preparing"), [NextStep("job", network)]
    if now.state == "refused" or seen.now > created(condition) + timedelta(seconds=prepares(network)):
        return _given_up(network, now.message)
    return CellStatus(name, "Preparing", now.message), []


def _ended(
    network: TriedNetwork, result: Mapping[str, Any], condition: KubeObject | None, job: KubeObject | None
) -> tuple[CellStatus, list[NextStep]]:
    cell = CellStatus(network.name, result["state"], result.get("message", ""))
    steps = [NextStep("end-condition", network)] if condition is not None and _lives(condition) else []
    if job is not None and _lives(job) and ending(job) is None:
        steps.append(NextStep("end-job", network))
    return cell, steps


def _lives(found: KubeObject) -> bool:
    return "deletionTimestamp" not in found["metadata"]


def _running(
    network: TriedNetwork, seen: ObservedTest, condition: KubeObject | None, job: KubeObject
) -> tuple[CellStatus, list[NextStep]]:
    cell = CellStatus(network.name, "Running")
    late = seen.now >= created(job) + timedelta(seconds=seen.test.timeout.seconds)
    if ending(job) is None and not late:
        return cell, []
    problem = doubt(condition, job) if network.spec else ""
    return cell, [NextStep("gather", network, problem, late=ending(job) is None)]


def _given_up(network: TriedNetwork, problem: str) -> tuple[CellStatus, list[NextStep]]:
    return CellStatus(network.name, "Preparing", problem), [NextStep("gather", network, problem)]
