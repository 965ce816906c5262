"""`kubectl netweather show`: the conditions and scenarios of a namespace, or of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from netweather.cli import command_factory
from netweather.cli.kubectl import condition_wording
from netweather.cli.kubectl.cluster_access import IN_TIME, ClusterObject, ClusterPlace, chosen, with_cluster, with_targets
from netweather.cli.options import json_option
from netweather.cli.output import say, say_json, say_table
from netweather.errors import NetweatherError
from netweather.kubernetes.objects.statuses import states_of

_EXAMPLES = """
kubectl netweather show
kubectl netweather show deployment/shop --json
kubectl netweather show --all-namespaces
"""
_TITLES = ("NAME", "TARGETS", "PODS", "IN FORCE", "ENDS", "WHAT")


@command_factory.command("show", examples=_EXAMPLES)
@with_targets
@command_factory.option("--all-namespaces", "-A", "everywhere", is_flag=True, help="list all namespaces")
@with_cluster
@json_option
def command(
    *,
    targets: Sequence[Mapping[str, Any]],
    name: str,
    everywhere: bool,
    place: ClusterPlace,
    as_json: bool,
) -> None:
    """Lists conditions and scenarios: targets, number of pods where they are in force, end time, and how the network is
    degraded.
    """
    found = place.ask(lambda api: chosen(api, targets, name, IN_TIME, everywhere=everywhere))
    if as_json:
        say_json(found)
    elif found:
        say_table(_TITLES, [row(each, everywhere=everywhere) for each in found])
    else:
        say("no NetworkConditions and no NetworkScenarios")


def row(found: ClusterObject, *, everywhere: bool = False) -> list[str]:
    """A condition or a scenario in words."""
    metadata, spec, status = found["metadata"], found["spec"], found.get("status") or {}
    known = states_of(found)
    in_force = known.get("InForce", {})
    why = in_force.get("reason") or "NotSeenYet"
    if known.get("Resolved", {}).get("status") == "False":
        why = known["Resolved"]["reason"]
    return [
        f"{metadata['namespace']}/{metadata['name']}" if everywhere else metadata["name"],
        ", ".join(condition_wording.target_words(each) for each in spec.get("targets") or ()),
        status.get("summary", ""),
        "yes" if in_force.get("status") == "True" else f"no: {why}",
        status.get("endsAt", "") or ("when deleted" if spec.get("lease") == "untilDeleted" else ""),
        _step(status) if "steps" in spec else "; ".join(_what(each) for each in spec.get("rules") or ()),
    ]


def _step(status: ClusterObject) -> str:
    """Where a scenario is."""
    return f"round {status['round']}: {status.get('step') or 'nothing'}" if "round" in status else "a scenario"


def _what(rule: ClusterObject) -> str:
    try:
        return condition_wording.rule_words(rule)
    except NetweatherError as error:  # what the operator refuses, too
        return f"not understood: {error.what}"
