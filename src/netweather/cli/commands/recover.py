"""`netweather recover`: what dead processes left is taken away."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from netweather.cli import command_factory
from netweather.cli.options import json_option
from netweather.cli.output import remark, say, say_json
from netweather.connecting import need_root
from netweather.errors import UsageError

if TYPE_CHECKING:
    from netweather.engine import Engine
    from netweather.results import Recovered

_EXAMPLES = """
sudo netweather recover
# also remove conditions of other state directories, after a confirmation
sudo netweather recover --force
"""


@command_factory.command("recover", examples=_EXAMPLES)
@command_factory.option(
    "--force", is_flag=True, help="also remove conditions that were set with another state directory, after a confirmation"
)
@command_factory.option("--yes", is_flag=True, help="do not ask for confirmation")
@json_option
def command(*, force: bool, yes: bool, as_json: bool) -> None:
    """Removes all Netweather devices and programs that no running process manages.

    Run it after a crash, or after a kill -9 of all Netweather processes. Conditions that a running process manages stay in
    force and are listed. Leases end without this command: the kernel itself stops matching packets when a lease is over.
    With --force, it also removes conditions that were set with another state directory (NETWEATHER_STATE), for example in a
    container: it shows their owner and asks for confirmation.
    """
    need_root()
    from netweather.engine import Engine

    engine = Engine()
    found = engine.recover()
    if force and (others := [each for each in found if each.forcible]):
        if not yes:
            _confirm(engine, others)
        found = [each for each in found if not each.forcible] + engine.recover(force=[each.target for each in others])
        found = list(dict.fromkeys(found))
    if as_json:
        say_json([{"target": each.target, "what": each.what, "recovered": each.taken} for each in found])
    else:
        _tell(engine, found)


def _confirm(engine: Engine, others: list[Recovered]) -> None:
    """Shows whose they are, and asks. Raises UsageError(code="force-not-confirmed")."""
    for each in others:
        remark("force", f"removes what is in force in {each.target}: {_owner(engine, each)}")
    answer = ""
    if sys.stdin is not None and sys.stdin.isatty():
        print("Remove it? [y/N] ", end="", file=sys.stderr, flush=True)
        answer = sys.stdin.readline().strip().lower()
    if answer not in ("y", "yes"):
        raise UsageError(
            "force-not-confirmed",
            "--force would remove conditions that were set with another state directory",
            "\n".join(f"{each.target}: {_owner(engine, each)}" for each in others),
            "end them where they were set (netweather clear), or add --yes",
        )


def _owner(engine: Engine, each: Recovered) -> str:
    from netweather.engine.views.state_owners import owner_of

    return owner_of(each.identity, engine.settings.state)


def _tell(engine: Engine, found: list[Recovered]) -> None:
    for each in found:
        if each.taken:
            say(f"recovered {each.target}: {each.what}")
        elif each.forcible:
            remark("note", f"left alone {each.target}: {each.what} ({_owner(engine, each)}); --force removes it")
        else:
            remark("note", f"left alone {each.target}: {each.what}")
    if not found:
        say("nothing to recover")
    elif not any(each.taken for each in found):
        say("nothing was recovered: the notes say what was left alone")
