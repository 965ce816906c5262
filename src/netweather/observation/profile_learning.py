"""A line's profile from what was learnt of it: round trips, losses and their runs, the rate; each, or why it isn't known. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from netweather.conditions.distributions import MeasuredDistribution, from_samples
from netweather.errors import NetweatherError, UsageError
from netweather.kernel.tracing import trace_layout
from netweather.kernel.tracing.link_recorder import Learnt
from netweather.units import Duration, Rate

TRIPS: Final = 200
"""So many round trips are needed for their distribution."""
LOSSES: Final = 1000
"""So many losses are needed for their share and their runs."""
RATES: Final = 500
_TIGHT: Final = 1.3
_EMPTY: Final = 0.01
_MOSTLY: Final = 4
_SPLIT: Final = 32


Source = Literal["handshakes", "calm", "busy"]


@dataclass(frozen=True)
class LearntLine:
    """What a line is like. An unknown part is None, and `unknown` says why, by its name: delay, loss, rate.

    delay: of each direction. trips: how many round trips it is of. median: of the round trips, in seconds. loss: the share of
    segments that were lost. run: how many were lost one behind the other, on average. rate: bit/s. source: of what the round
    trips are.
    """

    delay: MeasuredDistribution | None
    trips: int
    median: float
    loss: float | None
    run: float
    rate: Rate | None
    source: Source
    unknown: dict[str, str]


def line(learnt: Learnt) -> LearntLine:
    """The line's parts, as far as enough was seen."""
    unknown: dict[str, str] = {}
    trips, source = _trips(learnt)
    rate = _rate(learnt, unknown)
    delay = _delay(trips, source, unknown)
    loss, run = _loss(learnt, unknown)
    middle = quantile(trips, 0.5) / 1e9 if sum(trips) else 0.0
    return LearntLine(delay, sum(trips), middle, loss, run, rate, source, unknown)


def _trips(learnt: Learnt) -> tuple[Sequence[int], Source]:
    """The best round trips there are enough of.

    A handshake's packets are alone and answered at once. Where most connections are busy, the others wait in their queue too.
    """
    if sum(learnt.first) >= TRIPS:
        return learnt.first, "handshakes"
    calm = [one + other for one, other in zip(learnt.first, learnt.calm, strict=True)]
    if sum(calm) >= max(TRIPS, _MOSTLY * sum(learnt.busy)):
        return calm, "calm"
    return [one + other for one, other in zip(calm, learnt.busy, strict=True)], "busy"


def _delay(trips: Sequence[int], source: Source, unknown: dict[str, str]) -> MeasuredDistribution | None:
    """Half of the round trips' mean each way, and as much spread that two ways together have the round trips': 1/sqrt(2) of it.

    Of busy connections half of the shortest: the others hold the queue that they made themselves.
    """
    if sum(trips) < TRIPS:
        unknown["delay"] = f"{sum(trips):,} round trips were seen, and {TRIPS} are needed"
        return None
    if source == "busy":
        unknown["jitter"] = "there were only busy connections, and their round-trip times include their own queues"
        return MeasuredDistribution(Duration(round(quantile(trips, _EMPTY) / 2)), Duration(0), (), 0)
    samples = list(spread(trips))
    mean = sum(samples) / len(samples)
    halves = [Duration(max(0, round(mean / 2 + (sample - mean) / math.sqrt(2)))) for sample in samples]
    try:
        return from_samples(halves)
    except UsageError as error:
        unknown["delay"] = error.why
        return None


def spread(histogram: Sequence[int], most: int = 20_000) -> Iterator[float]:
    """Values as a histogram has them, evenly within each bucket, each for the same share of what was counted; rising."""
    total = sum(histogram)
    number = min(most, total * _SPLIT)
    return (quantile(histogram, (index + 0.5) / number) for index in range(number)) if total else iter(())


def quantile(histogram: Sequence[int], share: float) -> float:
    """The value that `share` of what is in a histogram do not exceed, straight lines within a bucket."""
    wanted, seen = share * sum(histogram), 0
    for bucket, number in enumerate(histogram):
        if number and seen + number >= wanted:
            low, high = trace_layout.bounds(bucket)
            return low + (high - low) * (wanted - seen) / number
        seen += number
    return 0.0


def _loss(learnt: Learnt, unknown: dict[str, str]) -> tuple[float | None, float]:
    lost = learnt.again - learnt.needless
    if lost < LOSSES:
        unknown["loss"] = f"{max(0, lost):,} losses were seen, and {LOSSES:,} are needed"
        return None, 0.0
    return lost / learnt.sent, max(1.0, learnt.again / max(1, learnt.runs))


def _rate(learnt: Learnt, unknown: dict[str, str]) -> Rate | None:
    """The median of what came through while there was a queue, when it was always much the same."""
    if sum(learnt.rates) < RATES:
        unknown["rate"] = "no connection filled the link, so its rate is higher than what they used"
        return None
    middle, high = quantile(learnt.rates, 0.5), quantile(learnt.rates, 0.9)
    if high > _TIGHT * middle:
        unknown["rate"] = "connections had very different rates, so the link did not limit them"
        return None
    return Rate(round(middle))


# the profile


def profile(name: str, found: LearntLine, table: str, source: str) -> dict[str, Any]:
    """For YAML, as docs/profiles.md has it. table: the name of the file with the delays. Raises NetweatherError nothing-learnt."""
    both: dict[str, Any] = {}
    if found.delay is not None:
        both["delay"] = {"time": str(found.delay.time)}
        if found.delay.table:
            both["delay"] |= {"jitter": str(found.delay.jitter), "distribution": table}
    if found.loss is not None:
        both["loss"] = _loss_model(found.loss, found.run)
    if found.rate is not None:
        both["rate"] = str(found.rate)
    if not both:
        why = "; ".join(f"{part}: {reason}" for part, reason in found.unknown.items())
        raise NetweatherError("nothing-learnt", "there was too little traffic", why, "record longer, or with more traffic")
    notes = "; ".join(f"{part} unknown: {why}" for part, why in found.unknown.items())
    return {name: {"title": f"{name}, recorded", "source": source, **({"notes": notes} if notes else {}), "both": both}}


def _loss_model(share: float, run: float) -> Any:
    """Bursts, unless chance alone makes such runs."""
    if run < 1 / (1 - share) + 0.1:
        return _percent(share)
    return {"model": "burst", "meanLength": f"{run:.3f}", "share": _percent(share)}


def _percent(share: float) -> str:
    return f"{100 * share:.4g}%"
