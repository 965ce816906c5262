"""What a suite did on several networks: a cell for each test and network, and what that says. Pure; not here: pages (pages)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from netweather.conditions.profiles import find_profile
from netweather.errors import UsageError

CellOutcome = Literal["passed", "failed", "error", "skipped"]
PERFECT = "perfect"
"""The network as it is: what the others are compared with."""


@dataclass(frozen=True)
class Cell:
    """One test on one network. seconds: of the test's own code; log: what it printed and how it failed; evidence: see evidence.told."""

    test: str
    network: str
    outcome: CellOutcome
    seconds: float
    log: str = ""
    evidence: tuple[dict[str, Any], ...] = ()


@dataclass
class Matrix:
    """The cells of a run. title: what ran."""

    title: str
    cells: list[Cell] = field(default_factory=list)

    @property
    def tests(self) -> list[str]:
        return list(dict.fromkeys(cell.test for cell in self.cells))

    @property
    def networks(self) -> list[str]:
        """The perfect one first, the others in the order in which they ran."""
        found = list(dict.fromkeys(cell.network for cell in self.cells))
        return sorted(found, key=lambda name: name != PERFECT)

    def cell(self, test: str, network: str) -> Cell | None:
        return next((cell for cell in self.cells if (cell.test, cell.network) == (test, network)), None)

    def slowdown(self, cell: Cell) -> float | None:
        """How many times as long as on the perfect network; None when one of the two did not pass, or is that network's own."""
        perfect = self.cell(cell.test, PERFECT)
        if perfect is None or cell is perfect or {perfect.outcome, cell.outcome} != {"passed"} or not perfect.seconds:
            return None
        return cell.seconds / perfect.seconds

    def broken(self, network: str) -> list[str]:
        """The tests that pass on the perfect network (or did not run there) and not on this one."""
        found = []
        for cell in self.cells:
            perfect = self.cell(cell.test, PERFECT)
            worked = perfect is None or perfect.outcome == "passed"
            if cell.network == network and cell.outcome in ("failed", "error") and (worked or network == PERFECT):
                found.append(cell.test)
        return found

    def shortcomings(self, must_pass: Sequence[str] | None = None, max_slowdown: float | None = None) -> list[str]:
        """Why the run as a whole fails. must_pass: networks on which all must pass (None: all of them); max_slowdown: times as
        long as on the perfect network. A test that had not the network it asked for (error) always counts."""
        found = []
        for cell in self.cells:
            where = f"{cell.test} on {cell.network}"
            slowdown = self.slowdown(cell)
            if cell.outcome == "error" or (cell.outcome == "failed" and (must_pass is None or cell.network in must_pass)):
                found.append(f"{where}: {cell.outcome}")
            elif max_slowdown is not None and slowdown is not None and slowdown > max_slowdown:
                found.append(
                    f"{where}: {slowdown:.1f} × as long as on the perfect network, at most {max_slowdown:g} × are allowed"
                )
        return found


def network_names(words: str | Sequence[str]) -> list[str]:
    """The profiles of "perfect,3g,lossy-wifi". Raises UsageError: the nearest known profile, or that there is none."""
    listed = words.split(",") if isinstance(words, str) else [part for word in words for part in word.split(",")]
    names = list(dict.fromkeys(name.strip() for name in listed if name.strip()))
    if not names:
        raise UsageError("no-networks", "the matrix names no network", "", "write profiles, such as perfect,3g,lossy-wifi")
    for name in names:
        find_profile(name)
    return names
