"""`kubectl netweather verify`: whether conditions are in force, by what the status says of kernels and measurements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from netweather.cli import command_factory
from netweather.cli.kubectl.cluster_access import ClusterObject, ClusterPlace, chosen, with_cluster, with_targets
from netweather.cli.options import json_option
from netweather.cli.output import say, say_json
from netweather.errors import NetweatherError
from netweather.kubernetes.objects.statuses import states_of

_EXAMPLES = """
kubectl netweather verify
kubectl netweather verify deployment/shop
kubectl netweather verify --name slow-database --json
"""
CODES: Final = {"PASS": 0, "FAIL": 1, "CAN'T TELL": 3}


@command_factory.command("verify", examples=_EXAMPLES)
@with_targets
@with_cluster
@json_option
def command(
    *,
    targets: Sequence[Mapping[str, Any]],
    name: str,
    place: ClusterPlace,
    as_json: bool,
) -> int:
    """Checks for each condition whether it is in force on all of its pods, and lists the pods where it is not.

    Each node reads the condition back from its kernel and compares it. If the condition was set with `set --verify`, the node
    also measures the effect. Exit 0: PASS; 1: FAIL; 3: CAN'T TELL, because a condition is not in force yet.
    """
    found = place.ask(lambda api: chosen(api, targets, name))
    if not found:
        raise NetweatherError("no-such-condition", "no such condition exists", "", "`kubectl netweather show` lists them")
    results = [(each, *verdict(each)) for each in found]
    if as_json:
        say_json([{"name": each["metadata"]["name"], "verdict": word, "why": why} for each, word, why in results])
    else:
        for each, word, why in results:
            say(f"{word:<10}  {each['metadata']['name']}: {why}")
            for pod in _others(each):
                say(f"            {pod['name']} on {pod.get('node', '')}: {pod['state']} {pod.get('message', '')}".rstrip())
    return max((CODES[word] for _, word, _ in results), key=lambda code: (code == 1, code))


def verdict(found: ClusterObject) -> tuple[str, str]:
    """PASS, FAIL or CAN'T TELL, and why."""
    known = states_of(found)
    if not known:
        return "CAN'T TELL", "the operator has not seen it yet"
    resolved, in_force, verified = known["Resolved"], known["InForce"], known.get("Verified", {})
    if resolved["status"] != "True":
        return "FAIL", f"{resolved['reason']}: {resolved['message']}"
    if in_force["status"] != "True":
        return "CAN'T TELL" if in_force["reason"] == "Pending" else "FAIL", f"{in_force['reason']}: {in_force['message']}"
    if verified.get("status") == "False":
        return "FAIL", f"{verified['reason']}: {verified['message']}"
    if found["spec"].get("verify") and verified.get("status") != "True":
        return "CAN'T TELL", verified.get("message") or "it is being measured"
    measured = f"; {verified['message']}" if verified.get("status") == "True" else ""
    return "PASS", in_force["message"] + measured


def _others(found: ClusterObject) -> list[ClusterObject]:
    """The pods that don't have it, as far as the status names them."""
    return [pod for pod in (found.get("status") or {}).get("pods") or () if pod["state"] != "InForce"]
