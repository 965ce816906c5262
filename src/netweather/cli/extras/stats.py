"""`netweather stats`: what a target's processes asked of their sockets, and what became of it, while somebody looks."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from netweather.cli import command_factory, completion
from netweather.cli.full_ids import connected
from netweather.cli.options import direct_option, json_option
from netweather.cli.output import console, drawn, remark, say, say_json
from netweather.settings import Settings

if TYPE_CHECKING:
    from netweather.cli.extras.stats_watch import StatsWatch

_EXAMPLES = """
netweather stats docker:shop-api
netweather stats docker:shop-api --for 30s --by-process
# attach only the programs for these calls
netweather stats netns:db --only send,receive --for 10s
netweather stats netns:db --for 10s --json | jq '.calls.sendto.latency.p99'
"""
_EVERY_S: Final = 1.0


@command_factory.command("stats", examples=_EXAMPLES)
@command_factory.argument("target", metavar="TARGET", complete=completion.targets, help="the target")
@command_factory.option(
    "--for",
    "lasting",
    metavar="TIME",
    complete=lambda incomplete: [("10s", ""), ("1m", ""), ("10m", "")],
    help="count for this time, then print totals (e.g. 30s); default: until Ctrl-C",
)
@command_factory.option(
    "--only",
    metavar="WHAT",
    complete=completion.counted,
    help="count only send, receive, connect, tcp or these calls (e.g. sendto,tcp)",
)
@command_factory.option("--by-process", is_flag=True, help="list each process separately")
@command_factory.option("--plot", metavar="FILE", help="write a plot: out.svg or out.png")
@direct_option
@json_option
def command(
    target: str, *, lasting: str | None, only: str | None, by_process: bool, plot: str | None, direct: bool, as_json: bool
) -> None:
    """Counts the calls of TARGET's processes on their internet sockets: number, bytes, errors and latency.

    It also counts TCP events: connections, resets, retransmits, and packets dropped by reason. eBPF programs on tracepoints
    count in the kernel; they are removed when this command ends. The target is not changed.
    """
    from netweather.cli.extras.stats_watch import StatsWatch
    from netweather.engine.views.socket_stats import CounterSelection
    from netweather.units import Duration

    wanted = CounterSelection.parse(only, by_process=by_process)
    seconds = Duration.parse(lasting).seconds if lasting else None
    if plot is not None:
        from netweather.measure import plots

        plots.check(plot)
    with StatsWatch.open(connected(Settings.load(), direct=direct), target, wanted) as watch:
        for missing in watch.stats.missing:
            remark("note", f"this kernel has no tracepoint {missing}: nothing is counted of it")
        _look(watch, seconds, as_json=as_json)
        if plot is not None:
            from netweather.observation.socket_plots import draw

            draw(watch.drawn(), plot)


def _look(watch: StatsWatch, seconds: float | None, *, as_json: bool) -> None:
    """Until the time is over, or Ctrl-C; then the sum. As JSON: the sum alone, or without an end one line for each second."""
    try:
        with _display(watch, as_json=as_json, endless=seconds is None) as show:
            watch.follow(_EVERY_S, seconds, show)
    except KeyboardInterrupt:
        watch.look()
    if not as_json:
        _say_tables(watch, rates=False)
    elif seconds is not None:
        documents = watch.documents()
        say_json(documents[0] if len(documents) == 1 else documents)


@contextlib.contextmanager
def _display(watch: StatsWatch, *, as_json: bool, endless: bool) -> Iterator[Callable[[], None]]:
    """What is done after each second: a live table where it can be drawn over, else text, when there is no end to wait for."""
    if as_json or not sys.stdout.isatty():
        show = _say_lines if as_json else _say_tables
        yield (lambda: show(watch)) if endless else (lambda: None)
        return
    from rich.console import Group
    from rich.live import Live

    with Live(Group(*watch.tables()), console=console(), auto_refresh=False, transient=True) as live:
        yield lambda: live.update(Group(*watch.tables()), refresh=True)


def _say_lines(watch: StatsWatch) -> None:
    for document in watch.documents(last=True):
        say_json(document, compact=True)


def _say_tables(watch: StatsWatch, *, rates: bool = True) -> None:
    for table in watch.tables(rates=rates):
        say(drawn(table))
    sys.stdout.flush()
