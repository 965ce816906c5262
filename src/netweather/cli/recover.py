"""`netweather recover`: what dead processes left is taken away."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from netweather.cli import pages
from netweather.cli.options import Json
from netweather.cli.output import remark, say, say_json
from netweather.connecting import need_root

_EXAMPLES = """
sudo netweather recover
"""


def _recover(
    *,
    force: Annotated[
        bool, typer.Option("--force", help="also what is in force and belongs to another state directory, such as a container's")
    ] = False,
    as_json: Json = False,
) -> None:
    """Takes away everything of Netweather's that nobody keeps any more.

    After a crash, or a kill -9 of everything. Conditions that a living process keeps are left alone; what others made is
    never touched. Leases hold without this: the kernel itself lets traffic pass once they are over.
    """
    need_root()
    from netweather.engine import Engine

    found = Engine().recover(force=force)
    if as_json:
        say_json([{"target": each.target, "what": each.what, "recovered": each.taken} for each in found])
        return
    for each in found:
        if each.taken:
            say(f"recovered {each.target}: {each.what}")
        else:
            remark("note", f"left alone {each.target}: {each.what}; --force takes it away")
    if not any(each.taken for each in found):
        say("nothing to recover")


def command() -> Any:
    """The Typer command."""
    return pages.command(_recover, name="recover", examples=_EXAMPLES)
