"""`kubectl netweather clear`: NetworkConditions and NetworkScenarios are deleted, and waited for until no node is asked for them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from netweather.cli import command_factory
from netweather.cli.kubectl import condition_wording
from netweather.cli.kubectl.cluster_access import (
    IN_TIME,
    LOOKS_S,
    PATIENCE_S,
    ClusterObject,
    ClusterPlace,
    chosen,
    progress,
    with_cluster,
    with_targets,
)
from netweather.cli.options import json_option
from netweather.cli.output import remark, say, say_json
from netweather.errors import NetweatherError, UsageError
from netweather.kubernetes.server.api import CONDITIONS, NODES, SCENARIOS, Api, is_forbidden

_EXAMPLES = """
kubectl netweather clear deployment/shop
kubectl netweather clear --name slow-database
kubectl netweather clear --all
"""


@command_factory.command("clear", examples=_EXAMPLES)
@with_targets
@command_factory.option("--all", "everything", is_flag=True, help="clear all conditions in the namespace")
@command_factory.option("--all-namespaces", "-A", "everywhere", is_flag=True, help="with --all: clear all namespaces")
@command_factory.option("--no-wait", is_flag=True, help="do not wait for the nodes")
@with_cluster
@json_option
def command(
    *,
    targets: Sequence[Mapping[str, Any]],
    name: str,
    everything: bool,
    everywhere: bool,
    no_wait: bool,
    place: ClusterPlace,
    as_json: bool,
) -> None:
    """Deletes the conditions and scenarios of these targets, or the one with --name. Returns when no node has them in force.

    Without the right to read NodeConditions you cannot see the state of the nodes; the command then returns when the objects
    are deleted.
    """
    if not targets and not name and not everything:
        raise UsageError("missing-target", "no TARGET is given", "", "name one, or --name NAME, or --all")

    async def work(api: Api) -> tuple[list[ClusterObject], bool]:
        found = await chosen(api, targets, name, IN_TIME, everywhere=everywhere and everything)
        for each in found:
            await _delete(api, each)
        return found, no_wait or await _gone(api, {each["metadata"]["uid"] for each in found})

    found, seen = place.ask(work)
    if not found and not everything:
        whose = repr(name) if name else "for " + ", ".join(map(condition_wording.target_words, targets))
        what = f"no condition {whose} exists"
        raise NetweatherError("no-such-condition", what, "", "`kubectl netweather show` lists them")
    names = [f"{each['metadata']['namespace']}/{each['metadata']['name']}" for each in found]
    if as_json:
        say_json({"cleared": names, "seen": seen})
    else:
        say("\n".join(f"{each}: cleared" for each in names) or "no conditions")
    if not seen:
        remark("note", "you may not read NodeConditions, so that it can't be seen when the nodes have acted")


async def _delete(api: Api, found: ClusterObject) -> None:
    kind = SCENARIOS if found["kind"] == "NetworkScenario" else CONDITIONS
    await api.delete(kind, found["metadata"]["name"], found["metadata"]["namespace"])


async def _gone(api: Api, uids: set[str]) -> bool:
    """Waits until no node is asked for them, and none has them; False where that can't be seen. Raises NetweatherError not-cleared."""
    deadline, told = time.monotonic() + PATIENCE_S, ""
    while True:
        try:
            nodes, _ = await api.list(NODES)
        except NetweatherError as error:
            if is_forbidden(error):
                return False
            raise
        left = sorted(each["metadata"]["name"] for each in nodes if uids & set(_held(each)))
        if not left:
            return True
        now = f"still on {', '.join(left[:5])}"
        if now != told:
            progress(now)
        told = now
        if time.monotonic() > deadline:
            remedy = "see `kubectl netweather doctor`; their leases end them in any case"
            raise NetweatherError("not-cleared", "some nodes still have the cleared conditions in force", now, remedy)
        await asyncio.sleep(LOOKS_S)


def _held(node: ClusterObject) -> Iterable[str]:
    """The conditions that a node is asked for, or has."""
    for part in ("spec", "status"):
        for each in (node.get(part) or {}).get("conditions") or ():
            yield each["uid"]
