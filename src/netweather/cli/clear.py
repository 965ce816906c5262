"""`netweather clear`: conditions end, and the network is as it was before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from netweather.cli import completing, pages
from netweather.cli.completed import connected
from netweather.cli.options import Direct, Json, Targets
from netweather.cli.output import say, say_json
from netweather.cli.problems import as_netweather, complain
from netweather.errors import NetweatherError, UsageError
from netweather.settings import Settings

if TYPE_CHECKING:
    from netweather.engine import Cleared

_EXAMPLES = """
netweather clear docker:shop-api
netweather clear docker:shop-api --name slow-database
netweather clear --all
# one of a name on all of its targets, such as a partition
netweather clear --all --name partition
"""


def _clear(
    targets: Targets = None,
    *,
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="only this condition", show_default=False, autocompletion=completing.names),
    ] = None,
    owner: Annotated[
        str | None, typer.Option("--owner", metavar="NAME", help="only this owner's conditions", show_default=False)
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="on all targets, whoever set it")] = False,
    direct: Direct = False,
    as_json: Json = False,
) -> int:
    """Ends the conditions on TARGETs: all of them, or the one of a name.

    Packets that are still in a delay are let out; the network is then as it was before. Nothing to clear is no error,
    but a --name that isn't there is. What fails on one target is told, and the others are cleared all the same (exit 1).
    """
    _check(targets or [], name, owner, everything=everything)
    answers = connected(Settings.load(), direct=direct).clear(targets or (), name, owner)
    failed = [each for each in answers if each.problem]
    if len(answers) == 1 and answers[0].problem:
        raise answers[0].problem
    if as_json:
        say_json([_plain(each) for each in answers])
    else:
        _tell(answers)
    return 1 if failed else 0


def command() -> Any:
    """The Typer command."""
    return pages.command(_clear, name="clear", examples=_EXAMPLES)


def _check(targets: list[str], name: str | None, owner: str | None, *, everything: bool) -> None:
    if everything and (targets or owner):
        other = targets[0] if targets else "--owner"
        what = f"--all and {other} are given"
        raise UsageError("conflicting-flags", what, "--all is everything on this machine", "leave one of them out")
    if not targets and not everything:
        raise UsageError("missing-target", "no TARGET is given", "", "name one (netweather show lists them), or write --all")


def _plain(answer: Cleared) -> dict[str, Any]:
    document: dict[str, Any] = {"target": answer.target, "cleared": list(answer.names)}
    return {**document, "problem": as_netweather(answer.problem).as_problem()} if answer.problem else document


def _tell(answers: list[Cleared]) -> None:
    for each in answers:
        names = ", ".join(map(repr, each.names))
        if each.problem is None:
            say(f"cleared {names} on {each.target}" if names else f"nothing was in force on {each.target}")
    for each in answers:
        if each.problem is not None:
            error = as_netweather(each.problem)
            complain(NetweatherError(error.code, f"{each.target}: {error.what}", error.why, error.remedy))
    if not answers:
        say("nothing was in force")
