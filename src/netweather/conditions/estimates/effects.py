"""What a condition does to packets in one direction, as numbers: delay, loss, order and speed. Estimates, for explain.

Sources: loss of the Gilbert-Elliott model: Hasslinger and Hohlfeld, MMB 2008; of the four-state model: Salsano et al.,
"Definition of a general and intuitive loss model for packet networks", 2012; throughput: Mathis et al., "The macroscopic
behavior of the TCP congestion avoidance algorithm", CCR 1997: MSS / RTT x 1.22 / sqrt(p), p counting loss events.
Shares are 0 to 1, times are seconds, speeds are bits a second. Not here: words (explanation), surprises (traps).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Final

from netweather.conditions.distributions import SCALE, Table, load_table, table_of
from netweather.conditions.loss import Loss, LossBurst, LossEvery, LossGemodel, LossList, LossRandom, LossState
from netweather.conditions.model import Condition, Delay
from netweather.conditions.queues import room
from netweather.errors import UsageError
from netweather.units import Duration, Packets

MTU: Final = 1500
ETHERNET: Final = 14
FRAME: Final = MTU + ETHERNET
"""What a full packet is to netem: its rate counts the Ethernet header."""
MSS: Final = 1448
"""TCP's data in a full packet, with timestamps."""
WINDOW: Final = 3 * 2**20
"""Linux's largest receive window unless configured otherwise: half of tcp_rmem's 6 MiB."""
NETEM_LIMIT: Final = 1000
_MATHIS: Final = 1.22


@dataclass(frozen=True, slots=True)
class Spread:
    """What changes over time: the least, the mean over time, the most."""

    least: float
    mean: float
    most: float

    @classmethod
    def same(cls, value: float) -> Spread:
        return cls(value, value, value)

    @classmethod
    def over(cls, parts: Sequence[tuple[float, float]]) -> Spread:
        """Of values with their shares of the time; those of no time don't count."""
        values = [value for value, share in parts if share > 0]
        return cls(min(values), sum(value * share for value, share in parts if share > 0), max(values))


@dataclass(frozen=True, slots=True)
class TraceEffects:
    """What a trace does, s and bits a second: it begins again after `period`; an endless rate is no limit.

    wait: for the next moment when data may pass, in the mean; pause: the longest time when nothing may; delays: rising, of equal
    shares of the time.
    """

    period: float
    rate: Spread
    delay: Spread
    loss: Spread
    wait: float
    pause: float
    delays: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Effects:
    """One direction. late_delay: 99 % are below it; loss_events counts losses in a row once; clamped: delays below zero.

    overhead: bytes that the rate reckons besides each frame; delays: of equal shares of the packets, rising; mtu: larger IP packets
    vanish; trace: what it does. A packet that comes alone waits for a whole slot, which counts as delay.
    """

    mean_delay: float
    median_delay: float
    late_delay: float
    clamped: float
    loss: float
    loss_events: float
    reordered: float
    rate: float | None
    blocked: bool
    overhead: int = 0
    delays: tuple[float, ...] = (0.0,)
    mtu: int | None = None
    trace: TraceEffects | None = None

    def following(self, trace: TraceEffects) -> Effects:
        """The same with what a trace does over time, in the mean. A rate without a limit at times is none in the mean."""
        mean = trace.delay.mean + trace.wait
        lost = 1.0 if self.blocked or not trace.rate.most else trace.loss.mean
        return replace(
            self, mean_delay=mean, median_delay=mean, late_delay=trace.delay.most + trace.pause, loss=lost, loss_events=lost,
            rate=trace.rate.mean if 0 < trace.rate.mean < math.inf else None, delays=trace.delays, trace=trace,
        )  # fmt: skip


