"""What one run of a command says: the command itself as a test, or each of the tests that it tells of. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from netweather.testing.junit import Case
from netweather.testing.matrix import Cell, Outcome


@dataclass(frozen=True)
class Trial:
    """code: as a shell has it; None when it took too long and was killed. problem: why its network can't be believed, or ""."""

    code: int | None
    seconds: float
    output: str
    evidence: tuple[dict[str, Any], ...] = ()
    problem: str = ""

    @property
    def passed(self) -> bool:
        return self.code == 0


def cells_of(name: str, network: str, done: Trial, cases: Sequence[Case] = ()) -> list[Cell]:
    """A row for each case that it tells of, and one for itself when it tells of none, or its own end isn't explained by them."""
    cells = [
        Cell(case.test, network, "error" if done.problem else case.outcome, case.seconds, case.log, done.evidence)
        for case in cases
    ]
    failed = any(cell.outcome in ("failed", "error") for cell in cells)
    if not cells or (done.code != 0 and not failed):  # what it says of its tests is not all that went wrong
        cells.append(_whole(name, network, done))
    return cells


def _whole(name: str, network: str, done: Trial) -> Cell:
    """The command itself, as a test."""
    outcome: Outcome = "passed" if done.passed else "failed"
    log = done.output
    if done.problem:
        outcome, log = "error", f"{log}\n{done.problem}"
    if done.code is None:
        log += f"\nit was killed after {done.seconds:.1f} s"
    elif done.code:
        log += f"\nexit code {done.code}"
    return Cell(name, network, outcome, done.seconds, log, done.evidence)
