"""The bench: runs its sections, prints the table, writes the JSON, and takes everything away again, also when interrupted."""

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

from tools.bench import agent, classifier, commands, connections, latency, netem, plugin, pump, scope, stats, unmatched
from tools.bench.figures import Rows
from tools.bench.load import busy_share
from tools.bench.network import sweep
from tools.bench.report import Report, markdown, show
from tools.bench.rounds import Plan, Quiet
from tools.natives import ROOT

SECTIONS: dict[str, Callable[[Plan], Rows]] = {
    "pump": pump.run,
    "unmatched": unmatched.run,
    "classifier": classifier.run,
    "stats": stats.run,
    "latency": latency.run,
    "agent": agent.run,
    "commands": commands.run,
    "connections": connections.run,
    "help": commands.run_help,
    "plugin": plugin.run,
    "scope": scope.run,
    "netem": netem.run,
}
ASKED_FOR = {"netem"}
"""Not without being named: where this kernel has no netem, it boots a guest."""
INTERRUPTED = 130
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
WIDTH = 200
PATIENCE_S = 180
"""How long, in all, it waits for others on this machine."""


class Interrupted(BaseException):
    """A signal asks to stop."""


def _stop(number: int, _: FrameType | None) -> None:
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)  # cleaning up is not interrupted a second time
    raise Interrupted(signal.Signals(number).name)


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    about = "What Netweather costs, beside baselines measured in the same run."
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=about)
    parser.add_argument("--only", action="append", default=[], metavar="SECTION", help=f"of {', '.join(SECTIONS)}; repeatable")
    parser.add_argument("--rounds", type=int, help="how often each variant is measured (default: 9; with --quick 3)")
    parser.add_argument("--quick", action="store_true", help="short measures: shows that it works, not what it costs")
    parser.add_argument(
        "--json", type=Path, default=ROOT / "build" / "bench.json", metavar="FILE", help="default: build/bench.json"
    )
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="the table, for a page such as docs/bench.md")
    options = parser.parse_args(words)
    options.only = [name for words in options.only for name in words.split(",")] or usual()
    if unknown := set(options.only) - set(SECTIONS):
        parser.error(f"unknown section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    options.rounds = options.rounds or (3 if options.quick else 9)
    return options


def usual() -> list[str]:
    """The sections of a run that names none."""
    return [name for name in SECTIONS if name not in ASKED_FOR]


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
    for number in SIGNALS:
        signal.signal(number, _stop)
    report = Report({"rounds": options.rounds, "quick": options.quick, "only": options.only}, busy_share())
    code = _run(report, options)
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    show(report, Console(width=None if sys.stdout.isatty() else WIDTH))
    report.write(options.json)
    if options.markdown:
        options.markdown.write_text(markdown(report))
    print(f"written: {options.json}")
    return code


def _run(report: Report, options: argparse.Namespace) -> int:
    quiet = Quiet(0 if options.quick else PATIENCE_S)
    with Console(stderr=True).status("…") as status:
        try:
            sweep()
            measure(report, Plan(options.rounds, options.quick, status.update, quiet), options.only)
        except Interrupted as signalled:
            report.problems.append(f"interrupted by {signalled}")
            return INTERRUPTED
        finally:
            report.quiet = str(quiet)
    return int(bool(report.problems))
