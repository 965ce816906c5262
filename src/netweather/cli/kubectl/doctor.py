"""`kubectl netweather doctor`: whether Netweather is installed in a cluster and ready, and what whoever asks may do there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Final, Literal

from netweather.cli import command_factory
from netweather.cli.kubectl.cluster_access import ClusterObject, ClusterPlace, with_cluster
from netweather.cli.options import json_option
from netweather.cli.output import say, say_json
from netweather.errors import NetweatherError
from netweather.kubernetes.objects.crds import GROUP, VERSION
from netweather.kubernetes.server.api import ACCESS, DAEMONSETS, DEPLOYMENTS, Api, Kind, is_forbidden

_EXAMPLES = """
kubectl netweather doctor
kubectl netweather doctor --namespace shop --json
kubectl netweather doctor --installed-in chaos
"""
_INSTALL: Final = "kubectl apply -k deploy/kubernetes/base (docs/kubernetes.md)"
_MAY: Final = (
    ("networkconditions", ("get", "list", "create", "update", "delete"), "the role `edit` of the namespace includes it"),
    ("pods", ("list",), "the role `view` of the namespace includes it"),
)
FindingState = Literal["yes", "no", "can't tell"]


@dataclass(frozen=True)
class ClusterFinding:
    """One thing that was looked at. needed: whether conditions can't be had without it."""

    what: str
    answer: FindingState
    told: str
    remedy: str = ""
    needed: bool = True


@command_factory.command("doctor", examples=_EXAMPLES)
@command_factory.option(
    "--installed-in",
    "installed",
    metavar="NAMESPACE",
    default="netweather",
    help="namespace where Netweather is installed (default: netweather)",
)
@with_cluster
@json_option
def command(*, installed: str, place: ClusterPlace, as_json: bool) -> int:
    """Checks whether this cluster can apply conditions: API server, custom resource definitions, operator, an agent on each
    node, and your rights.

    Exit 0: it can; 1: something is missing; 3: a check was not possible.
    """
    findings = place.ask(lambda api: look(api, installed))
    if as_json:
        say_json([asdict(each) for each in findings])
    else:
        for each in findings:
            say(f"{each.answer:<10}  {each.what}: {each.told}" + (f"\n            remedy: {each.remedy}" if each.remedy else ""))
    answers = {each.answer for each in findings if each.needed}
    return 1 if "no" in answers else 3 if "can't tell" in answers else 0


async def look(api: Api, installed: str) -> list[ClusterFinding]:
    """Everything that there is to look at. Raises NetweatherError when the cluster does not answer."""
    images: dict[str, str] = {}
    found = [ClusterFinding("API server", "yes", await api.version()), await _kinds(api)]
    found.append(await _told(lambda: _operator(api, installed, images), "operator"))
    found.append(await _told(lambda: _agents(api, installed, images), "agents"))
    if len(set(images.values())) > 1:
        told = ", ".join(f"{name} {image}" for name, image in images.items())
        found.append(ClusterFinding("one version", "no", told, "let both have the same image"))
    found += [await _right(api, resource, verb, why) for resource, verbs, why in _MAY for verb in verbs]
    return found


async def _told(asked: Callable[[], Awaitable[ClusterFinding]], what: str) -> ClusterFinding:
    """The same; an account that may not look can't tell, and needs not."""
    try:
        return await asked()
    except NetweatherError as error:
        if not is_forbidden(error):
            raise
        return ClusterFinding(what, "can't tell", "you may not read its namespace", needed=False)


async def _kinds(api: Api) -> ClusterFinding:
    served = await api.served(GROUP)
    if not served:
        return ClusterFinding("kinds", "no", f"the server knows nothing of {GROUP}", _INSTALL)
    if VERSION not in served:
        remedy = "use the netweather of the version that is installed there"
        return ClusterFinding(
            "kinds", "no", f"{GROUP} is {', '.join(served)}; netweather {version('netweather')} speaks {VERSION}", remedy
        )
    return ClusterFinding("kinds", "yes", f"{GROUP}/{VERSION}")


async def _operator(api: Api, installed: str, images: dict[str, str]) -> ClusterFinding:
    found = await api.read(DEPLOYMENTS, "operator", installed)
    if found is None:
        return ClusterFinding("operator", "no", f"the namespace {installed} has none", _INSTALL)
    images["operator"] = _image(found)
    ready, wanted = (found.get("status") or {}).get("readyReplicas", 0), found["spec"].get("replicas", 1)
    told = f"{ready} of {wanted} ready, {images['operator']}"
    if ready:
        return ClusterFinding("operator", "yes", told)
    return ClusterFinding("operator", "no", told, f"kubectl -n {installed} describe deployment operator")


async def _agents(api: Api, installed: str, images: dict[str, str]) -> ClusterFinding:
    found = await api.read(DAEMONSETS, "agent", installed)
    if found is None:
        return ClusterFinding("agents", "no", f"the namespace {installed} has none", _INSTALL)
    images["agent"] = _image(found)
    status = found.get("status") or {}
    ready, wanted = status.get("numberReady", 0), status.get("desiredNumberScheduled", 0)
    told = f"ready on {ready} of {wanted} nodes, {images['agent']}"
    if ready and ready == wanted:
        return ClusterFinding("agents", "yes", told)
    remedy = f"kubectl -n {installed} get pods -o wide -l app.kubernetes.io/name=netweather-agent"
    return ClusterFinding("agents", "no", told, remedy)


def _image(workload: ClusterObject) -> str:
    return str(workload["spec"]["template"]["spec"]["containers"][0]["image"])


async def _right(api: Api, resource: str, verb: str, remedy: str) -> ClusterFinding:
    """As `kubectl auth can-i` asks, in the namespace that is meant."""
    kind = Kind(resource, GROUP if resource == "networkconditions" else "")
    attributes = {"namespace": api.namespace, "verb": verb, "group": kind.group, "resource": kind.plural}
    asked = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    status = (await api.create(ACCESS, asked)).get("status") or {}
    may = bool(status.get("allowed"))
    what = f"you may {verb} {resource}"
    return ClusterFinding(
        what, "yes" if may else "no", f"in {api.namespace}", "" if may else remedy, needed=resource == "networkconditions"
    )
