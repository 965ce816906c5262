"""`netweather find-limit`: how bad a network may be before a command starts to fail, and how sure that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netweather.cli import command_factory
from netweather.cli.options import direct_option, json_option, with_flags
from netweather.cli.output import remark, say, say_json
from netweather.cli.signals import Stopped, stopped_by_signals
from netweather.cli.trials.trial_options import (
    CANT_TELL,
    command_argument,
    command_of,
    localhost_option,
    place_of,
    reach_option,
    seconds_of,
    target_option,
    timeout_option,
    unmatched_option,
    words_of,
)
from netweather.errors import UsageError

if TYPE_CHECKING:
    from netweather.testing.limits.limit_search import FoundLimit, LimitRun
    from netweather.testing.limits.vary import Vary

_EXAMPLES = """
# how much delay before this fails?
netweather find-limit --vary delay=0..5s -- curl -m9 http://host.netweather/
# how low a rate before it fails, in the network of the service
netweather find-limit --vary rate=10mbit..64kbit --target docker:shop \\
  --plot limit.svg -- ./smoke-test
# for CI: exit 1 if COMMAND fails with 3 % loss
netweather find-limit --vary loss=0..30% --at-least 3% --timeout 20s \\
  -- ./smoke-test
"""


@command_factory.command("find-limit", examples=_EXAMPLES)
@command_argument
@command_factory.option(
    "--vary", metavar="WORD=GOOD..BAD", help="property to vary: delay=0..5s, loss=0..30%, rate=10mbit..64kbit"
)
@target_option
@reach_option
@localhost_option
@command_factory.option("--steps", metavar="N", help="number of steps between GOOD and BAD (default: 64)")
@command_factory.option("--repeats", metavar="N", help="runs for each value tried, an odd number (default: 1)")
@command_factory.option("--confidence", metavar="PERCENT", help="confidence of the result (default: 95%)")
@command_factory.option("--at-least", metavar="VALUE", help="exit 1 if COMMAND fails before this value")
@timeout_option
@command_factory.option("--plot", metavar="FILE", help="write a plot: out.svg or out.png")
@unmatched_option
@direct_option
@json_option
@with_flags("condition", "match")
def command(  # long: a line for each option
    command: tuple[str, ...],
    *,
    vary: str | None,
    target: tuple[str, ...],
    reach: tuple[str, ...],
    localhost: bool,
    steps: str | None,
    repeats: str | None,
    confidence: str | None,
    at_least: str | None,
    timeout: str | None,
    plot: str | None,
    allow_unmatched: bool,
    direct: bool,
    as_json: bool,
    **flags: Any,
) -> int:
    """Finds how bad the network may get before COMMAND fails. Varies one property by bisection.

    COMMAND fails if its exit code is not 0 or if it takes longer than --timeout. Separate runs then confirm the worst value
    that passed and the best value that failed, so that the printed confidence is valid (docs/find-limit.md). Exit 0: the limit
    was found, or COMMAND passes everywhere; 1: COMMAND fails even at GOOD (see --vary), or before --at-least; 3: results are
    too irregular to decide.
    """
    from netweather.measure import plots
    from netweather.testing.limits import vary as varying
    from netweather.testing.limits.limit_search import Search, draw

    words = command_of(command, "find-limit")
    if vary is None:
        raise UsageError("bad-range", "no property to vary is given", "", "write --vary delay=0..5s")
    way = varying.parse(vary, _count("steps", steps, 64, 2, 10_000))
    conditions = words_of(flags, unmatched=allow_unmatched)
    if way.word.replace("-", "_") in conditions:
        raise UsageError("conflicting-flags", f"--vary {way.word} and --{way.word} are given", "", "leave one of them out")
    bound = varying.bound(way, at_least) if at_least else None
    if plot is not None:
        plots.check(plot)
    search = Search(
        place_of(target, reach, localhost=localhost, direct=direct), words, way, conditions,
        seconds_of(timeout), _odd(_count("repeats", repeats, 1, 1, 99)), _share(confidence),
    )  # fmt: skip
    try:
        with stopped_by_signals():
            found = search.run(lambda run: _progress(run, way))
    except Stopped as stopped:
        return stopped.exit_code
    if plot is not None:
        draw(found, plot)
    if as_json:
        say_json(found.plain())
    else:
        say("\n".join(found.sentences()))
    return _exit_code(found, bound)


def _count(name: str, text: str | None, default: int, least: int, most: int) -> int:
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        why = f"a whole number from {least} to {most} is needed"
        raise UsageError("bad-count", f"--{name} {text!r} is out of range", why, f"write --{name} {default}")
    return int(text)


def _odd(count: int) -> int:
    if count % 2 == 0:
        raise UsageError("bad-count", f"--repeats {count} is even", "the majority decides", f"write --repeats {count + 1}")
    return count


def _share(text: str | None) -> float:
    from netweather.units import Percent

    found = 0.95 if text is None else Percent.parse(text).fraction
    if not 0.5 <= found <= 0.9999:
        why = "more confidence needs more runs; 100 % is not possible"
        raise UsageError("bad-count", f"--confidence {text} is out of range", why, "write a value from 50% to 99.99%")
    return found


def _progress(run: LimitRun, way: Vary) -> None:
    from netweather.reports.matrix_pages import seconds

    word = "fails" if run.failed else "passes"
    remark(f"{run.number:>3}", f"{way.word} {run.value}: {word} after {seconds(run.seconds)}")


def _exit_code(found: FoundLimit, bound: float | None) -> int:
    if not found.limit.sure:
        return CANT_TELL
    if found.limit.passes is None:
        return 1
    return 0 if bound is None or found.reaches(bound) else 1
