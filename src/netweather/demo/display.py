"""How the demo looks: a table that fills, a bar below it, and the conclusions in words. 80 columns are enough."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Sequence

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from netweather.demo.customers import PATIENCE_S
from netweather.demo.findings import DemoReport, Network, Result, ShopOutcome, names, networks
from netweather.demo.shop import PROCESSING_S
from netweather.demo.story import FAST, FULL, Plan, Story

WIDTH = 80
SHOPS = ("naive", "fixed")


def run(*, fast: bool, colours: bool, quiet: bool) -> DemoReport:
    """Runs the demo and shows it; quiet: only its progress, on stderr. Raises NetweatherError."""
    pace = FAST if fast else FULL
    total_s = 2.0 + sum(sum(Plan(one.asked, pace).steps.values()) for one in networks())
    console = Console(no_color=not colours, highlight=False, stderr=quiet)
    screen = Screen(networks(), total_s)
    if not quiet:
        console.print(_introduction(total_s))
    with Live(screen, console=console, refresh_per_second=8, transient=True):
        report = Story(pace, screen.step, screen.add).run()
    if not quiet:
        console.print(table(report.results))
        console.print(conclusions(report))
    return report


def _introduction(total_s: float) -> Text:
    return Text.assemble(
        ("A web shop on five networks", "bold"),
        ": customers ═══ shop ═══ payment service.\nReal HTTP over TCP, in network namespaces made for it. ",
        f"About {total_s:.0f} seconds.\n",
    )


class Screen:
    """What is shown while the demo runs. Rendered again and again by rich's Live; its bar moves with the clock.

    total_s: how long all steps should take.
    """

    def __init__(self, networks: Sequence[Network], total_s: float) -> None:
        self.networks, self.total_s = networks, total_s
        self.results: list[Result] = []
        self.what = "starting"
        self.before_s = self.step_s = 0.0
        self.since = self.begin = time.monotonic()

    def step(self, what: str, seconds: float) -> None:
        """A step begins."""
        self.before_s += self.step_s
        self.what, self.step_s, self.since = what, seconds, time.monotonic()

    def add(self, result: Result) -> None:
        """A network is done."""
        self.results.append(result)

    @property
    def done_s(self) -> float:
        """Of total_s; a step that takes longer than it should makes the bar wait at its end."""
        return min(self.total_s, self.before_s + min(self.step_s, time.monotonic() - self.since))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield table(self.results, self.networks[len(self.results) :])
        line = Table.grid(padding=(0, 1))
        passed = time.monotonic() - self.begin
        line.add_row(Text(f"{passed:3.0f} s", "dim"), ProgressBar(self.total_s, self.done_s, width=32), Text(self.what))
        yield line


def table(results: Sequence[Result], to_come: Sequence[Network] = ()) -> Table:
    """Asked and seen, and the checkout's time and outcome at both shops."""
    made = Table(box=box.SIMPLE_HEAD, padding=0, show_edge=False, header_style="")
    made.add_column("\nnetwork", width=11)
    made.add_column("", width=5, style="dim")
    made.add_column("round trip\nmedian, p95", width=13, justify="right")
    made.add_column("packets\nlost", width=10, justify="right")
    made.add_column("download\nMbit/s", width=8, justify="right")
    made.add_column("naive shop:\ncheckout", width=14)
    made.add_column("fixed shop:\ncheckout", width=13)
    for result in results:
        _add(made, result)
    for number, network in enumerate(to_come):
        style = "dim" if number else ""  # the first of them is the one at work
        made.add_row(Text(network.name, style), "asked", *(Text(cell, style) for cell in asked_cells(network)), "", "")
        made.add_row("", "seen", "", "", "", "", "", end_section=True)
    return made


def _add(made: Table, result: Result) -> None:
    mark = Text("seen", "dim") if not result.faults else Text("seen", "bold yellow")
    checkouts = [outcome_cell(result.outcomes[shop]) for shop in SHOPS]
    made.add_row(Text(result.network.name, "bold"), "asked", *asked_cells(result.network), *(cell[0] for cell in checkouts))
    made.add_row("", mark, *seen_cells(result), *(cell[1] for cell in checkouts), end_section=True)


def asked_cells(network: Network) -> tuple[str, str, str]:
    """Round trip, loss and rate that were asked for."""
    asked = network.asked
    trip = f"{milliseconds(asked.rtt_ms)}, {milliseconds(asked.rtt_p95_ms)} ms" if network.rules else "unchanged"
    return trip, percent(asked.loss), megabits(asked.rate_down) if asked.rate_down else "no limit"


def seen_cells(result: Result) -> tuple[str, str, str]:
    """The same as they were measured."""
    seen = result.seen
    lost, between = percent(seen.lost.share), seen.lost.between()
    if seen.lost.count:
        lost += f" ±{(between.high - between.low) / 2 * 100:.1f}"
    return f"{milliseconds(seen.rtt_ms)}, {milliseconds(seen.rtt_p95_ms)} ms", lost, megabits(seen.goodput)


