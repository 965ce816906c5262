"""`netweather run`: a command in a bad network of its own, from which it reaches this machine's services."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any

from netweather.cli import command_factory
from netweather.cli.options import with_flags
from netweather.cli.output import remark
from netweather.cli.signals import Stopped, signals_heard, stop
from netweather.cli.trials.trial_options import command_argument, command_of, localhost_option, place_of, reach_option, words_of

if TYPE_CHECKING:
    from netweather.host.user_command import RunningCommand
    from netweather.reports.network_evidence import Evidence

_EXAMPLES = """
# services of this machine, also on its loopback, are at host.netweather
netweather run --profile 3g -- curl http://host.netweather:8000/
# only the database is slow; localhost reaches this machine's services
netweather run --delay 200ms --port 5432 --localhost -- pytest tests/
# --reach names other hosts that COMMAND needs
netweather run --loss 3% --reach db.example.org:5432 -- ./backup
"""


@command_factory.command("run", examples=_EXAMPLES)
@command_argument
@reach_option
@localhost_option
@command_factory.option("--verbose", is_flag=True, help="print at the end how many packets matched and were dropped")
@with_flags("condition", "match")
def command(command: tuple[str, ...], *, reach: tuple[str, ...], localhost: bool, verbose: bool, **flags: Any) -> int:
    """Runs COMMAND in its own network namespace, with a network that is degraded as the options say.

    COMMAND can reach the TCP and UDP services of this machine under the name host.netweather (169.254.77.1), this machine's DNS
    resolver, and the hosts that --reach names; nothing else. This machine's own network is not changed. Needs root, but no
    Docker. The network ends with COMMAND; background processes that COMMAND left are killed. The exit code is that of COMMAND.
    """
    from netweather.errors import NetweatherError
    from netweather.testing.trials import TrialNetwork, degraded, environment

    words = command_of(command, "run")
    wanted = TrialNetwork("run", None, words_of(flags, unmatched=True))
    place = place_of((), reach, localhost=localhost, direct=True)
    told: list[Evidence] = []
    code: int | None = None
    signals = _Signals()
    try:
        with signals_heard(signals.hear), place.open() as spot:
            try:
                with degraded(spot, wanted, told):
                    told_of = environment(" ".join(f"{k} {v}" for k, v in wanted.words.items() if k != "allow_unmatched"))
                    code = signals.start(lambda: spot.start(words, told_of)).wait()
            except NetweatherError as error:
                if not code:
                    raise
                remark("warning", f"{error.what}: {error.why}")
    except Stopped as stopped:
        return stopped.exit_code
    for each in told if verbose else ():
        remark("network", f"{each.condition}: matched {each.packets} packets, dropped {each.dropped}")
    assert code is not None
    return code


class _Signals:
    """Until COMMAND runs they end us, and all is undone; from then on they are its, and we end when it does."""

    def __init__(self) -> None:
        self._starting, self._missed = False, list[int]()
        self._started: RunningCommand | None = None

    def start(self, begin: Callable[[], RunningCommand]) -> RunningCommand:
        """Begins COMMAND. What is heard meanwhile is for it, which may run before we know it."""
        self._starting = True
        self._started = begin()
        for number in self._missed:
            self._started.signal(number)
        return self._started

    def hear(self, number: int, frame: FrameType | None) -> None:
        if self._started is not None:
            if number != signal.SIGINT or not _in_foreground():  # what the terminal sends, it has got itself
                self._started.signal(number)
        elif self._starting:
            self._missed.append(number)
        else:
            stop(number, frame)


def _in_foreground() -> bool:
    try:
        return os.tcgetpgrp(sys.__stdin__.fileno()) == os.getpgrp() if sys.__stdin__ else False
    except OSError:
        return False
