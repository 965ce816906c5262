"""The operator as a process: its log, its signals, its end. Conditions stay as they are when it ends."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from netweather.errors import NetweatherError
from netweather.kubernetes.objects.pod_selection import PodPolicy
from netweather.kubernetes.server.api import Api
from netweather.operator.election import Election
from netweather.operator.network_tests import Trials
from netweather.operator.operator import Operator
from netweather.serving import at_end, log_to_stderr


@dataclass(frozen=True)
class Options:
    """identity, namespace: of the lease that the leader holds; none without a namespace, for the only operator there is."""

    policy: PodPolicy
    identity: str = ""
    namespace: str = ""


def run(options: Options) -> None:
    """Until SIGTERM or SIGINT. Raises NetweatherError no-kubernetes-extra, cluster-unreachable."""
    log_to_stderr()
    asyncio.run(_run(options))


async def _run(options: Options) -> None:
    election = Election(options.identity, options.namespace) if options.namespace else None
    operator = Operator(await Api.connect(), options.policy, election)
    stop = asyncio.Event()
    at_end(stop.set)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(each.run()) for each in (operator, Trials(operator.api, operator))]
        await stop.wait()
        for task in tasks:
            task.cancel()
    if election is not None and election.leads:
        with suppress(NetweatherError):  # then the others wait until it is over
            await election.release(operator.api)
