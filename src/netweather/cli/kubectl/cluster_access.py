"""The cluster that a command of the plugin means, its conditions there, and waiting for what comes of them."""

from __future__ import annotations

import asyncio
import functools
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from netweather.cli import command_factory
from netweather.cli.kubectl import condition_wording
from netweather.errors import NetweatherError
from netweather.kubernetes.objects.statuses import states_of
from netweather.kubernetes.server.api import CONDITIONS, SCENARIOS, Api, Kind

T = TypeVar("T")
ClusterObject = dict[str, Any]
LOOKS_S: Final = 0.2
PATIENCE_S: Final = 60.0
IN_TIME: Final = (CONDITIONS, SCENARIOS)
"""The kinds that put something in force."""
PANEL: Final = command_factory.PANELS[4]

_CLUSTER: Final = [
    command_factory.option("--namespace", "-n", metavar="NAME", default="", panel=PANEL, help="same as for kubectl"),
    command_factory.option("--context", metavar="NAME", default="", panel=PANEL, help="same as for kubectl"),
    command_factory.option("--kubeconfig", metavar="FILE", default="", panel=PANEL, help="same as for kubectl"),
]
targets_argument = command_factory.argument(
    "targets", metavar="TARGET", nargs=-1, help="POD, deployment/NAME, statefulset/NAME and similar"
)
selector_option = command_factory.option(
    "--selector", "-l", metavar="LABELS", multiple=True, help="choose pods by labels: app=shop,tier=web"
)
_name_option = command_factory.option("--name", metavar="NAME", default="", help="name of the NetworkCondition")


@dataclass(frozen=True)
class ClusterPlace:
    """Which cluster, and which namespace of it; "" as kubectl would take it."""

    namespace: str = ""
    context: str = ""
    kubeconfig: str = ""

    def ask(self, work: Callable[[Api], Awaitable[T]]) -> T:
        """What comes of some work with the cluster. Raises NetweatherError."""

        async def run() -> T:
            api = await Api.connect(self.kubeconfig, self.context, self.namespace)
            try:
                return await work(api)
            finally:
                await api.close()

        return asyncio.run(run())


def with_cluster(function: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator: the options of a cluster, which the command gets as one `place`."""

    @functools.wraps(function)
    def command(*, namespace: str, context: str, kubeconfig: str, **more: Any) -> Any:
        return function(place=ClusterPlace(namespace, context, kubeconfig), **more)

    return functools.reduce(lambda made, option: option(made), reversed(_CLUSTER), command)


def with_targets(function: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator: TARGET, --selector and --name; the command gets `targets` as the objects have them, and `name`."""

    @functools.wraps(function)
    def command(*, targets: Sequence[str], selector: Sequence[str], **more: Any) -> Any:
        return function(targets=condition_wording.targets(targets, selector), **more)

    return targets_argument(selector_option(_name_option(command)))


async def apply(api: Api, found: ClusterObject) -> ClusterObject:
    """Writes a NetworkCondition, in place of the one of its name. Raises NetweatherError."""
    name = found["metadata"]["name"]
    before = await api.read(CONDITIONS, name, api.namespace)
    if before is None:
        return await api.create(CONDITIONS, found, api.namespace)
    metadata = {**before["metadata"], **found["metadata"]}
    return await api.replace(CONDITIONS, {**before, "metadata": metadata, "spec": found["spec"]}, api.namespace)


async def chosen(
    api: Api, targets: Sequence[Mapping[str, Any]], name: str, kinds: Sequence[Kind] = (CONDITIONS,), *, everywhere: bool = False
) -> list[ClusterObject]:
    """The objects of the namespace that have one of these targets, or that name; all without both. Raises NetweatherError.

    everywhere: of all namespaces.
    """
    found = [each for kind in kinds for each in (await api.list(kind, name, "" if everywhere else api.namespace))[0]]
    if not targets:
        return found
    return [each for each in found if any(_whose(one) in map(_whose, targets) for one in each["spec"].get("targets") or ())]


def _whose(target: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in target.items() if key not in ("count", "share")}


async def settled(api: Api, name: str, say: Callable[[str], None], patience_s: float = PATIENCE_S) -> ClusterObject:
    """Waits until a condition is in force on all of its pods (and measured, if asked), or was refused, or has ended; as it is then.

    say: told of progress. Raises NetweatherError pods-not-in-force when nothing of that comes in time.
    """
    told = ""
    deadline = time.monotonic() + patience_s
    while True:
        found = await api.read(CONDITIONS, name, api.namespace)
        if found is None:
            raise NetweatherError(
                "no-such-condition", f"the NetworkCondition {name!r} was deleted", "another client deleted it", "set it again"
            )
        known = states_of(found)
        if _is_settled(known):
            return found
        now = _missing(known)
        if now != told:
            say(now)
        told = now
        if time.monotonic() > deadline:
            remedy = "see `kubectl netweather doctor`; it stays as an object, and is put in force when that is possible"
            raise NetweatherError("pods-not-in-force", f"{name!r} is not in force after {patience_s:.0f} s", told, remedy)
        await asyncio.sleep(LOOKS_S)


def _is_settled(known: Mapping[str, Mapping[str, Any]]) -> bool:
    if not known:
        return False
    in_force, resolved = known["InForce"], known["Resolved"]
    if in_force["status"] == "True":
        return known.get("Verified", {}).get("reason") != "Pending"
    return resolved["status"] == "False" or in_force["reason"] not in ("Pending", "NotResolved")


def _missing(known: Mapping[str, Mapping[str, Any]]) -> str:
    """What is waited for."""
    if not known:
        return "the operator has not seen it yet"
    last = "Verified" if known["InForce"]["status"] == "True" else "InForce"
    return str(known[last].get("message", ""))


def need_in_force(found: ClusterObject) -> None:
    """Raises NetweatherError pods-not-in-force, with what the status says."""
    known = states_of(found)
    if known.get("InForce", {}).get("status") == "True":
        return
    resolved = known.get("Resolved", {})
    told = resolved if resolved.get("status") == "False" else known.get("InForce", {})
    name = f"{found['metadata']['namespace']}/{found['metadata']['name']}"
    remedy = "the object stays: change it, or `kubectl netweather clear --name " + found["metadata"]["name"] + "`"
    raise NetweatherError(
        "pods-not-in-force", f"{name} is not in force: {told.get('reason', '')}", told.get("message", ""), remedy
    )


def progress(text: str) -> None:
    """A line on stderr, of what is waited for."""
    if text:
        print(f"waiting: {text}", file=sys.stderr)
