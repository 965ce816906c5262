"""`netweather clear`: conditions end, and the network is as it was before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from netweather.cli import completing, pages
from netweather.cli.completed import connected
from netweather.cli.options import direct_option, json_option, targets_argument
from netweather.cli.output import remark, say, say_json
from netweather.cli.problems import as_netweather, complain
from netweather.errors import NetweatherError, UsageError
from netweather.settings import Settings

if TYPE_CHECKING:
    from netweather.engine import Cleared
    from netweather.engine.draining import Held

_EXAMPLES = """
netweather clear docker:shop-api
netweather clear docker:shop-api --name slow-database
netweather clear --all
# return when all devices and programs of Netweather are removed
netweather clear docker:shop-api --wait
# one of a name on all of its targets, such as a partition
netweather clear --all --name partition
"""


@pages.command("clear", examples=_EXAMPLES)
@targets_argument
@pages.option("--name", metavar="NAME", complete=completing.names, help="only this condition")
@pages.option("--owner", metavar="NAME", help="only this owner's conditions")
@pages.option("--all", "everything", is_flag=True, help="on all targets, whoever set it")
@pages.option("--wait", is_flag=True, help="return when everything is as it was before (at most about 10 s)")
@pages.option("--now", is_flag=True, help="drop the packets that are still delayed or queued")
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
    """Ends the conditions on TARGETs: all of them, or the one of a name.

    Traffic is normal when it returns. Packets that are still delayed or queued then come out when they are due; after 10 s
    the rest is dropped. The target's keeper process (or the agent) does this and then removes Netweather's devices.
    Clearing nothing succeeds. An unknown --name fails. If one target fails, the others are cleared anyway (exit 1).
    """
    _check(targets, name, owner, everything=everything)
    if wait and now:
        what = "--wait and --now are given"
        raise UsageError("conflicting-flags", what, "--now drops the packets that --wait lets out", "leave one of them out")
    held: Held = "wait" if wait else "drop" if now else "drain"
    answers = connected(Settings.load(), direct=direct).clear(targets, name, owner, held=held)
    failed = [each for each in answers if each.problem]
    if as_json:
        say_json([_plain(each) for each in answers])
    else:
        _tell(answers)
    return 1 if failed else 0


def _check(targets: Sequence[str], name: str | None, owner: str | None, *, everything: bool) -> None:
    if everything and (targets or owner):
        other = targets[0] if targets else "--owner"
        what = f"--all and {other} are given"
        raise UsageError("conflicting-flags", what, "--all is everything on this machine", "leave one of them out")
    if not targets and not everything:
        raise UsageError("missing-target", "no TARGET is given", "", "name one (netweather show lists them), or write --all")


def _plain(answer: Cleared) -> dict[str, Any]:
    document: dict[str, Any] = {"target": answer.label, "cleared": list(answer.names), **answer.held}
    return {**document, "problem": as_netweather(answer.problem).as_problem()} if answer.problem else document


def _say_held(answer: Cleared) -> None:
    packets = f"packet{'s' if answer.draining + answer.dropped != 1 else ''}"
    if answer.draining:
        remark(
            "note", f"{answer.draining} held {packets} can still arrive: within 10 s, then the rest is dropped (--now drops them)"
        )
    if answer.dropped:
        remark("note", f"{answer.dropped} held {packets} dropped")


def _tell(answers: list[Cleared]) -> None:
    for each in answers:
        names = ", ".join(map(repr, each.names))
        if each.problem is None:
            say(f"cleared {names} on {each.label}" if names else f"nothing was in force on {each.label}")
            _say_held(each)
    for each in answers:
        if each.problem is not None:
            error = as_netweather(each.problem)
            complain(NetweatherError(error.code, f"{each.label}: {error.what}", error.why, error.remedy))
    if not answers:
        say("nothing was in force")
