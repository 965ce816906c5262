"""`netweather run`: a command in a bad network of its own, from which it reaches this machine's services."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from netweather.cli import pages
from netweather.cli.options import with_flags
from netweather.cli.output import remark
from netweather.cli.trying import Command, Localhost, Reach, command_of, place_of, words_of

if TYPE_CHECKING:
    from netweather.kernel.commands import Started
    from netweather.testing.evidence import Evidence

_EXAMPLES = """
# this machine's services are at host.netweather, those on its loopback too
netweather run --profile 3g -- curl http://host.netweather:8000/
# only the database is slow; localhost means this machine
netweather run --delay 200ms --port 5432 --localhost -- pytest tests/
# what else is to be reached is named
netweather run --loss 3% --reach db.example.org:5432 -- ./backup
"""
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@with_flags("condition", "match")
def _run(
    command: Command = None,
    *,
    reach: Reach = None,
    localhost: Localhost = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="tell at the end what COMMAND's packets met")] = False,
    **flags: Any,
) -> int:
    """Runs COMMAND in a network of its own, which is as bad as you say.

    From there it reaches the TCP and UDP services of this machine at the name host.netweather (169.254.77.1), its resolver, and what
    --reach names; nothing else. The machine's own network is not touched. Needs root, and no Docker. All of it ends with COMMAND,
    whose exit code is ours; what COMMAND left in the background is killed.
    """
    from netweather.errors import NetweatherError
    from netweather.testing.trials import Wanted, degraded, environment

    words = command_of(command, "run")
    wanted = Wanted("run", None, words_of(flags, unmatched=True))
    place = place_of(None, reach, localhost=localhost, direct=True)
    told: list[Evidence] = []
    code: int | None = None
    with place.open() as spot:
        try:
            with degraded(spot, wanted, told):
                started = spot.start(
                    words, environment(" ".join(f"{k} {v}" for k, v in wanted.words.items() if k != "allow_unmatched"))
                )
                with _forwarding(started):
                    code = started.wait()
        except NetweatherError as error:
            if not code:
                raise
            remark("warning", f"{error.what}: {error.why}")
    for each in told if verbose else ():
        remark("network", f"{each.condition}: met by {each.packets} packets, {each.dropped} of them dropped")
    assert code is not None
    return code


def command() -> Any:
    """The Typer command."""
    return pages.command(_run, name="run", examples=_EXAMPLES)


@contextmanager
def _forwarding(started: Started) -> Iterator[None]:
    """Signals are COMMAND's; we end when it does. What the terminal sends, it has got itself."""

    def forward(number: int, frame: FrameType | None) -> None:
        if number != signal.SIGINT or not _in_foreground():
            started.signal(number)

    before = {number: signal.signal(number, forward) for number in _FORWARDED}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _in_foreground() -> bool:
    try:
        return os.tcgetpgrp(sys.__stdin__.fileno()) == os.getpgrp() if sys.__stdin__ else False
    except OSError:
        return False
