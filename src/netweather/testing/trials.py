"""Runs of a command: one on one network (how it ended, what it printed, the evidence for the network), or one on each of several."""

from __future__ import annotations

import contextlib
import os
import shlex
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from netweather.errors import NetweatherError
from netweather.reports.matrix import PERFECT, Cell, Matrix
from netweather.reports.network_evidence import Evidence
from netweather.reports.outcomes import Trial, cells_of, read
from netweather.testing.network import Degraded, Network
from netweather.testing.places import Place, Spot

LEASE = "30s"
"""How soon a condition ends by itself when we are killed; renewed while we live."""
VARIABLE = "NETWEATHER_NETWORK"
"""Tells the command which network it is on."""
Tell = Callable[[str, Trial | None], None]
"""Is told a network's name before its run, with None, and after it."""
_LOG = 1 << 20


@dataclass(frozen=True)
class TrialNetwork:
    """A network: its name, its profile (None: as it is, unless words say otherwise), and further words as `degrade` takes them."""

    name: str
    profile: str | None = None
    words: Mapping[str, Any] = field(default_factory=dict)
    bad: bool = True


def trial(place: Place, wanted: TrialNetwork, command: Sequence[str], *, patience: float | None = None) -> Trial:
    """Runs a command once. patience: seconds after which it is killed. Raises NetweatherError when it can't even be begun."""
    told: list[Evidence] = []
    problem = ""
    made: Trial | None = None
    with place.open() as spot, tempfile.TemporaryFile() as output:
        try:
            with degraded(spot, wanted, told):
                made = _run(spot, command, wanted.name, output, patience)
        except NetweatherError as error:
            if error.code != "network-not-as-declared" or made is None:
                raise
            problem = error.why
    return replace(made, evidence=tuple(_plain(each, spot) for each in told), problem=problem)


def degraded(
    spot: Spot, wanted: TrialNetwork, told: list[Evidence], lease: str = LEASE
) -> contextlib.AbstractContextManager[Degraded | None]:
    """The network as wanted, while the block runs; what it was is added to `told`."""
    if not wanted.bad:
        return contextlib.nullcontext()
    network = Network(wanted.name, targets=spot.targets, lease=lease, service=spot.service, tell=told.append)
    return network.degrade(None, wanted.profile, **wanted.words)


def environment(network: str) -> dict[str, str]:
    """What a command sees."""
    return {**os.environ, VARIABLE: network}


def _run(spot: Spot, command: Sequence[str], network: str, output: IO[bytes], patience: float | None) -> Trial:
    begin = time.monotonic()
    started = spot.start(command, environment(network), output.fileno())
    try:
        code = started.wait(patience)
        seconds = time.monotonic() - begin
    finally:
        started.end()
    return Trial(code, seconds, _printed(output))


def _printed(output: IO[bytes]) -> str:
    """Its end, when it is long."""
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - _LOG))
    return output.read().decode(errors="replace")


def _plain(evidence: Evidence, spot: Spot) -> dict[str, Any]:
    return {**evidence.plain(), "target": spot.words if evidence.target in spot.targets else evidence.target}


@dataclass(frozen=True)
class Comparison:
    """What is run, where. words: further words of each network's condition; junit: where COMMAND writes what its tests did."""

    place: Place
    command: tuple[str, ...]
    words: Mapping[str, Any]
    junit: Path | None = None
    patience: float | None = None

    def run(self, networks: Sequence[str], tell: Tell = lambda name, trial: None) -> Matrix:
        """Each network once. Raises NetweatherError when one can't even be begun."""
        title = shlex.join(self.command)
        matrix = Matrix(f"{title if len(title) < 80 else title[:77] + '…'} on {len(networks)} networks")
        for name in networks:
            tell(name, None)
            if self.junit is not None:
                self.junit.unlink(missing_ok=True)
            bad = name != PERFECT
            wanted = TrialNetwork(name, name if bad else None, self.words if bad else {}, bad=bad)
            done = trial(self.place, wanted, self.command, patience=self.patience)
            matrix.cells += self._cells(name, done)
            tell(name, done)
        return matrix

    def _cells(self, network: str, done: Trial) -> list[Cell]:
        cases = []
        if self.junit is not None:
            try:
                cases = read(self.junit)
            except NetweatherError as error:
                done = replace(done, output=f"{done.output}\n{error}")
        return cells_of(Path(self.command[0]).name, network, done, cases)
