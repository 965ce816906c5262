"""`netweather demo`: shows the demo while it runs, and its report."""

from __future__ import annotations

import signal
import sys

from netweather.cli import command_factory
from netweather.cli.options import json_option
from netweather.cli.output import coloured, remark, say_json
from netweather.cli.signals import Stopped, stopped_by_signals
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
        from netweather.demo import display, findings
    except ModuleNotFoundError as error:
        if error.name != "netweather.demo":
            raise
        raise NetweatherError("no-demo", "this installation has no demo", "", "install netweather from its repository") from error
    try:
        with stopped_by_signals():
            report = display.run(fast=fast, colours=coloured(sys.stdout), quiet=as_json)
    except Stopped as stopped:
        remark("stopped", f"{signal.Signals(stopped.number).name}: the demo ended early and removed everything that it created")
        return stopped.exit_code
    if as_json:
        say_json(findings.document(report))
    return 1 if report.shortcomings else 0
