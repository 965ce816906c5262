"""`python -m tools.bench`: runs the sections, prints the table, writes the JSON, and takes everything away again."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from types import FrameType

from rich.console import Console

from tools.bench import classifier, commands, latency, pump, unmatched
from tools.bench.figures import Rows
from tools.bench.load import busy_share
from tools.bench.network import sweep
from tools.bench.report import Report, show
from tools.bench.rounds import Plan
from tools.natives import ROOT

SECTIONS: dict[str, Callable[[Plan], Rows]] = {
    "pump": pump.run,
    "unmatched": unmatched.run,
    "classifier": classifier.run,
    "latency": latency.run,
    "commands": commands.run,
    "help": commands.run_help,
}
INTERRUPTED = 130


class Interrupted(BaseException):
    """A signal asks to stop."""


def _stop(number: int, _: FrameType | None) -> None:
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)  # cleaning up is not interrupted a second time
    raise Interrupted(signal.Signals(number).name)


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument("--only", action="append", default=[], metavar="SECTION", help=f"of {', '.join(SECTIONS)}; repeatable")
    parser.add_argument("--rounds", type=int, help="how often each variant is measured (default: 9; with --quick 3)")
    parser.add_argument("--quick", action="store_true", help="short measures: shows that it works, not what it costs")
    parser.add_argument(
        "--json", type=Path, default=ROOT / "build" / "bench.json", metavar="FILE", help="default: build/bench.json"
    )
    options = parser.parse_args(words)
    options.only = [name for words in options.only for name in words.split(",")] or list(SECTIONS)
    if unknown := set(options.only) - set(SECTIONS):
        parser.error(f"unknown section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    options.rounds = options.rounds or (3 if options.quick else 9)
    return options


def measure(report: Report, plan: Plan, names: Sequence[str]) -> None:
    """Runs sections; one that fails is told, and the others still run."""
    for name in names:
        try:
            with closing(SECTIONS[name](plan)) as rows:
                for one in rows:
                    report.rows.append(one)
        except Exception as error:
            report.problems.append(f"{name}: {type(error).__name__}: {error}")


def main(words: Sequence[str] | None = None) -> int:
    options = arguments(words)
    if os.geteuid():
        print("make bench needs root: network namespaces and BPF", file=sys.stderr)
        return 1
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    sweep()
    report = Report({"rounds": options.rounds, "quick": options.quick, "only": options.only}, busy_share())
    progress = Console(stderr=True)
    code = 0
    with progress.status("…") as status:
        try:
            measure(report, Plan(options.rounds, options.quick, status.update), options.only)
        except Interrupted as signalled:
            report.problems.append(f"interrupted by {signalled}")
            code = INTERRUPTED
    show(report, Console(width=None if sys.stdout.isatty() else 200))
    report.write(options.json)
    print(f"written: {options.json}")
    return code or bool(report.problems)


if __name__ == "__main__":
    sys.exit(main())
