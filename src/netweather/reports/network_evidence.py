"""What a test's network was: asked, held by the kernel, seen; and whether the test may trust it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

MOST = 120
"""Looks that are kept: a picture needs no more."""


@dataclass
class Evidence:
    """One network condition of a test on one target.

    target, condition: in the user's words; packets: that met it, on the wire; dropped: by it; seconds: how long it was asked for.
    problems: why the test cannot be believed; measured: the verdicts of `verify="measure"`, a line each.
    """

    name: str
    target: str
    condition: str
    packets: int = 0
    dropped: int = 0
    seconds: float = 0.0
    paused: float = 0.0
    engine: str = ""
    problems: list[str] = field(default_factory=list)
    measured: list[str] = field(default_factory=list)
    series: list[tuple[float, int, int]] = field(default_factory=list)
    """Each look at it: seconds since it began, packets and dropped until then."""

    def seen(self, after: float) -> None:
        """Notes what the counters say now; of a long test every second look is kept, again and again."""
        self.series.append((round(after, 2), self.packets, self.dropped))
        if len(self.series) > MOST:
            del self.series[1::2]

    def complain(self, problem: str) -> None:
        """Adds a problem, once."""
        if problem not in self.problems:
            self.problems.append(problem)

    def plain(self) -> dict[str, Any]:
        """For JSON; empty parts are left out."""
        found: dict[str, Any] = {
            "name": self.name,
            "target": self.target,
            "condition": self.condition,
            "inForce": not self.problems,
            "packets": self.packets,
            "dropped": self.dropped,
            "seconds": round(self.seconds, 3),
            "engine": self.engine,
        }
        more = {
            "pausedSeconds": round(self.paused, 3),
            "problems": self.problems,
            "measured": self.measured,
            "series": self.series,
        }
        return found | {key: value for key, value in more.items() if value}

    def line(self) -> str:
        """For people."""
        return told(self.plain())


def told(plain: dict[str, Any]) -> str:
    """A line of evidence, from what a report carries."""
    lost = f", {plain['dropped']} of them dropped" if plain.get("dropped") else ""
    met = f"; matched {plain['packets']} packets{lost}" if "packets" in plain else ""  # a cluster doesn't count them
    state = "in force" if plain["inForce"] else "NOT AS DECLARED"
    line = f"{plain['target']}: {plain['condition']}: {state} for {plain['seconds']:.1f} s{met}"
    return "; ".join([line, *plain.get("measured", ()), *plain.get("problems", ())])
