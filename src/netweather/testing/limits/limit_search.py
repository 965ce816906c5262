"""A command's limit as a network gets worse: each run on a network of its own making, and what they say together."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from netweather.errors import NetweatherError
from netweather.measure.plots import canvas
from netweather.testing.limits.bisection import SHARE_CONFIDENCE, FailureLimit, Side, find
from netweather.testing.limits.vary import Vary
from netweather.testing.places import Place
from netweather.testing.trials import TrialNetwork, trial

_GOOD, _BAD = "#2e7d32", "#c62828"


@dataclass(frozen=True)
class LimitRun:
    """One run. number: from 1; value: as it is written; code: None when it took too long."""

    number: int
    point: int
    value: str
    failed: bool
    code: int | None
    seconds: float


@dataclass(frozen=True)
class Search:
    """What is run, where, and what varies. words: of the condition besides; patience: seconds after which a run has failed."""

    place: Place
    command: tuple[str, ...]
    vary: Vary
    words: Mapping[str, Any]
    patience: float | None = None
    repeats: int = 1
    confidence: float = 0.95

    def run(self, tell: Callable[[LimitRun], None] = lambda run: None) -> FoundLimit:
        """Raises NetweatherError when a network was not as declared: nothing can be said then."""
        runs: list[LimitRun] = []

        def fails(point: int) -> bool:
            value = self.vary.text(point)
            words = {**self.words, self.vary.word.replace("-", "_"): value}
            done = trial(self.place, TrialNetwork(f"{self.vary.word} {value}", None, words), self.command, patience=self.patience)
            if done.problem:
                remedy = "add --allow-unmatched if no packet needs to match; otherwise find out what changes the network (netweather show)"
                what = f"the network of run {len(runs) + 1} was not as declared"
                raise NetweatherError("network-not-as-declared", what, done.problem, remedy)
            runs.append(LimitRun(len(runs) + 1, point, value, not done.passed, done.code, done.seconds))
            tell(runs[-1])
            return runs[-1].failed

        limit = find(fails, steps=self.vary.steps, repeats=self.repeats, confidence=self.confidence)
        return FoundLimit(self.command, self.vary, limit, runs)


@dataclass(frozen=True)
class FoundLimit:
    """The limit, in the command's own terms."""

    command: tuple[str, ...]
    vary: Vary
    limit: FailureLimit
    runs: list[LimitRun] = field(default_factory=list)

    def reaches(self, point: float) -> bool:
        """Whether it passes at least up to a point of the range."""
        return self.limit.passes is not None and self.limit.passes.point >= point

    def sentences(self) -> list[str]:
        """For people: what was found, how sure it is, and what it rests on."""
        limit, word = self.limit, self.vary.word
        if not limit.sure:
            first = f"CAN'T TELL: {self._name} fails too irregularly for {word} from {self.vary.good} to {self.vary.bad}"
        elif limit.passes is None:
            first = f"{self._name} fails at the good end already, {word} {self.vary.good}"
        elif limit.fails is None:
            first = f"{self._name} passes up to {word} {self._at(limit.passes)}"
            first += ", the bad end" if limit.passes.point == limit.steps else "; beyond that, it fails too irregularly to decide"
        else:
            first = f"{self._name} passes up to {word} {self._at(limit.passes)}, and fails from {self._at(limit.fails)} on"
        lines = [first]
        if limit.sure:
            lines.append(f"  confidence {limit.confidence * 100:.1f} %: up to the first value fewer than half of all runs fail")
        for side in (limit.passes, limit.fails):
            if side is not None:
                share = side.share
                lines.append(
                    f"  at {word} {self._at(side)}: {side.failed} of {side.runs} runs failed "
                    f"({SHARE_CONFIDENCE * 100:.0f} % interval: {share.low * 100:.0f} to {share.high * 100:.0f} %)"
                )
        return [*lines, f"  {len(self.runs)} runs in {sum(run.seconds for run in self.runs):.0f} s"]

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        limit = self.limit
        return {
            "command": list(self.command),
            "vary": {"word": self.vary.word, "good": str(self.vary.good), "bad": str(self.vary.bad), "steps": self.vary.steps},
            "passes": self._side(limit.passes),
            "fails": self._side(limit.fails),
            "confidence": round(limit.confidence, 6),
            "sure": limit.sure,
            "runs": [
                {"value": run.value, "failed": run.failed, "code": run.code, "seconds": round(run.seconds, 3)}
                for run in self.runs
            ],
        }

    def _side(self, side: Side | None) -> dict[str, Any] | None:
        if side is None:
            return None
        share = {"low": round(side.share.low, 6), "high": round(side.share.high, 6), "confidence": SHARE_CONFIDENCE}
        return {"value": self._at(side), "runs": side.runs, "failed": side.failed, "failureShare": share}

    def _at(self, side: Side) -> str:
        return self.vary.text(side.point)

    @property
    def _name(self) -> str:
        words = shlex.join(self.command)
        return words if len(words) < 60 else f"{words[:57]}…"


def draw(found: FoundLimit, path: str) -> None:
    """Writes a picture of every run and the limit: .svg or .png (see `plots.check`). Raises NetweatherError unwritable-file."""
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


def _limits(axis: Any, found: FoundLimit) -> None:
    """The stretch where it passes, the one where it fails; between them the limit."""
    limit, vary = found.limit, found.vary
    if limit.passes is not None and limit.sure:
        axis.axvspan(vary.number(0), vary.number(limit.passes.point), color=_GOOD, alpha=0.08, lw=0)
    if limit.fails is not None and limit.sure:
        axis.axvspan(vary.number(limit.fails.point), vary.number(limit.steps), color=_BAD, alpha=0.08, lw=0)
