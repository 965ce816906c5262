"""What a trace changes over time, for measuring: delay, loss and rate of each moment of its period, or moments when data may pass.

Where in its period a line is, nobody knows; so only whole periods are measured. Pure.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TraceMoment:
    """From `start` (s) on: the delay (s), the share lost, the rate (bit/s; None: no limit)."""

    start: float
    delay: float
    loss: float
    rate: float | None


@dataclass(frozen=True, slots=True)
class TraceTimeline:
    """A period (s) and what it is made of: moments; or opportunities, of which the mean rate and the longest wait (s) count."""

    period: float
    moments: tuple[TraceMoment, ...] = ()
    opportunities_rate: float | None = None
    waiting: float = 0.0

    def at(self, seconds: float) -> TraceMoment:
        """What holds then; before the first moment the last one, of the period before."""
        place = bisect_right([moment.start for moment in self.moments], seconds % self.period)
        return self.moments[place - 1]

    @property
    def slowest(self) -> float:
        return max((moment.delay for moment in self.moments), default=self.waiting) + self.pause

    @property
    def pause(self) -> float:
        """The longest time for which the rate is 0, s; a trace of nothing else pauses for a period."""
        longest = current = 0.0
        for moment, seconds in self._lengths() * 2:  # a pause may go on over the end
            current = current + seconds if moment.rate == 0 else 0.0
            longest = max(longest, current)
        return min(longest, self.period)

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
        """Below which nothing waits but for a pause; None without a rate."""
        rates = [moment.rate for moment in self.moments if moment.rate]
        if self.pause and self.mean_rate:
            rates.append(self.mean_rate)
        return min(rates) if rates else self.opportunities_rate

    def sent(self, begin: float, bits: float) -> float:
        """When the last of so many bits that wait from `begin` on has left; endless when nothing ever passes."""
        if not self.most_rate and self.pause:
            return math.inf
        lengths, at = self._lengths(), begin
        number = self.moments.index(self.at(at))
        phase = (at - self.moments[number].start) % self.period
        left = lengths[number][1] - phase
        while True:
            rate = lengths[number][0].rate
            if rate is None or (rate and rate * left >= bits):
                return at + (bits / rate if rate else 0.0)
            bits, at, number = bits - rate * left, at + left, (number + 1) % len(lengths)
            left = lengths[number][1]

    def delays(self, pace: float, bits: float = 0.0) -> list[float]:
        """Delays of the packets of so many bits that arrive when `pace` are sent a second, rising: none overtakes another.

        At least 2000, by periods that begin a little later each.
        """
        count = max(1, round(pace * self.period))
        rounds = -(-2000 // count)
        return sorted(delay for number in range(rounds) for delay in self._delays(count, bits, number / rounds))

    def _delays(self, count: int, bits: float, phase: float) -> list[float]:
        last, free, share, found = 0.0, 0.0, 0.0, []
        for number in range(2 * count):  # the second period: it begins with what the first left behind
            at = (number + phase) * self.period / count
            moment = self.at(at)
            share += 1 - moment.loss
            if share < 1:
                continue
            share -= 1
            free = self.sent(max(at, free), bits)
            last = max(last, free + moment.delay)
            found += [last - at] if number >= count else []
        return found

    def _lengths(self) -> list[tuple[TraceMoment, float]]:
        if not self.moments:
            return []
        ends = [*(moment.start for moment in self.moments[1:]), self.period + self.moments[0].start]
        return [(moment, end - moment.start) for moment, end in zip(self.moments, ends, strict=True)]
