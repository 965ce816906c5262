"""A command on several networks, one after another: the cells of a matrix. The table and the pages are those of the pytest plugin."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from netweather.errors import NetweatherError
from netweather.reports.matrix import PERFECT, Cell, Matrix
from netweather.reports.outcomes import Trial, cells_of, read
from netweather.testing.places import Place
from netweather.testing.trials import Wanted, trial

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
        if self.junit is not None:
            try:
                cases = read(self.junit)
            except NetweatherError as error:
                done = replace(done, output=f"{done.output}\n{error}")
        return cells_of(Path(self.command[0]).name, network, done, cases)
