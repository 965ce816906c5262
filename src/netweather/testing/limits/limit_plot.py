"""A limit as a picture: every run over what was varied, how long it took, and the two values between which the limit lies."""

from __future__ import annotations

from typing import Any

from netweather.measure.plots import canvas, check
from netweather.testing.limits.limit_search import Found

__all__ = ["check", "draw"]
_GOOD, _BAD = "#2e7d32", "#c62828"


def draw(found: Found, path: str) -> None:
    """Writes .svg or .png (see `check`). Raises NetweatherError unwritable-file."""
    with canvas(path, 1, 1) as (figure, ((axis,),)):
        for failed, colour, mark, label in ((False, _GOOD, "o", "passes"), (True, _BAD, "x", "fails")):
            runs = [run for run in found.runs if run.failed == failed]
            if runs:
                values = [found.vary.number(run.point) for run in runs]
                axis.plot(values, [run.seconds for run in runs], mark, color=colour, label=label, alpha=0.75, clip_on=False)
        _limits(axis, found)
        axis.set_xscale("log" if found.vary.unit == "bit/s" else "linear")
        axis.set_xlim(found.vary.number(0), found.vary.number(found.vary.steps))
        axis.set_ylim(bottom=0)
        axis.set_xlabel(f"{found.vary.word} ({found.vary.unit}), from good to bad")
        axis.set_ylabel("the run took (s)")
        axis.legend(loc="upper left", frameon=False)
        figure.suptitle("\n".join(line.strip() for line in found.sentences()[:2]), fontsize=10, x=0.01, ha="left")


def _limits(axis: Any, found: Found) -> None:
    """The stretch where it passes, the one where it fails; between them the limit."""
    limit, vary = found.limit, found.vary
    if limit.passes is not None and limit.sure:
        axis.axvspan(vary.number(0), vary.number(limit.passes.point), color=_GOOD, alpha=0.08, lw=0)
    if limit.fails is not None and limit.sure:
        axis.axvspan(vary.number(limit.fails.point), vary.number(limit.steps), color=_BAD, alpha=0.08, lw=0)
