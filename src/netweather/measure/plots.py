"""Evidence as a picture: delays asked against seen, runs of lost packets, rate over time. matplotlib is imported when needed."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from netweather.errors import NetweatherError, UsageError
from netweather.measure.evidence import ConditionEvidence, Series, Verdict, worst
from netweather.measure.statistics import quantile

KINDS = (".svg", ".png")
_POINTS: Final = 500
"""Of a curve: more of them nobody sees."""
_MANY: Final = 60
"""Bars beyond which a curve of what was asked tells nothing."""


def check(path: str) -> None:
    """Before anything is measured. Raises UsageError bad-plot; NetweatherError no-matplotlib."""
    if Path(path).suffix.lower() not in KINDS:
        raise UsageError(
            "bad-plot", f"{path!r} is not the name of a plot file", "it ends in neither .svg nor .png", "write out.svg"
        )
    _matplotlib()


def _matplotlib() -> Any:
    try:
        import matplotlib
    except ImportError as error:
        raise NetweatherError(
            "no-matplotlib", "a plot needs matplotlib", "it is not installed", "pip install 'netweather[plot]'"
        ) from error
    matplotlib.use("agg")
    import matplotlib.pyplot

    return matplotlib.pyplot


def draw(evidence: Sequence[ConditionEvidence], path: str) -> None:
    """Writes the picture: a row for each rule and direction. Raises NetweatherError unwritable-file."""
    rows = [
        (f"{each.name}, rule {measured.rule + 1}, {way}", series)
        for each in evidence
        for measured in each.measured
        for way, series in measured.series.items()
    ]
    with canvas(path, max(1, len(rows)), 3) as (figure, axes):
        _head(figure, evidence)
        for (title, series), panels in zip(rows or [("", Series())], axes, strict=True):
            panels[0].set_ylabel(f"{title}\nshare of packets" if title else "")
            for axis, drawn, words in zip(panels, (_delays, _losses, _rates), _WORDS, strict=True):
                if not drawn(axis, series):
                    nothing(axis, words)


@contextlib.contextmanager
def canvas(path: str, rows: int, columns: int) -> Iterator[tuple[Any, Any]]:
    """A figure and its panels in rows, written to the path at the end. Raises NetweatherError no-matplotlib, unwritable-file."""
    pyplot = _matplotlib()
    with pyplot.rc_context(_LOOKS):
        figure, axes = pyplot.subplots(rows, columns, figsize=(12.5, 2.9 * rows + 0.7), squeeze=False, layout="constrained")
        try:
            yield figure, axes
            figure.savefig(path, dpi=120)
        except OSError as error:
            raise NetweatherError(
                "unwritable-file", f"{path} can't be written", error.strerror or str(error), "check the path"
            ) from error
        finally:
            pyplot.close(figure)


_ASKED: Final = {"color": "#111827", "linestyle": (0, (4, 3)), "linewidth": 1.4, "zorder": 3}
_SEEN: Final = "#2f7ed8"
_COLOURS: Final = {Verdict.PASS: "#15803d", Verdict.FAIL: "#b91c1c", Verdict.CANT_TELL: "#a16207"}
_WORDS: Final = ("no packet arrived", "no packet was lost", "no rate was requested")
_LOOKS: Final = {
    "axes.edgecolor": "#9ca3af",
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "axes.labelcolor": "#374151",
    "figure.facecolor": "white",
    "font.size": 9,
    "grid.color": "#e5e7eb",
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "svg.hashsalt": "netweather",  # the same evidence is the same file
    "text.parse_math": False,  # names may hold a dollar
    "xtick.color": "#6b7280",
    "ytick.color": "#6b7280",
}


def _head(figure: Any, evidence: Sequence[ConditionEvidence]) -> None:
    """Whose network, which conditions, and the verdict in its colour."""
    whose = dict.fromkeys(each.target for each in evidence)
    verdict = worst(each.verdict for each in evidence)
    figure.suptitle(f"{', '.join(whose)}: {verdict}", x=0.01, ha="left", fontsize=13, fontweight="bold", color=_COLOURS[verdict])


def nothing(axes: Any, words: str) -> None:
    """A panel without data says so."""
    axes.grid(visible=False)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.text(0.5, 0.5, words, ha="center", va="center", color="#9ca3af", transform=axes.transAxes)


def _delays(axes: Any, series: Series) -> bool:
    """How many packets came within which delay, and how many should have."""
    axes.set_title("one-way delay")
    if not series.delays:
        return False
    every = series.delays + series.model
    for values, label, looks in ((series.delays, "seen", {"color": _SEEN, "linewidth": 2.2}), (series.model, "asked", _ASKED)):
        if values:
            places = range(0, len(values), max(1, len(values) // _POINTS))
            shares = [0.0, *((index + 1) / len(values) for index in places), 1.0]
            times = [1000 * values[0], *(1000 * values[index] for index in places), 1000 * values[-1]]
            axes.step(times, shares, where="post", label=label, **looks)
    low, high = 1000 * min(every), 1000 * quantile(sorted(every), 0.999)
    margin = max(0.15 * (high - low), 0.05 * high, 0.5)
    axes.set(xlabel="ms", xlim=(max(0.0, low - margin), high + margin), ylim=(0, 1.03))
    axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    axes.legend(loc="lower right" if len(set(series.model)) > 1 else "upper left")
    return True


def _losses(axes: Any, series: Series) -> bool:
    """How often so many packets in a row were lost, and how often they should have been."""
    axes.set_title("packets lost in a row")
    if not series.loss_runs:
        return False
    counts = Counter(series.loss_runs)
    longest = max(counts)
    axes.bar(list(counts), list(counts.values()), width=0.75, color=_SEEN, label="seen", zorder=2)
    if series.run_asked is not None and longest < _MANY:
        going_on = 1 - 1 / series.run_asked
        lengths = range(1, longest + 1)
        wanted = [len(series.loss_runs) * (1 - going_on) * going_on ** (length - 1) for length in lengths]
        axes.plot(list(lengths), wanted, marker="o", markersize=3.5, label="asked", **_ASKED)
        axes.legend(loc="upper right")
    axes.set(xlabel="packets", ylabel="times")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.yaxis.get_major_locator().set_params(integer=True)
    return True


def _rates(axes: Any, series: Series) -> bool:
    """The rate from moment to moment, beside what was asked; of a trace, its mean."""
    axes.set_title("rate")
    if not series.rates or not series.rate_asked:
        return False
    most = max(series.rate_asked, *(rate for _, rate in series.rates))
    size, unit = (1e6, "Mbit/s") if most >= 1e6 else (1e3, "kbit/s")
    times, rates = zip(*series.rates, strict=True)
    axes.fill_between(times, [rate / size for rate in rates], step="mid", color=_SEEN, alpha=0.18, linewidth=0)
    axes.step(times, [rate / size for rate in rates], where="mid", color=_SEEN, linewidth=1.8, label="seen")
    axes.axhline(series.rate_asked / size, label="asked", **_ASKED)
    axes.set(xlabel="s", ylabel=unit, ylim=(0, 1.35 * most / size), xlim=(0, times[-1] + times[0]))
    axes.legend(loc="upper right", ncols=2)
    return True
