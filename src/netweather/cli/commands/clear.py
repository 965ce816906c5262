"""`netweather clear`: conditions end, and the network is as it was before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from netweather.cli import command_factory, completion
from netweather.cli.full_ids import connected
from netweather.cli.options import direct_option, json_option, targets_argument
from netweather.cli.output import remark, say, say_json
from netweather.cli.problems import as_netweather, complain
from netweather.errors import NetweatherError, UsageError
from netweather.settings import Settings

if TYPE_CHECKING:
    from netweather.engine.draining import DrainMode
    from netweather.results import Cleared

_EXAMPLES = """
netweather clear docker:shop-api
netweather clear docker:shop-api --name slow-database
netweather clear --all
# return when all devices and programs of Netweather are removed
netweather clear docker:shop-api --wait
# clear the condition with this name on all targets, such as a partition
netweather clear --all --name partition
"""


@command_factory.command("clear", examples=_EXAMPLES)
@targets_argument
@command_factory.option("--name", metavar="NAME", complete=completion.names, help="clear only this condition")
@command_factory.option("--owner", metavar="NAME", help="clear only this owner's conditions")
@command_factory.option("--all", "everything", is_flag=True, help="clear all targets, whatever the owner")
@command_factory.option(
    "--wait", is_flag=True, help="wait until Netweather's devices and programs are removed (up to about 10 s)"
)
@command_factory.option("--now", is_flag=True, help="drop packets that are still delayed or queued")
@direct_option
@json_option
def command(
    targets: tuple[str, ...],
    *,
    name: str | None,
    owner: str | None,
    everything: bool,
    wait: bool,
    now: bool,
    direct: bool,
    as_json: bool,
) -> int:
    """Ends all conditions on TARGETs, or only the condition --name.

    When the command returns, no packet matches a rule any more. Packets that are still delayed or queued are sent when they
    are due; those that remain after 10 s are dropped. Then the agent, or a background process of Netweather (the target's
    keeper), removes Netweather's devices. Clearing a target without conditions succeeds. An unknown --name fails. If one target
    fails, the others are cleared anyway (exit 1).
    """
    _check(targets, name, owner, everything=everything)
    if wait and now:
        what = "--wait and --now are given"
        raise UsageError(
            "conflicting-flags", what, "--now drops held packets, and --wait waits until they are sent", "leave one of them out"
        )
    held: DrainMode = "wait" if wait else "drop" if now else "drain"
    answers = connected(Settings.load(), direct=direct).clear(targets, name, owner, held=held)
    failed = [each for each in answers if each.problem]
    if as_json:
        say_json([_document(each) for each in answers])
    else:
        _tell(answers)
    return 1 if failed else 0


def _check(targets: Sequence[str], name: str | None, owner: str | None, *, everything: bool) -> None:
    if everything and (targets or owner):
        other = targets[0] if targets else "--owner"
        what = f"--all and {other} are given"
        raise UsageError("conflicting-flags", what, "--all means all conditions on this machine", "leave one of them out")
    if not targets and not everything:
        raise UsageError("missing-target", "no TARGET is given", "", "name one (netweather show lists them), or write --all")


def _document(answer: Cleared) -> dict[str, Any]:
    from netweather.wire.condition_documents import CLEARED

    problem = None if answer.problem is None else as_netweather(answer.problem)
    return CLEARED.write(replace(answer, target=answer.label, problem=problem))


def _say_held(answer: Cleared) -> None:
    packets = f"packet{'s' if answer.draining + answer.dropped != 1 else ''}"
    if answer.draining:
        remark(
            "note",
            f"{answer.draining} delayed or queued {packets} can still arrive for up to 10 s; then the rest is dropped (--now drops them)",
        )
    if answer.dropped:
        remark("note", f"{answer.dropped} delayed or queued {packets} dropped")


def _tell(answers: list[Cleared]) -> None:
    for each in answers:
        names = ", ".join(map(repr, each.names))
        if each.names or each.problem is None:
            say(f"cleared {names} on {each.label}" if names else f"nothing was in force on {each.label}")
            _say_held(each)
    for each in answers:
        if each.problem is not None:
            error = as_netweather(each.problem)
            complain(NetweatherError(error.code, f"{each.label}: {error.what}", error.why, error.remedy))
    if not answers:
        say("nothing was in force")
