"""Evidence as a picture: delays asked against seen, runs of lost packets, rate over time. matplotlib is imported when needed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from netweather.errors import NetweatherError, UsageError
from netweather.measure.evidence import Evidence, Series

KINDS = (".svg", ".png")


def check(path: str) -> None:
    """Before anything is measured. Raises UsageError bad-plot; NetweatherError no-matplotlib."""
    if Path(path).suffix.lower() not in KINDS:
        raise UsageError(
            "bad-plot", f"{path!r} is no picture that can be drawn", "it ends in neither .svg nor .png", "write out.svg"
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


def draw(evidence: Sequence[Evidence], path: str) -> None:
    """Writes the picture: a row for each rule and direction. Raises NetweatherError unwritable-file."""
    pyplot = _matplotlib()
    rows = [
        (f"{each.name}, rule {measured.rule + 1}, {way}", series)
        for each in evidence
        for measured in each.measured
        for way, series in measured.series.items()
    ]
    figure, axes = pyplot.subplots(
        max(1, len(rows)), 3, figsize=(12, 3.2 * max(1, len(rows))), squeeze=False, layout="constrained"
    )
    try:
        for (title, series), (delays, losses, rates) in zip(rows, axes, strict=False):
            _delays(delays, title, series)
            _losses(losses, series)
            _rates(rates, series)
        figure.savefig(path)
    except OSError as error:
        raise NetweatherError(
            "unwritable-file", f"{path} can't be written", error.strerror or str(error), "check the path"
        ) from error
    finally:
        pyplot.close(figure)


def _delays(axes: Any, title: str, series: Series) -> None:
    axes.set(title=title, xlabel="one-way delay, ms", ylabel="share of packets", ylim=(0, 1))
    for values, label, style in ((series.model, "asked", "--"), (series.delays, "seen", "-")):
        if values:
            shares = [(index + 1) / len(values) for index in range(len(values))]
            axes.step([1000 * value for value in values], shares, style, where="post", label=label)
    if series.model or series.delays:
        axes.legend()


def _losses(axes: Any, series: Series) -> None:
    counts = Counter(series.loss_runs)
    axes.set(title="losses in a row", xlabel="packets", ylabel="times")
    axes.bar(list(counts), list(counts.values()))


def _rates(axes: Any, series: Series) -> None:
    axes.set(title="rate", xlabel="s", ylabel="Mbit/s", ylim=(0, None))
    if series.rates:
        axes.plot([at for at, _ in series.rates], [rate / 1e6 for _, rate in series.rates], label="seen")
    if series.rate_asked:
        axes.axhline(series.rate_asked / 1e6, linestyle="--", label="asked")
        axes.set_ylim(0, 1.5 * series.rate_asked / 1e6)
        axes.legend()
