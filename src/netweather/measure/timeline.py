"""What a trace changes over time, for measuring: delay, loss and rate of each moment of its period, or moments when data may pass.

Where in its period a line is, nobody knows; so only whole periods are measured. Pure.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Moment:
    """From `start` (s) on: the delay (s), the share lost, the rate (bit/s; None: no limit)."""

    start: float
    delay: float
    loss: float
    rate: float | None


@dataclass(frozen=True, slots=True)
class Timeline:
    """A period (s) and what it is made of: moments; or opportunities, of which the mean rate and the longest wait (s) count."""

    period: float
    moments: tuple[Moment, ...] = ()
    opportunities_rate: float | None = None
    waiting: float = 0.0

    def at(self, seconds: float) -> Moment:
        """What holds then; before the first moment the last one, of the period before."""
        place = bisect_right([moment.start for moment in self.moments], seconds % self.period)
        return self.moments[place - 1]

    @property
    def slowest(self) -> float:
        return max((moment.delay for moment in self.moments), default=self.waiting)

    @property
    def loss(self) -> float:
        """The mean share lost."""
        return sum(moment.loss * seconds for moment, seconds in self._lengths()) / self.period

    @property
    def mean_rate(self) -> float | None:
        """Bits a second over a whole period; None when there are times without a limit."""
        if not self.moments:
            return self.opportunities_rate
        if any(moment.rate is None for moment in self.moments):
            return None
        return sum((moment.rate or 0.0) * seconds for moment, seconds in self._lengths()) / self.period

    @property
    def most_rate(self) -> float:
        return max([moment.rate or 0.0 for moment in self.moments], default=self.opportunities_rate or 0.0)

    @property
    def least_rate(self) -> float | None:
        """Below which nothing waits; None without a rate."""
        rates = [moment.rate for moment in self.moments if moment.rate is not None]
        return min(rates) if rates else self.opportunities_rate

    def delays(self, count: int) -> list[float]:
        """Delays of the packets that arrive of so many, evenly spread over a period, rising: none overtakes another."""
        last, share, found = 0.0, 0.0, []
        for number in range(2 * count):  # the second period: it begins with what the first left behind
            at = number * self.period / count
            moment = self.at(at)
            share += 1 - moment.loss
            if share < 1:
                continue
            share -= 1
            last = max(last, at + moment.delay)
            found += [last - at] if number >= count else []
        return sorted(found)

    def _lengths(self) -> list[tuple[Moment, float]]:
        ends = [*(moment.start for moment in self.moments[1:]), self.period + self.moments[0].start]
        return [(moment, end - moment.start) for moment, end in zip(self.moments, ends, strict=True)]