def outcome_cell(outcome: ShopOutcome) -> tuple[Text, Text]:
    """The checkout's time, and what the ledger says; the worst that happened to any customer stands out."""
    took = Text(f"{outcome.seconds:.2f} s" + (", retry" if outcome.retried else ""))
    many = outcome.customers > 1
    if outcome.twice:
        return took, Text(f"PAID TWICE {_of(outcome.twice, outcome)}".strip(), "bold red")
    if outcome.once == outcome.told == outcome.customers:
        return took, Text("all paid once" if many else "paid once", "green")
    if outcome.once < outcome.customers:
        return took, Text(f"not paid {_of(outcome.customers - outcome.once, outcome)}".strip(), "yellow")
    return took, Text(f"no answer {_of(outcome.customers - outcome.told, outcome)}".strip(), "yellow")


def _of(count: int, outcome: ShopOutcome) -> str:
    return f"{count}/{outcome.customers}" if outcome.customers > 1 else ""


def milliseconds(value: float) -> str:
    """Three digits that mean something."""
    return f"{value:.2f}" if value < 1 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def seconds(value: float) -> str:
    """For a sentence: number and unit stay together."""
    return f"{value:.1f}\N{NO-BREAK SPACE}s"


def percent(share: float) -> str:
    return f"{share * 100:.1f} %" if share else "0 %"


def megabits(rate: float) -> str:
    value = rate / 1e6
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def conclusions(report: DemoReport) -> Group:
    """What it means, in a few lines, and what to do next."""
    lines = [_naive(report), _fixed(report), _changes(report), _left(report)]
    return Group(Text(), *(_bullet(ok, text) for ok, text in lines), Text(), *_next())


def _bullet(ok: bool, text: str) -> Text:
    """Wrapped here, because rich breaks lines at no-break spaces too."""
    mark = ("✓", "bold green") if ok else ("✗", "bold red")
    return Text.assemble(mark, " ", "\n  ".join(textwrap.wrap(text, WIDTH - 2)))


def _naive(report: DemoReport) -> tuple[bool, str]:
    caught = report.caught("naive")
    if not caught:
        return False, "The naive shop's double purchase was not seen this time. That is what the demo is for."
    told = all(result.outcomes["naive"].told == result.outcomes["naive"].customers for result in caught)
    fine = " Every customer saw one success: only the ledger shows it." if told else ""
    patience, takes = PATIENCE_S[0], PROCESSING_S
    return True, (
        f"Found a double purchase, on {names(caught)}: payment takes {seconds(takes)}, browsers wait {seconds(patience)} and ask "
        f"again, and the naive shop charges again.{fine}"
    )


def _fixed(report: DemoReport) -> tuple[bool, str]:
    if caught := report.caught("fixed"):
        return False, f"The fixed shop sold twice as well, on {names(caught)}: its idempotency key does not work."
    retried = sum(result.outcomes["fixed"].retried for result in report.results)
    return True, (
        f"Fixed by an idempotency key: the same networks and time-outs, {_times(retried, 'retry', 'retries')}, "
        "and no customer paid twice."
    )


def _changes(report: DemoReport) -> tuple[bool, str]:
    found, stream = report.connections, report.stream
    ok = not (found.broken or stream["broken"] or stream["missing"])
    hung_up = f" {found.hung_up} were closed by browsers after their timeout." if found.hung_up else ""
    broke = "none" if not found.broken else str(found.broken)
    return ok, (
        f"Changed live under {found.opened} open TCP connections: {broke} broke, {found.still} were the same from the first "
        f"network to the last.{hung_up} A stream of {stream['messages']:,} messages ran through it all, {stream['missing']} missing."
    )


def _left(report: DemoReport) -> tuple[bool, str]:
    faulty = [result for result in report.results if result.faults]
    seen = f"Not as asked: {'; '.join(f'{r.network.name}, {fault}' for r in faulty for fault in r.faults)}."
    if report.left:
        return False, f"Left behind: {', '.join(report.left)}. `netweather recover` takes it away."
    back = f"{milliseconds(report.back_ms)}\N{NO-BREAK SPACE}ms"
    gone = f"Nothing is left: the round trip was back at {back}, and the demo's namespaces were removed."
    return not faulty, f"{'Seen is what was asked, five times.' if not faulty else seen} {gone}"


def _times(count: int, one: str, more: str) -> str:
    return f"{count} {one if count == 1 else more}"


def _next() -> list[Text]:
    commands = (
        ("netweather targets", "the containers you can do this to"),
        ("netweather set docker:NAME --profile 3g", "ten minutes of 3G for one of them"),
        ("netweather verify docker:NAME", "asked, in the kernel, on the wire"),
        ("netweather profiles", "these networks and more, with sources"),
    )
    return [
        Text("What next", "bold"),
        *(Text.assemble("  ", (f"{command:<41}", "cyan"), (why, "dim")) for command, why in commands),
    ]
