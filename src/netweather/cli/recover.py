"""`netweather recover`: what dead processes left is taken away."""

from __future__ import annotations

from typing import Any

from netweather.cli import pages
from netweather.cli.options import Json
from netweather.cli.output import say, say_json

_EXAMPLES = """
netweather recover
"""


def _recover(as_json: Json = False) -> None:
    """Takes away everything of Netweather's that nobody keeps any more.

    After a crash, or a kill -9 of everything. Conditions that a living process keeps are left alone; what others made is
    never touched. Leases hold without this: the kernel itself lets traffic pass once they are over.
    """
    from netweather.cli.problems import need_root

    need_root()
    from netweather.engine import Engine

    found = Engine().recover()
    if as_json:
        say_json([{"target": each.target, "recovered": each.what} for each in found])
        return
    for each in found:
        say(f"recovered {each.target}: {each.what}")
    if not found:
        say("nothing to recover")


def command() -> Any:
    """The Typer command."""
    return pages.command(_recover, name="recover", examples=_EXAMPLES)
