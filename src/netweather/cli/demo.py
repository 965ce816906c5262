"""`netweather demo`: calls netweather.demo, which is not loaded before."""

from __future__ import annotations

import importlib
import sys
from typing import Annotated, Any

import typer

from netweather.cli import pages
from netweather.cli.options import Json
from netweather.cli.output import coloured
from netweather.connecting import need_root
from netweather.errors import NetweatherError

_EXAMPLES = """
sudo netweather demo
sudo netweather demo --fast
"""


def _demo(
    fast: Annotated[bool, typer.Option("--fast", help="fewer measurements and customers: about 20 seconds")] = False,
    as_json: Json = False,
) -> int:
    """Makes a small web shop, takes it through five networks, and shows what its customers see.

    Everything is made for the demonstration and removed after it; nothing of yours is touched. About a minute.
    """
    need_root()
    try:
        module = importlib.import_module("netweather.demo")
    except ModuleNotFoundError as error:
        if error.name != "netweather.demo":
            raise
        raise NetweatherError("no-demo", "this installation has no demo", "", "install netweather from its repository") from error
    switches = {"--fast": fast, "--json": as_json, "--no-color": not coloured(sys.stdout)}
    return int(module.main([switch for switch, given in switches.items() if given]) or 0)


def command() -> Any:
    """The Typer command."""
    return pages.command(_demo, name="demo", examples=_EXAMPLES)
