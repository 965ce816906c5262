"""The command `netweather demo`: its flags, what is printed where, and its exit code. Not here: the demo (story)."""

from __future__ import annotations

import argparse
import json
import os
import sys

from rich.console import Console
from rich.live import Live
from rich.text import Text

from netweather.demo import display
from netweather.demo.findings import Report, document
from netweather.demo.interrupt import Interrupted, Interrupts
from netweather.demo.shop_profiles import networks
from netweather.errors import NetweatherError


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="netweather demo",
        description="A small web shop on five networks, in namespaces of its own; about a minute. Needs root.",
    )
    parser.add_argument("--fast", action="store_true", help="fewer measurements and customers: about 25 seconds")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--no-color", action="store_true", help="print without colours")
    return parser


def run(arguments: list[str] | None) -> int:
    """See netweather.demo.main."""
    options = _parser().parse_args(arguments)
    errors = Console(stderr=True, no_color=options.no_color, highlight=False)
    try:
        _need_root()
        with Interrupts() as interrupts:
            report = _show(options, interrupts)
    except Interrupted as interrupted:
        errors.print(Text(f"{interrupted}: the demo ended early and removed everything it created."))
        return 128 + interrupted.number
    except NetweatherError as error:
        if options.json:
            sys.stdout.write(json.dumps(error.as_problem()) + "\n")
        else:
            errors.print(Text(str(error)))
        return error.exit_code
    return 1 if report.shortcomings else 0


def _need_root() -> None:
    if os.geteuid() != 0:
        raise NetweatherError("needs-root", "the demo needs root", "it creates network namespaces", "sudo netweather demo")


def _show(options: argparse.Namespace, interrupts: Interrupts) -> Report:
    from netweather.demo.story import FAST, FULL, Story, steps_of

    pace = FAST if options.fast else FULL
    all_of_them = networks()
    total_s = 2.0 + sum(seconds for one in all_of_them for _, seconds in steps_of(one.asked, pace))
    console = Console(no_color=options.no_color, highlight=False, stderr=options.json)
    screen = display.Screen(all_of_them, total_s)
    if not options.json:
        console.print(_introduction(total_s))
    with Live(screen, console=console, refresh_per_second=8, transient=True):
        report = Story(pace, interrupts, screen.step, screen.add).run()
    if options.json:
        sys.stdout.write(json.dumps(document(report), indent=1) + "\n")
    else:
        console.print(display.table(report.results))
        console.print(display.conclusions(report))
    return report


def _introduction(total_s: float) -> Text:
    return Text.assemble(
        ("A web shop on five networks", "bold"),
        ": customers ═══ shop ═══ payment service.\nReal HTTP over TCP, in network namespaces made for it. ",
        f"About {total_s:.0f} seconds.\n",
    )
