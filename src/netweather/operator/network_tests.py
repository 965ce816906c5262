"""NetworkTests, carried on: whatever is next for each of them, until its report is written. It keeps no state of its own.

What it may do in a namespace it has from a RoleBinding there: whoever may run Jobs in it can make one, and nobody else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from netweather.errors import NetweatherError, UsageError
from netweather.kubernetes.objects.networktest import TEST_LABEL, InvalidTest, NetworkTest, networktest_of, report_name
from netweather.kubernetes.objects.snapshot import Space, text_of, time_of
from netweather.kubernetes.reconcile import jobs, progress
from netweather.kubernetes.reconcile.cells import NextStep, ObservedTest, Planned, plan
from netweather.kubernetes.reconcile.jobs import KubeObject
from netweather.kubernetes.server import api as kinds
from netweather.kubernetes.server.api import Api, said
from netweather.kubernetes.server.informer import Informer
from netweather.operator.operator import Operator
from netweather.reports.job_results import BUDGET, documents, kept, matrix_of, results_of, verdict
from netweather.reports.outcomes import Trial

LOG: Final = logging.getLogger("netweather.operator")
LOOKS_S: Final = 0.5
"""Between two looks at tests that run."""
SETTLES_S: Final = 15.0
"""So long what the API server refuses is tried again: rights are told to it a moment after they were given."""
ROLE: Final = "netweather-tests"
ANY: Final = (NetweatherError, AttributeError, TypeError, ValueError, KeyError)
"""A test that makes us stumble, by a template that nobody checked, must not take the others with it."""
Parsed = tuple[NetworkTest | InvalidTest, dict[str, Any]]


class Trials:
    """The tests of a cluster. operator: knows its pods and nodes, and whether it is the one that writes."""

    def __init__(self, api: Api, operator: Operator) -> None:
        self.api, self.operator = api, operator
        self._dirty = asyncio.Event()
        self._told = ""
        """The failure that was told last: it is tried again for as long as it lasts, and told once."""
        self.tests: Informer[Parsed] = Informer(kinds.TESTS, _parsed, self._dirty.set)

    async def run(self) -> None:
        """For ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.tests.run(self.api))
            await self.tests.listed.wait()
            for each in (self.operator.pods, self.operator.nodes):
                await each.listed.wait()
            while True:
                self._dirty.clear()
                leads = self.operator.election is None or self.operator.election.leads
                running = await self.turn() if leads else False
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOKS_S if running or not leads else None):
                        await self._dirty.wait()

    async def turn(self) -> bool:
        """The next steps of all; whether there are tests that run."""
        open_tests = [parsed for parsed in self.tests.objects.values() if not progress.is_complete(parsed[1])]
        spaces: dict[str, list[tuple[NetworkTest, dict[str, Any]]]] = {}
        for test, status in open_tests:
            if isinstance(test, InvalidTest):
                await self._refuse(test, status, test.error)
            else:
                spaces.setdefault(test.namespace, []).append((test, status))
        for found in spaces.values():
            await self._namespace(sorted(found, key=lambda each: (each[0].created, each[0].name)))
        return bool(open_tests)

    async def _namespace(self, tests: list[tuple[NetworkTest, dict[str, Any]]]) -> None:
        """The tests of one namespace, together: they may want the same pods."""
        seen = []
        for test, status in tests:
            try:
                seen.append((await self._look(test, status), status))
            except ANY as error:
                await self._explain(test, status, error)
        pods = Space(pod for pod in self.operator.pods.objects.values() if tests and pod.namespace == tests[0][0].namespace)
        for (each, status), planned in zip(seen, plan([each for each, _ in seen], pods), strict=True):
            try:
                await self._carry_on(each, planned, status)
            except ANY as error:
                await self._explain(each.test, status, error)

    async def _look(self, test: NetworkTest, status: Mapping[str, Any]) -> ObservedTest:
        labels = f"{TEST_LABEL}={test.name}"
        if test.namespace in self.operator.policy.protected:
            raise UsageError(
                "protected-namespace", f"the namespace {test.namespace} is protected", "components of the cluster run in it"
            )
        if status.get("observedGeneration", test.generation) != test.generation:
            why, remedy = "its results would mix two versions of the test", "delete it, and create it again"
            raise UsageError("bad-network-test", "the test was changed while it ran", why, remedy)
        return ObservedTest(
            test,
            datetime.now(UTC),
            jobs.owned(await self.api.labelled(kinds.CONDITIONS, test.namespace, labels), test),
            jobs.owned(await self.api.labelled(kinds.JOBS, test.namespace, labels), test),
            results_of(await self._data(test) or {}),
            {each["network"]: each for each in status.get("cells") or ()},
            self._held(),
        )

    async def _data(self, test: NetworkTest) -> dict[str, str] | None:
        """What the test's ConfigMap holds; None when there is none. Raises NetweatherError when that is somebody else's."""
        found = await self.api.read(kinds.CONFIGS, report_name(test.name), test.namespace)
        if found is None:
            return None
        if not jobs.is_of(found, test):
            what, why = f"a foreign ConfigMap {report_name(test.name)} exists", "the test's results would be written into it"
            if self._is_young(test):  # of a test of the same name, perhaps, that was deleted a moment ago
                raise NetweatherError("cluster-refused", what, why)
            raise UsageError("bad-network-test", what, why, "delete it, or give the test another name")
        return dict(found.get("data") or {})

    def _held(self) -> frozenset[str]:
        """The uids of all conditions that a node was told of, or tells of."""
        return frozenset(
            each["uid"]
            for parts in self.operator.nodes.objects.values()
            for part in parts
            for each in part.get("conditions") or ()
        )

    async def _carry_on(self, seen: ObservedTest, planned: Planned, status: Mapping[str, Any]) -> None:
        for step in planned.steps:
            await self._step(seen, step)
        result = None
        if planned.over:
            matrix = matrix_of(seen.test, seen.results)
            result = verdict(matrix, seen.test)
            await self._keep(seen.test, documents(matrix, result[1]))
        await self._tell(seen.test, progress.status_of(seen.test, planned.cells, seen.results, result, status, seen.now), status)
        if planned.steps:
            self._dirty.set()

    async def _step(self, seen: ObservedTest, step: NextStep) -> None:
        test, network = seen.test, step.network
        name = test.object_name(network.name)
        LOG.info(
            "%s/%s on %s: %s%s", test.namespace, test.name, network.name, step.verb, f" ({step.problem})" if step.problem else ""
        )
        if step.verb == "gather":
            await self._gather(seen, step)
        elif step.verb == "end-condition":
            await self.api.delete(kinds.CONDITIONS, name, test.namespace)
        elif step.verb == "end-job":
            await self.api.delete(kinds.JOBS, name, test.namespace)
        else:
            kind = kinds.CONDITIONS if step.verb == "condition" else kinds.JOBS
            made = (jobs.condition_for if step.verb == "condition" else jobs.job_for)(test, network)
            try:
                await self.api.create(kind, made, test.namespace)
            except NetweatherError as error:
                if not said(error) or self._is_young(test):  # what it says may be over in a moment
                    raise
                await self._gather(seen, NextStep("gather", network, f"no {made['kind']}: {error.why}"))

    def _is_young(self, test: NetworkTest) -> bool:
        return datetime.now(UTC) < time_of(test.created) + timedelta(seconds=SETTLES_S)

    async def _gather(self, seen: ObservedTest, step: NextStep) -> None:
        """What a Job said, into the ConfigMap: from then on it is never asked again."""
        test, name = seen.test, step.network.name
        job, condition = seen.jobs.get(name), seen.conditions.get(name)
        done = await self._trial(seen, step, job, condition)
        status = (condition or {}).get("status") or {}
        facts = {
            "startedAt": job["metadata"]["creationTimestamp"] if job else "",
            "endedAt": text_of(seen.now),
            "condition": condition["metadata"]["uid"] if condition else "",
            "leaseEnds": status.get("endsAt") or text_of(seen.now),
        }
        await self._keep(test, kept(test, name, done, facts))

    async def _trial(self, seen: ObservedTest, step: NextStep, job: KubeObject | None, condition: KubeObject | None) -> Trial:
        evidence = (jobs.evidence(condition, job, seen.now),) if condition is not None and job is not None else ()
        if job is None:
            return Trial(None, 0.0, "", evidence, step.problem or "its Job was deleted")
        where = f"job-name={job['metadata']['name']}"
        run = jobs.run_of(await self.api.labelled(kinds.PODS, seen.test.namespace, where))
        code, seconds, problem = jobs.outcome(job, run, seen.now, late=step.late)
        output = ""
        if run is not None and not run.waiting:
            try:
                output = await self.api.log(run.pod, run.container, seen.test.namespace, BUDGET)
            except NetweatherError as error:
                if not said(error):
                    raise
                output = f"(its log can't be read: {error.why})"
        return Trial(code, seconds, output, evidence, step.problem or problem)

    async def _keep(self, test: NetworkTest, data: dict[str, str]) -> None:
        name = report_name(test.name)
        if await self._data(test) is not None:
            await self.api.merge(kinds.CONFIGS, name, {"data": data}, test.namespace)
        else:
            metadata = {"name": name, "ownerReferences": [test.owner], "labels": {TEST_LABEL: test.name}}
            await self.api.create(kinds.CONFIGS, {"metadata": metadata, "data": data}, test.namespace)

    async def _explain(self, test: NetworkTest, status: Mapping[str, Any], error: Exception) -> None:
        """Why nothing goes on: what the server refuses for good ends the test, and whatever it has in force."""
        if not isinstance(error, NetweatherError):
            LOG.warning("%s/%s: %s", test.namespace, test.name, error, exc_info=error)
            what, remedy = "the test can't be understood", "compare jobTemplate with that of a CronJob"
            error = UsageError("bad-network-test", what, f"{type(error).__name__}: {error}"[:200], remedy)
        if isinstance(error, UsageError):
            await self._end_all(test)
            await self._refuse(test, status, error)
        elif said(error) == 403 and not self._is_young(test):
            account = f"{self.operator.election.namespace if self.operator.election else 'netweather'}:operator"
            bind = f"kubectl -n {test.namespace} create rolebinding {ROLE} --clusterrole={ROLE} --serviceaccount={account}"
            await self._refuse(
                test, status, UsageError("cluster-refused", error.what, error.why, f"give the operator the right: {bind}")
            )
        else:
            words = f"{test.namespace}/{test.name}: {error}"
            if words != self._told:
                LOG.warning("%s", words)
            self._told = words

    async def _end_all(self, test: NetworkTest) -> None:
        """Best effort: leases end what can't be deleted."""
        with suppress(NetweatherError):
            for kind in (kinds.CONDITIONS, kinds.JOBS):
                for each in jobs.owned(await self.api.labelled(kind, test.namespace, f"{TEST_LABEL}={test.name}"), test).values():
                    await self.api.delete(kind, each["metadata"]["name"], test.namespace)

    async def _refuse(self, test: NetworkTest | InvalidTest, status: Mapping[str, Any], error: NetweatherError) -> None:
        await self._tell(test, progress.refused(test.generation, error, status, datetime.now(UTC)), status)

    async def _tell(self, test: NetworkTest | InvalidTest, after: dict[str, Any], before: Mapping[str, Any]) -> None:
        if after == before:
            return
        gone = dict.fromkeys(before.keys() - after.keys())
        try:
            self.tests.put(await self.api.merge(kinds.TESTS, test.name, {"status": {**gone, **after}}, test.namespace, "status"))
        except NetweatherError as error:
            LOG.debug("status of %s/%s: %s", test.namespace, test.name, error)


def _parsed(found: dict[str, Any]) -> Parsed | None:
    """None for one that is being deleted: what it owns goes with it."""
    if "deletionTimestamp" in found["metadata"]:
        return None
    return networktest_of(found), found.get("status") or {}