def effects_of(condition: Condition) -> Effects:
    """The effects of one direction's condition. A profile must have been replaced by what it says."""
    delays = quantiles(condition.delay)
    loss, events = mean_loss(condition.loss), loss_events(condition.loss)
    if condition.ecn:
        loss = 0.0  # marked, and TCP slows down as if it were lost
    corrupt = condition.corrupt
    wrong = correlated_share(corrupt.percent.fraction, corrupt.correlation.fraction) if corrupt else 0.0
    blocked = condition.block is not None
    slot = (
        (condition.slot.minimum.seconds + (condition.slot.maximum or condition.slot.minimum).seconds) / 2
        if condition.slot
        else 0.0
    )
    return Effects(
        mean_delay=sum(delays) / len(delays) + slot,
        median_delay=delays[len(delays) // 2] + slot,
        late_delay=delays[int(len(delays) * 0.99)] + slot,
        clamped=_clamped(condition.delay),
        loss=1.0 if blocked else 1 - (1 - loss) * (1 - wrong),
        loss_events=1.0 if blocked else 1 - (1 - events) * (1 - wrong),
        reordered=reordering(condition, 0.0),
        rate=bit_rate(condition),
        blocked=blocked,
        overhead=condition.rate.overhead if condition.rate else 0,
        delays=delays,
        mtu=condition.mtu,
    )


def bit_rate(condition: Condition) -> float | None:
    """The rate in bits a second; None without a limit."""
    return float(condition.rate.bitrate.bits_per_second) if condition.rate and condition.rate.bitrate.bits_per_second else None


@lru_cache(maxsize=64)
def quantiles(delay: Delay | None) -> tuple[float, ...]:
    """The delays of 256 equal shares of the packets, rising, in seconds, never below zero."""
    if delay is None or not delay.jitter.ns:
        return (delay.time.seconds if delay else 0.0,) * 256
    return tuple(max(0.0, value) for value in _shifted(delay))


def _shifted(delay: Delay) -> list[float]:
    table = sorted(_table(delay))
    step = len(table) / 256
    entries = [table[min(len(table) - 1, int((index + 0.5) * step))] for index in range(256)]
    return [delay.time.seconds + entry * delay.jitter.seconds / SCALE for entry in entries]


def _table(delay: Delay) -> Table:
    """The distribution's table; a file that can't be read here (it may be elsewhere) counts as normal."""
    if delay.table is None:
        return table_of(delay.distribution)
    try:
        return load_table(delay.table)
    except UsageError:
        return table_of("normal")


def _clamped(delay: Delay | None) -> float:
    """The share of packets whose delay would be negative, and is nothing."""
    if delay is None or delay.jitter.ns <= 0:
        return 0.0
    return sum(value < 0 for value in _shifted(delay)) / 256


@lru_cache(maxsize=64)
def correlated_share(share: float, correlation: float) -> float:
    """How often netem's correlated numbers really are below `share`; about, and the share itself without correlation.

    Each number is (1 - c) x a new one + c x the last, so that they gather around the middle: small shares become smaller.
    Computed as the fixed point of the distribution function F(y) = c / (1 - c) x (G(y / c) - G((y - 1 + c) / c)), G its integral.
    """
    if not 0 < correlation < 1 or share in (0, 1):
        return share
    steps = 1024
    below = [index / steps for index in range(steps + 1)]
    for _ in range(200):
        area = [0.0]
        for left, right in pairwise(below):
            area.append(area[-1] + (left + right) / (2 * steps))
        scale = correlation / (1 - correlation)
        points = (index / steps for index in range(steps + 1))
        new = [scale * (_area(area, y / correlation) - _area(area, (y - 1 + correlation) / correlation)) for y in points]
        change = max(abs(one - other) for one, other in zip(new, below, strict=True))
        below = new
        if change < 1e-7:
            break
    place = share * steps
    index = min(int(place), steps - 1)
    return max(0.0, min(1.0, below[index] + (below[index + 1] - below[index]) * (place - index)))


def _area(area: list[float], place: float) -> float:
    """The integral of the distribution function up to `place`: nothing below 0, and one per unit above 1."""
    steps = len(area) - 1
    if place <= 0 or place >= 1:
        return max(0.0, place - 1 + area[-1]) if place >= 1 else 0.0
    index = int(place * steps)
    return area[index] + (area[index + 1] - area[index]) * (place * steps - index)


def mean_loss(loss: Loss | None) -> float:
    """The share of packets lost in the long run."""
    if isinstance(loss, LossRandom):
        return correlated_share(loss.percent.fraction, loss.correlation.fraction)
    if isinstance(loss, LossGemodel):
        p, r = loss.p.fraction, loss.r.fraction
        bad = p / (p + r) if p + r else 0.0
        return bad * loss.loss_in_bad.fraction + (1 - bad) * loss.loss_in_good.fraction
    if isinstance(loss, LossState):
        return _state_loss(loss)
    if isinstance(loss, LossBurst):
        return loss.share.fraction
    if isinstance(loss, LossEvery):
        return 1 / loss.n
    return 0.0  # none at all, or a list, which ends


def _state_loss(loss: LossState) -> float:
    p13, p31, p32, p23, p14 = (x.fraction for x in (loss.p13, loss.p31, loss.p32, loss.p23, loss.p14))
    if not p13:
        return p14 / (1 + p14)
    if p32 and not p23:
        return 0.0  # it ends in state 2, where all is received
    if not p31:
        return p23 / (p23 + p32) if p32 else 1.0
    lost_in_burst = p13 / p31
    received_in_burst = lost_in_burst * p32 / p23 if p32 else 0.0
    return (lost_in_burst + p14) / (1 + lost_in_burst + received_in_burst + p14)


def loss_events(loss: Loss | None) -> float:
    """Losses a packet that TCP answers one by one: losses in a row are one event."""
    share = mean_loss(loss)
    if isinstance(loss, LossBurst):
        return share / (loss.mean_length.thousandths / 1000)
    if isinstance(loss, LossGemodel) and loss.r.ppb and loss.loss_in_bad.fraction > 0.5:
        return share * loss.r.fraction
    if isinstance(loss, LossState) and loss.p31.ppb:
        return share * min(1.0, loss.p31.fraction + loss.p32.fraction)
    return share


def reordering(condition: Condition, spacing: float) -> float:
    """The share of packets that arrive before one sent `spacing` seconds earlier (0: back to back)."""
    delay = condition.delay
    in_turn = condition.slot is not None or condition.trace is not None or bit_rate(condition) is not None
    by_jitter = 0.0 if delay is None or delay.keep_order or in_turn else _overtaking(delay, spacing)
    reorder = condition.reorder
    by_choice = 0.0
    if reorder and delay and delay.time.seconds > spacing:
        by_choice = correlated_share(reorder.percent.fraction, reorder.correlation.fraction) / max(1, reorder.gap)
    return 1 - (1 - by_jitter) * (1 - by_choice)


@lru_cache(maxsize=64)
def _overtaking(delay: Delay, spacing: float) -> float:
    """How often the next of two packets, drawn independently, is earlier all the same."""
    if not delay.jitter.ns:
        return 0.0
    delays = quantiles(delay)
    earlier, count, below = 0, len(delays), 0
    for first in delays:
        while below < count and delays[below] < first - spacing:
            below += 1
        earlier += below
    return earlier / (count * count)


def bulk_throughput(effects: Effects, rtt: float) -> float:
    """TCP data in this direction in the steady state, bits a second: the least of rate, window and Mathis; inf if none holds."""
    limits = [math.inf]
    if effects.blocked or effects.loss >= 1 or not passes(effects, FRAME):
        return 0.0
    if effects.rate is not None:
        limits.append(MSS * 8 / wire_time(effects, FRAME) if wire_time(effects, FRAME) else math.inf)
    if rtt > 0:
        limits.append(WINDOW * 8 / rtt)
        if effects.loss_events > 0:
            limits.append(MSS * 8 / rtt * _MATHIS / math.sqrt(effects.loss_events))
    return min(limits)


def wire_time(effects: Effects, frame: int) -> float:
    """How long the rate takes for a frame of so many bytes, in seconds: (frame + overhead) x 8 / rate, as tc-netem(8) has it."""
    return max(0, frame + effects.overhead) * 8 / effects.rate if effects.rate else 0.0


def passes(effects: Effects, frame: int) -> bool:
    """Whether a frame of so many bytes isn't too large for the path."""
    return effects.mtu is None or frame - ETHERNET <= effects.mtu


def packets_needed(condition: Condition, speed: float) -> int:
    """The queue that holds what `speed` (bits a second) sends while the slowest packets are delayed."""
    return math.ceil(speed * quantiles(condition.delay)[-1] / (FRAME * 8)) + 1


def queue_packets(condition: Condition) -> int | None:
    """The queue's length in full packets, when one is given."""
    if condition.limit is None:
        return None
    if isinstance(condition.limit, Duration):
        rate = condition.rate.bitrate.bits_per_second if condition.rate else 0
        in_flight = condition.delay.time.ns if condition.delay else 0
        return room(rate, in_flight, condition.limit) // FRAME if rate else None
    return condition.limit.count if isinstance(condition.limit, Packets) else condition.limit.bytes // FRAME


def has_list(condition: Condition) -> bool:
    """Whether the losses are a list, which a share can't tell."""
    return isinstance(condition.loss, LossList)
