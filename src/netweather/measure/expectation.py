"""What a condition lets one expect of probe packets in one direction, and how to send them so that it can be seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from netweather.conditions import Condition
from netweather.conditions.estimates.effects import bit_rate, correlated_share, mean_loss, quantiles, queue_packets
from netweather.conditions.loss import LossBurst, LossGemodel, LossList, LossRandom, LossState
from netweather.kernel.traffic.probe_packets import SMALLEST
from netweather.measure.statistics import Draws, Interval
from netweather.measure.trace_timeline import TraceTimeline

ETHERNET: Final = 14
HEADERS: Final = ETHERNET + 20 + 8
"""Bytes that a line reckons besides the payload of a UDP or ICMP probe over IPv4."""
PPS: Final = 3000
SMALL, LARGE = 64, 512
LEAST, MOST = 400, 12_000
_ROUNDS: Final = 4
_ORDERED_ROUNDS: Final = 16


@dataclass(frozen=True, slots=True)
class Expected:
    """One direction. Shares as intervals, since parts of a condition hide each other. spread: how much wider than for
    independent losses the interval of their share is (variance). marked: the share of packets that allow it with ECN's mark.
    timeline: what a trace says. unknown: fields that can't be told, and why. framing: bytes of a probe besides its payload."""

    condition: Condition
    loss: Interval
    run_length: float | None
    spread: float
    duplicate: float
    corrupt: Interval
    reorder: float
    rate: float | None
    blocked: bool
    unknown: dict[str, str]
    size: int
    marked: float = 0.0
    timeline: TraceTimeline | None = None
    framing: int = HEADERS

    def fitted(self, headers: int, largest: int | None = None) -> Expected:
        """For probes with so many bytes of headers behind Ethernet's, and with payloads that the path takes in one piece."""
        size = self.size if largest is None else max(SMALLEST, min(self.size, largest))
        return replace(self, framing=ETHERNET + headers, size=size)

    def wire(self, payload: int) -> float:
        """How long the rate takes for a probe with so many bytes of payload, s; of a trace, the mean of its slowest moments."""
        rate = self.rate or (self.timeline.least_rate if self.timeline else None)
        return max(0, payload + self.headers) * 8 / rate if rate else 0.0

    @property
    def waiting(self) -> float:
        """How long a packet may wait for its slot, or for a trace's next opportunity, s."""
        slot = self.condition.slot
        return ((slot.maximum or slot.minimum).seconds if slot else 0.0) + (self.timeline.waiting if self.timeline else 0.0)

    @property
    def slowest(self) -> float:
        """The longest that a packet is delayed, s."""
        return max(self.delays[-1], self.timeline.slowest if self.timeline and self.timeline.moments else 0.0) + self.waiting

    @property
    def listed(self) -> tuple[int, ...]:
        """The numbers of the packets lost, rising, where they are a list."""
        return self.condition.loss.indices if isinstance(self.condition.loss, LossList) else ()

    @property
    def delays(self) -> tuple[float, ...]:
        return quantiles(self.condition.delay)

    @property
    def headers(self) -> int:
        """Bytes that the rate reckons besides the payload."""
        return self.framing + (self.condition.rate.overhead if self.condition.rate else 0)

    @property
    def moves(self) -> bool:
        """Whether delays vary."""
        return bool(self.condition.delay and self.condition.delay.jitter.ns)

    def pace(self) -> int:
        """Packets a second that neither the rate nor the queue holds up."""
        pps = float(PPS)
        frame = max(1, self.size + self.headers) * 8
        rates = [rate for rate in (self.rate, self.timeline.least_rate if self.timeline else None) if rate]
        if rates:
            pps = min(pps, 0.3 * min(rates) / frame)
        room = queue_packets(self.condition)
        if room is not None:
            pps = min(pps, room / 3 / max(self.slowest, 0.001))
        slot = self.condition.slot
        if slot and slot.packets:
            pps = min(pps, 0.5 * slot.packets.count / max((slot.maximum or slot.minimum).seconds, 0.001))
        return max(2, int(min(pps, 200) if slot else pps))

    def count(self, seconds: float) -> int:
        """Packets that make the intervals narrow enough, and no more than the time allows."""
        shares = [s for s in (self.loss.low, self.duplicate, self.corrupt.low, self.reorder, self.marked) if 0 < s < 1]
        if self.timeline is not None and seconds >= self.timeline.period:  # whole periods
            return 1 + int(self.pace() * int(seconds / self.timeline.period) * self.timeline.period)
        wanted = max([LEAST, *self.listed[-1:], *(300 * (1 - s) / s * self.spread for s in shares), 3500 if self.moves else 0])
        return max(10, int(min(wanted, MOST, self.pace() * seconds)))

    @property
    def ordered(self) -> bool:
        """Whether varying delays keep the order: a slow packet then holds up those behind it."""
        return self.moves and (self.rate is not None or bool(self.condition.delay and self.condition.delay.keep_order))

    @property
    def memory(self) -> float:
        """For how long (s) a packet's delay tells of those behind it."""
        return self.delays[-1] - self.delays[0] if self.ordered else 0.0

    def step(self, sent: Sequence[float]) -> int:
        """Every so many packets' delays are independent of each other."""
        if not self.ordered or len(sent) < 2:
            return 1
        return max(1, math.ceil(self.memory * (len(sent) - 1) / max(1e-9, sent[-1] - sent[0])))

    def model(self, sent: Sequence[float], seed: int = 1) -> list[float]:
        """Delays that packets sent at these times (s) would have, several times over: drawn, kept in order, serialised.

        Lost ones hold up nobody; of those that tell of each other, only independent ones are in it.
        """
        draw, table, step = Draws(seed), self.delays, self.step(sent)
        serial = self.wire(self.size)
        found: list[float] = []
        for _ in range(_ORDERED_ROUNDS if self.ordered else _ROUNDS if self.moves else 1):
            last = float("-inf")
            for number, at in enumerate(sent):
                due = at + table[int(draw() * len(table))]
                if self.ordered or serial:
                    if self.loss.low and draw() < self.loss.low:
                        continue
                    due = last = max(due, last) + serial
                if number % step == 0:
                    found.append(due - at)
        return sorted(found)

    def plain(self) -> dict[str, Any]:
        """The figures, for the evidence."""
        ordered = self.delays
        return {
            "delayMedian": ordered[len(ordered) // 2],
            "delayLate": ordered[int(len(ordered) * 0.99)],
            "loss": [self.loss.low, self.loss.high],
            "meanLossRun": self.run_length,
            "duplicate": self.duplicate,
            "corrupt": [self.corrupt.low, self.corrupt.high],
            "reorder": self.reorder,
            "rate": self.rate,
            "blocked": self.blocked,
        }


def expect(condition: Condition, timeline: TraceTimeline | None = None) -> Expected:
    """What to expect of one direction's condition; a profile must have been replaced by what it says, a trace's file been read."""
    size = LARGE if condition.corrupt else SMALL
    blocked = condition.block is not None
    wrong = duplicate = reorder = 0.0
    if condition.corrupt:
        wrong = correlated_share(condition.corrupt.percent.fraction, condition.corrupt.correlation.fraction)
    if condition.duplicate:
        duplicate = correlated_share(condition.duplicate.percent.fraction, condition.duplicate.correlation.fraction)
    if condition.reorder and condition.reorder.percent.ppb:
        share = correlated_share(condition.reorder.percent.fraction, condition.reorder.correlation.fraction)
        reorder = 1 / (max(1, condition.reorder.gap) - 1 + 1 / share) if share else 0.0
    lost = 1.0 if blocked else timeline.loss if timeline and timeline.moments else mean_loss(condition.loss)
    marked = lost if condition.ecn and not blocked else 0.0
    lost -= marked
    hidden = wrong * 48 / (48 + size)  # a bit of the headers is wrong: the packet is thrown away on its way
    return Expected(
        condition=condition,
        loss=Interval(lost * (1 - duplicate), 1.0 if blocked else lost + (1 - lost) * hidden),
        run_length=None if blocked or wrong or duplicate or marked or timeline else run_length(condition),
        spread=_spread(condition),
        duplicate=0.0 if blocked else duplicate * (1 - lost),
        corrupt=Interval(0.0, 0.0) if blocked else Interval((wrong - hidden), wrong),
        reorder=0.0 if blocked else reorder,
        rate=None if blocked or timeline else bit_rate(condition),
        blocked=blocked,
        unknown=_unknown(condition, timeline),
        marked=marked,
        timeline=timeline,
        size=min(size, condition.mtu - 48) if condition.mtu else size,
    )


def run_length(condition: Condition) -> float | None:
    """The mean number of packets lost in a row, where the losses' model has one and nothing else loses packets."""
    loss = condition.loss
    if isinstance(loss, LossBurst):
        return loss.mean_length.thousandths / 1000
    if isinstance(loss, LossGemodel) and loss.loss_in_bad.fraction == 1 and not loss.loss_in_good.ppb and loss.r.ppb:
        return 1 / loss.r.fraction
    if isinstance(loss, LossRandom) and not loss.correlation.ppb and 0 < loss.percent.fraction < 1:
        return 1 / (1 - loss.percent.fraction)
    return None


def _spread(condition: Condition) -> float:
    """(1 + rho) / (1 - rho) of a chain whose neighbours are so alike."""
    loss = condition.loss
    alike = 0.0
    if isinstance(loss, LossRandom):
        alike = loss.correlation.fraction
    elif isinstance(loss, LossGemodel):
        alike = 1 - loss.p.fraction - loss.r.fraction
    elif isinstance(loss, LossBurst):
        model = loss.as_gemodel()
        alike = 1 - model.p.fraction - model.r.fraction
    elif isinstance(loss, LossState):
        alike = 1 - loss.p13.fraction - loss.p31.fraction - loss.p14.fraction
    return (1 + alike) / (1 - alike) if 0 < alike < 1 else 1.0


def _unknown(condition: Condition, timeline: TraceTimeline | None) -> dict[str, str]:
    found: dict[str, str] = {}
    delay = condition.delay
    if delay and delay.correlation.ppb:
        found["jitter"] = "the delays are correlated: their distribution has no formula here"
    if condition.slot is not None:
        found["jitter"] = "packets gather in slots"
    if condition.trace is not None:
        found["jitter"] = found["RTT"] = "a trace changes it over time"
        if timeline is not None and timeline.moments and delay and delay.jitter.ns:
            found["delay"] = "there is no model for a trace combined with jitter"
        if timeline is None:
            found["delay"] = found["loss"] = found["rate"] = "the trace's file can't be read any more"
    elif condition.slot is not None:
        found["RTT"] = "packets wait for a slot"
    if condition.corrupt and condition.corrupt.correlation.ppb:
        found["corrupt"] = "it is correlated: no interval is exact"
    if condition.queue in ("codel", "ecn"):
        found["queue"] = f"what {condition.queue} drops or marks depends on the traffic; its parameters are read back"
    return found
