"""`netweather clear`: conditions end, and the network is as it was before."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Any

import typer

from netweather.cli import completing, pages
from netweather.cli.options import Json, Targets
from netweather.cli.output import say, say_json
from netweather.errors import NetweatherError, UsageError

if TYPE_CHECKING:
    from netweather.engine import Engine
    from netweather.targets import Target

_EXAMPLES = """
netweather clear docker:shop-api
netweather clear docker:shop-api --name slow-database
netweather clear --all
"""
_GONE = ("unknown-target", "target-not-running")


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
    everything: Annotated[bool, typer.Option("--all", help="everything on this machine, whoever set it")] = False,
    as_json: Json = False,
) -> None:
    """Ends the conditions on TARGETs: all of them, or the one of a name.

    Packets that are still in a delay are let out; the network is then as it was before. Nothing to clear is no error,
    but a --name that isn't there is.
    """
    _check(targets or [], name, owner, everything=everything)
    from netweather.cli.problems import need_root

    need_root()
    from netweather.engine import Engine

    engine = Engine()
    cleared = _clear_all(engine) if everything else _clear_named(engine, targets or [], name, owner)
    if as_json:
        say_json([{"target": target, "cleared": names} for target, names in cleared.items()])
        return
    for target, names in cleared.items():
        say(f"cleared {', '.join(map(repr, names))} on {target}" if names else f"nothing was in force on {target}")
    if not cleared:
        say("nothing was in force")


def command() -> Any:
    """The Typer command."""
    return pages.command(_clear, name="clear", examples=_EXAMPLES)


def _check(targets: list[str], name: str | None, owner: str | None, *, everything: bool) -> None:
    if everything and (targets or name or owner):
        other = targets[0] if targets else "--name" if name else "--owner"
        what = f"--all and {other} are given"
        raise UsageError("conflicting-flags", what, "--all is everything on this machine", "leave one of them out")
    if not targets and not everything:
        raise UsageError("missing-target", "no TARGET is given", "", "name one (netweather show lists them), or write --all")


def _clear_all(engine: Engine) -> dict[str, list[str]]:
    """Names by target."""
    references = {}
    for identity in engine.journal.identities():
        try:
            entry = engine.journal.read(identity)
        except NetweatherError:  # a broken journal: clear_all takes what is ours away without it
            entry = None
        references[identity] = entry.target.reference if entry else identity
    return {references.get(identity, identity): names for identity, names in engine.clear_all().items()}


def _clear_named(engine: Engine, references: list[str], name: str | None, owner: str | None) -> dict[str, list[str]]:
    from netweather.targets import resolve

    cleared: dict[str, list[str]] = {}
    failures: list[NetweatherError] = []
    for reference in references:
        with ExitStack() as stack:
            try:
                targets = [stack.enter_context(target) for target in resolve(reference)]
            except NetweatherError as error:
                names = _swept(engine, reference) if error.code in _GONE else []
                if not names:
                    raise
                cleared[reference] = names
                continue
            for target in targets:
                _clear_one(engine, target, name, owner, cleared, failures)
    if failures and (len(failures) == 1 or not any(cleared.values())):
        raise failures[0]
    return cleared


def _clear_one(
    engine: Engine,
    target: Target,
    name: str | None,
    owner: str | None,
    cleared: dict[str, list[str]],
    failures: list[NetweatherError],
) -> None:
    """One target's; a name that only some of several targets have is an error only after all are done."""
    label = target.reference if target.name in target.reference else f"{target.reference} ({target.name})"
    try:
        cleared[label] = engine.clear(target, name, owner=owner)
    except NetweatherError as error:
        if error.code != "no-such-condition":
            raise
        failures.append(error)


def _swept(engine: Engine, reference: str) -> list[str]:
    """What was in force on a target that is gone: the sweep, with which every command begins, has ended it."""
    names = [
        active.condition.name
        for identity in engine.journal.identities()
        if (entry := engine.journal.read(identity)) and entry.target.reference == reference
        for active in entry.conditions
    ]
    engine.sweep()
    return names
