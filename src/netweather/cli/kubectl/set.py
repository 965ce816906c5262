"""`kubectl netweather set`: flags become a NetworkCondition, which is written, and waited for until it is in force."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from netweather.cli import command_factory
from netweather.cli.kubectl import condition_wording
from netweather.cli.kubectl.cluster_access import (
    ClusterObject,
    ClusterPlace,
    apply,
    need_in_force,
    progress,
    selector_option,
    settled,
    targets_argument,
    with_cluster,
)
from netweather.cli.kubectl.verify import CODES, verdict
from netweather.cli.options import given, json_option, with_flags
from netweather.cli.output import remark, say, say_json
from netweather.conditions.language.flags import FLAGS, FlagValue
from netweather.errors import UsageError
from netweather.kubernetes.objects.statuses import states_of
from netweather.kubernetes.server.api import Api

_EXAMPLES = """
# add 100 ms of delay between the shop's pods and the database
kubectl netweather set deployment/shop --to service/db --delay 100ms
# one of the pods loses packets, until you clear the condition
kubectl netweather set -l app=api --pods 1 --loss 5% --for untilDeleted
# block traffic between two applications
kubectl netweather set -l app=web --to app=cache --block drop
# print the object, for your repository
kubectl netweather set deployment/shop --profile 3g --dry-run
"""


@command_factory.command("set", examples=_EXAMPLES)
@targets_argument
@selector_option
@command_factory.option(
    "--pods", metavar="N|PERCENT", default="", help="only this number or share of each target's pods; always the same pods"
)
@command_factory.option("--no-wait", is_flag=True, help="do not wait until the condition is in force")
@command_factory.option("--verify", is_flag=True, help="measure the effect on the pods (exit 1: it is wrong)")
@command_factory.option("--dry-run", is_flag=True, help="only print the object")
@with_cluster
@json_option
@with_flags("condition", "match", "common")
def command(
    targets: tuple[str, ...],
    *,
    selector: tuple[str, ...],
    pods: str,
    no_wait: bool,
    verify: bool,
    dry_run: bool,
    place: ClusterPlace,
    as_json: bool,
    **flags: Any,
) -> int:
    """Degrades the network of pods. Returns when the condition is in force on each of them.

    The options are those of `netweather set`. --to accepts service/NAME, labels (app=db), namespace/NAME, addresses and host
    names. The NetworkCondition is named after its targets; --name sets another name. Setting the same name again replaces it.
    """
    named = [*targets, *selector]
    wanted = given(flags)
    _check(named, wanted)
    condition = condition_wording.condition(wanted, condition_wording.targets(targets, selector, pods), named)
    condition["spec"] |= {"verify": True} if verify else {}
    if dry_run:
        _print(condition, as_json=as_json)
        return 0
    found = place.ask(lambda api: _put(api, condition, wait=not no_wait))
    if not no_wait:
        need_in_force(found)
    if as_json:
        say_json(found)
    else:
        _tell(found, waited=not no_wait)
    return CODES[verdict(found)[0]] if verify and not no_wait else 0


def _check(named: Sequence[str], wanted: Mapping[str, FlagValue]) -> None:
    if not named:
        remedy = "name a pod, deployment/NAME, or labels: -l app=shop"
        raise UsageError("missing-target", "no TARGET is given", "", remedy)
    if not any(flag.group == "condition" and flag.name in wanted for flag in FLAGS):
        why = "no option says how to degrade the network"
        remedy = "add one, such as --delay 100ms, --loss 1% or --block drop"
        raise UsageError("no-condition", "no condition is given", why, remedy)


async def _put(api: Api, condition: ClusterObject, *, wait: bool) -> ClusterObject:
    written = await apply(api, condition)
    return await settled(api, written["metadata"]["name"], progress) if wait else written


def _print(condition: ClusterObject, *, as_json: bool) -> None:
    if as_json:
        say_json(condition)
        return
    from netweather.conditions.language.yamltext import dump_yaml_text

    say(dump_yaml_text([condition]).rstrip("\n"))


def _tell(found: ClusterObject, *, waited: bool) -> None:
    spec, status, name = found["spec"], found.get("status") or {}, found["metadata"]["name"]
    whose = ", ".join(condition_wording.target_words(each) for each in spec["targets"])
    say(f"{name}: {whose}" + (f", in force on {status['summary']} pods" if waited else ", written"))
    for rule in spec["rules"]:
        say(f"  {condition_wording.rule_words(rule)}")
    if waited:
        say(f"  until {status['endsAt']}" if "endsAt" in status else "  until it is cleared")
    if waited and "Verified" in states_of(found):
        say(f"  {': '.join(verdict(found))}")
    for warning in status.get("warnings") or () if waited else ():
        remark("note", warning)
