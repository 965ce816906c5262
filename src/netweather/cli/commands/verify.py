"""`netweather verify`: what was asked, what the kernel holds, what was seen on the wire; PASS, FAIL or CAN'T TELL."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from netweather.cli import command_factory, completion
from netweather.cli.full_ids import connected
from netweather.cli.options import direct_option, json_option
from netweather.cli.output import say, say_json, styled, table, wrapped
from netweather.cli.wording import lived_words
from netweather.errors import NetweatherError, UsageError
from netweather.settings import Settings

if TYPE_CHECKING:
    from netweather.engine.verification import ProgressCallback
    from netweather.measure import ConditionEvidence, Figure, Measured, Verdict
    from netweather.results import Experienced
    from netweather.service import Service

_EXAMPLES = """
netweather verify docker:shop-api
netweather verify docker:shop-api --peer docker:shop-db --plot evidence.svg
# measure only round trips, to a host where you cannot run a probe
netweather verify netns:db --name slow --to 198.51.100.7
netweather verify netns:db --peer netns:web --json | jq -r .verdict
"""
_COLOURS: Final = {"PASS": "green", "FAIL": "red", "CAN'T TELL": "yellow"}


@command_factory.command("verify", examples=_EXAMPLES)
@command_factory.argument("target", metavar="TARGET", complete=completion.targets, help="the target")
@command_factory.option("--name", metavar="NAME", help="only this condition; default: all on TARGET")
@command_factory.option(
    "--to", metavar="HOST", help="host to send probe packets to; default: the first peer that the rule matches"
)
@command_factory.option(
    "--peer", metavar="TARGET", help="peer target that receives the probe packets; measures each direction separately"
)
@command_factory.option("--samples", metavar="N", help="probe packets in each direction; default: as many as fit in 10 s")
@command_factory.option("--plot", metavar="FILE", help="write a plot: out.svg or out.png")
@direct_option
@json_option
def command(
    target: str,
    *,
    name: str | None,
    to: str | None,
    peer: str | None,
    samples: str | None,
    plot: str | None,
    direct: bool,
    as_json: bool,
) -> int:
    """Measures the conditions on TARGET with probe packets and compares three things: what you set, what the kernel has, and
    what the probes saw.

    The probe packets are matched by the condition's own rule, and they increase its counter. Each field is PASS, FAIL or CAN'T
    TELL (not enough evidence), with its confidence interval. Exit 0: PASS; 1: FAIL; 3: CAN'T TELL.
    """
    count = _count(samples)
    if plot is not None:
        from netweather.measure import plots

        plots.check(plot)
    from netweather.engine.verification import VerifyOptions

    service = connected(Settings.load(), direct=direct or plot is not None)  # what is drawn doesn't come over the wire
    with bar(quiet=as_json) as progress:
        evidence = service.verify(target, VerifyOptions(name, to, peer, count), progress)
    if plot is not None:
        plots.draw(evidence, plot)
    lived = _lived(service, target)
    if as_json:
        documents = [_document(each, lived.get((each.target, each.name), ())) for each in evidence]
        say_json(documents[0] if len(documents) == 1 else documents)
    for each in [] if as_json else evidence:
        tell(each)
        for line in lived_words(each.name, lived.get((each.target, each.name), ())):
            say(line)
    return whole(evidence).exit_code


def _lived(service: Service, target: str) -> dict[tuple[str, str], Sequence[Experienced | None]]:
    """What the connections of each rule lived through, by target and condition; the evidence stands without it, too."""
    with contextlib.suppress(NetweatherError, OSError):
        shown = service.show([target], lived=True)
        return {(each.target.reference, each.condition.name): each.lived or () for each in shown}
    return {}


def _document(evidence: ConditionEvidence, lived: Sequence[Experienced | None]) -> dict[str, Any]:
    from netweather.wire.condition_documents import EXPERIENCED
    from netweather.wire.evidence_documents import EVIDENCE

    rules = [{"rule": number, **EXPERIENCED.write(one)} for number, one in enumerate(lived) if one is not None]
    return {**EVIDENCE.write(evidence), "experienced": rules}


def whole(evidence: Iterable[ConditionEvidence]) -> Verdict:
    """One verdict for all of it."""
    from netweather.measure import worst

    return worst(each.verdict for each in evidence)


def _count(samples: str | None) -> int | None:
    if samples is None:
        return None
    if not samples.isascii() or not samples.isdigit() or not 10 <= int(samples) <= 1_000_000:
        why = "a whole number from 10 to 1000000 is needed"
        raise UsageError("bad-count", f"--samples {samples!r} is not a number of packets", why, "write --samples 5000")
    return int(samples)


@contextlib.contextmanager
def bar(*, quiet: bool) -> Iterator[ProgressCallback]:
    """Shows how far the measuring is, where somebody sees it."""
    if quiet or not sys.stderr.isatty():
        from netweather.engine.verification import silent

        yield silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("measuring"), BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("", total=1.0)
        yield lambda share, text: shown.update(task, completed=share, description=text)


# saying it


def tell(evidence: ConditionEvidence) -> None:
    """A table of the fields, what the kernel holds, and the verdict."""
    from netweather.cli.output import drawn

    say(f"{evidence.target}, {evidence.name!r}: {_verdict(evidence.verdict)}")
    kernel = evidence.kernel
    state = "has the rules" if not evidence.problems else "differs from the request"
    lines = len(kernel.get("lines", ()))
    read = f", {lines} line{'s' if lines != 1 else ''} read back" if lines else ""
    say(f"in the kernel: {_verdict(evidence.kernel_verdict)}, it {state}{read}")
    for problem in evidence.problems:
        say(f"  {styled('problem:', 'red', sys.stdout)} {problem}")
    for each in evidence.measured:
        say(f"rule {each.rule + 1} on the wire: {each.probe}; its counter moved by {each.packets:,}")
        rows = [_row(figure) for figure in each.figures if _worth_telling(figure)]
        if rows:
            say(drawn(table(("  Field", "Direction", "Asked", "Seen", "Without it", "±", "99.9 % interval", "Verdict"), rows)))
        if each.null:
            say(wrapped(f"  without the condition: {'; '.join(null.words() for null in each.null)}", "", "    ", sys.stdout))
        _say_reasons(each)


def _worth_telling(figure: Figure) -> bool:
    """What nobody asked for, and nobody saw, fills no row; losses always do."""
    if figure.name == "all":
        return False  # its reason says it
    return bool(figure.asked or figure.seen or figure.verdict != "PASS" or figure.name in ("loss", "jitter", "delay"))


def _say_reasons(measured: Measured) -> None:
    reasons = dict.fromkeys(
        (figure.verdict, figure.name, figure.direction, figure.why) for figure in measured.figures if figure.why
    )
    for verdict, name, direction, why in reasons:
        say(f"  {_verdict(verdict)} {name}{', ' + direction if direction else ''}: {why}")


def _row(figure: Figure) -> list[Any]:
    from rich.text import Text

    from netweather.measure import value_words

    interval = figure.interval
    between = f"{value_words(interval.low, figure.unit)} – {value_words(interval.high, figure.unit)}" if interval else ""
    asked = "as asked" if figure.unit == "distance" else value_words(figure.asked, figure.unit)
    seen = value_words(figure.seen, figure.unit)
    return [f"  {figure.name}", figure.direction, asked, f"{seen} apart" if figure.unit == "distance" and seen else seen,
            value_words(figure.without, figure.unit), value_words(figure.error, figure.unit), between,
            Text(str(figure.verdict), _COLOURS[str(figure.verdict)])]  # fmt: skip


def _verdict(verdict: Verdict) -> str:
    return styled(str(verdict), f"bold {_COLOURS[str(verdict)]}", sys.stdout)
