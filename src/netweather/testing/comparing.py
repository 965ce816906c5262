"""A command on several networks, one after another: the cells of a matrix. The table and the pages are those of the pytest plugin."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netweather.errors import NetweatherError
from netweather.testing.junit import read
from netweather.testing.matrix import PERFECT, Cell, Matrix, Outcome
from netweather.testing.places import Place
from netweather.testing.trials import Trial, Wanted, trial

Tell = Callable[[str, Trial | None], None]
"""Is told a network's name before its run, with None, and after it."""


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
            wanted = Wanted(name, name if bad else None, self.words if bad else {}, bad=bad)
            done = trial(self.place, wanted, self.command, patience=self.patience)
            matrix.cells += self._cells(name, done)
            tell(name, done)
        return matrix

    def _cells(self, network: str, done: Trial) -> list[Cell]:
        cases = []
        log = done.output
        if self.junit is not None:
            try:
                cases = read(self.junit)
            except NetweatherError as error:
                log += f"\n{error}"
        cells = [
            Cell(case.test, network, "error" if done.problem else case.outcome, case.seconds, case.log, done.evidence)
            for case in cases
        ]
        failed = any(cell.outcome in ("failed", "error") for cell in cells)
        if not cells or (done.code != 0 and not failed):  # what it says of its tests is not all that went wrong
            cells.append(self._whole(network, done, log))
        return cells

    def _whole(self, network: str, done: Trial, log: str) -> Cell:
        """The command itself, as a test."""
        outcome: Outcome = "passed" if done.passed else "failed"
        if done.problem:
            outcome, log = "error", f"{log}\n{done.problem}"
        if done.code is None:
            log += f"\nit was killed after {done.seconds:.1f} s"
        elif done.code:
            log += f"\nexit code {done.code}"
        return Cell(Path(self.command[0]).name, network, outcome, done.seconds, log, done.evidence)
