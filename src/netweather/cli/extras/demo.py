"""`netweather demo`: calls netweather.demo, which is not loaded before."""

from __future__ import annotations

import importlib
import sys

from netweather.cli import command_factory
from netweather.cli.options import json_option
from netweather.cli.output import coloured
from netweather.connecting import need_root
from netweather.errors import NetweatherError

_EXAMPLES = """
sudo netweather demo
sudo netweather demo --fast
"""


@command_factory.command("demo", examples=_EXAMPLES)
@command_factory.option("--fast", is_flag=True, help="fewer measurements and customers: about 20 seconds")
@json_option
def command(fast: bool, as_json: bool) -> int:
    """Starts a small web shop, runs it on five networks, and shows what its customers experience.

    The demo creates everything it needs and removes it afterwards. Nothing else is changed. It takes about a minute.
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
