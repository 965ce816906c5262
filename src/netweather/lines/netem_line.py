"""A condition → what the kernel's netem must hold, and what netem can't do. Pure.

netem works for a packet as the kernel hands it over; `whole` says when a sender's super-packets need not be taken apart first.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Literal

from netweather.conditions.distributions import load_table, table_of
from netweather.conditions.loss import Loss, LossBurst, LossEvery, LossGemodel, LossList, LossRandom, LossState
from netweather.conditions.model import Condition, Delay
from netweather.conditions.queues import FRAME, room
from netweather.kernel.netlink.netem_attributes import CERTAIN, MOST_JITTER_NS, FourStates, GilbertElliott, Netem, NetemSlots
from netweather.lines.pump_line import INGRESS_SALT
from netweather.units import Duration, Packets, Percent, Size

NetemDirection = Literal["egress", "ingress"]
LEAST_LIMIT: Final = 10_000  # packets; netem's own 1,000 is too few for 100 Mbit/s and 200 ms
MOST_LIMIT: Final = 1_000_000
FASTEST_BPS: Final = 10 * 10**9  # what passes when no rate is asked: enough for one CPU
PACKET_BITS: Final = FRAME * 8
TAIL: Final = 4  # jitters that a table can add
SECOND: Final = 10**9
UNNOTICED_NS: Final = 50_000_000  # so much later than asked a packet may be after a change
PUMP_ONLY: Final = ("losses by number (every, list)", "--queue codel and ecn", "--mtu", "--trace", "a limit in bytes",
                    "a jitter above 2.1 s", "--keep-order without a rate", "losses by four states", "slots above 2.1 s",
                    "slots with --seed")  # fmt: skip
"""What `unsupported` refuses on every kernel, in the words of the command line."""


def unsupported(condition: Condition, *, seeds: bool = False) -> list[str]:
    """Why netem can't do this; empty: it can. seeds: whether this kernel's netem takes one (Linux 6.6)."""
    reasons = []
    if condition.block is not None:
        reasons.append("a block needs no emulated link")
    if condition.profile is not None:
        reasons.append(f"the profile {condition.profile} is not resolved")
    if isinstance(condition.loss, LossEvery | LossList):
        reasons.append("netem can't lose packets by their number")
    if condition.queue in ("codel", "ecn"):
        reasons.append(f"netem's queue is droptail, not {condition.queue}")
    if condition.mtu is not None:
        reasons.append("netem knows no MTU")
    if condition.trace is not None:
        reasons.append("netem follows no trace")
    if isinstance(condition.limit, Size):
        reasons.append("netem's limit counts packets, not bytes")
    if isinstance(condition.loss, LossState):
        reasons.append("netem's model of four states does nothing for some random numbers")
    reasons += _against_slots(condition)
    if condition.seed is not None and not seeds:
        reasons.append("this kernel's netem takes no seed (Linux 6.6)")
    delay = condition.delay
    if delay is not None and delay.jitter.ns > MOST_JITTER_NS:
        reasons.append("netem's jitter is at most 2.147 s")
    if delay is not None and delay.jitter.ns and delay.keep_order and not _rated(condition):
        reasons.append("netem's jitter reorders packets unless there is a rate")
    if delay is not None and delay.jitter.ns and delay.correlation.ppb:
        reasons.append("netem's jitter follows nothing: it takes a remainder of the correlated number")
    return reasons


def _against_slots(condition: Condition) -> list[str]:
    slot = condition.slot
    if slot is None:
        return []
    reasons = ["netem's slots ignore the seed"] if condition.seed is not None else []
    if max(slot.minimum.ns, slot.maximum.ns if slot.maximum else 0) > MOST_JITTER_NS:
        reasons.append("netem's slots overflow beyond 2.147 s")
    return reasons


def _rated(condition: Condition) -> bool:
    return condition.rate is not None and condition.rate.bitrate.bits_per_second > 0


def whole(condition: Condition) -> bool:
    """Whether nothing is decided for each packet: a plain delay, or none. GSO packets may then pass as they are."""
    delay = condition.delay
    plain = replace(condition, delay=None, seed=None, ecn=False, queue=None) == Condition()
    return plain and (delay is None or not delay.jitter.ns)


def netem_for(condition: Condition, direction: NetemDirection = "egress") -> Netem:
    """What the line of this condition and direction must hold. Raises UsageError for a table that can't be used."""
    made = _loss(Netem(), condition.loss)
    made = _with_delay(made, condition.delay)
    made = _with_faults(made, condition)
    made = _with_rate(made, condition)
    seed = condition.seed
    if seed is not None and direction == "ingress":
        seed = (seed + INGRESS_SALT) % 2**64
    return replace(made, seed=seed, ecn=condition.ecn, limit=_limit(condition, made))


def _p(percent: Percent) -> int:
    return percent.of(CERTAIN)


def _loss(made: Netem, loss: Loss | None) -> Netem:
    match loss:
        case LossRandom(percent, correlation):
            return replace(made, loss=_p(percent), loss_corr=_p(correlation))
        case LossGemodel(p, r, bad, good):
            return replace(made, model=GilbertElliott(_p(p), _p(r), CERTAIN - _p(bad), _p(good)))
        case LossState(p13, p31, p32, p23, p14):
            # The kernel adds p13 to p14 and p31 to p32 in 32 bits: rounding must not carry them over.
            alone, back = min(_p(p14), CERTAIN - _p(p13)), min(_p(p32), CERTAIN - _p(p31))
            return replace(made, model=FourStates(_p(p13), _p(p31), back, alone, _p(p23)))
        case LossBurst():
            return _loss(made, loss.as_gemodel())
    return made


def _with_delay(made: Netem, delay: Delay | None) -> Netem:
    if delay is None:
        return made
    table: tuple[int, ...] = ()
    if delay.jitter.ns:
        # Uniform too: a change can't take away the table that was there before.
        table = load_table(delay.table) if delay.table is not None else table_of(delay.distribution)
    return replace(
        made,
        latency_ns=delay.time.ns,
        jitter_ns=delay.jitter.ns,
        delay_corr=_p(delay.correlation),
        delay_table=table,
    )


def _with_faults(made: Netem, condition: Condition) -> Netem:
    if condition.duplicate is not None:
        made = replace(made, duplicate=_p(condition.duplicate.percent), duplicate_corr=_p(condition.duplicate.correlation))
    if condition.corrupt is not None:
        made = replace(made, corrupt=_p(condition.corrupt.percent), corrupt_corr=_p(condition.corrupt.correlation))
    if condition.reorder is not None:
        again = condition.reorder
        made = replace(made, reorder=_p(again.percent), reorder_corr=_p(again.correlation), gap=again.gap)
    return made


def _with_rate(made: Netem, condition: Condition) -> Netem:
    if condition.rate is not None:
        bits = condition.rate.bitrate.bits_per_second
        # Whole bytes a second, to the nearest; 0 would be no limit at all.
        made = replace(made, rate=max(1, (bits + 4) // 8) if bits else 0, packet_overhead=condition.rate.overhead)
    if condition.slot is not None:
        slot = condition.slot
        slots = NetemSlots(
            slot.minimum.ns,
            (slot.maximum or slot.minimum).ns,
            min(slot.packets.count, 2**31 - 1) if slot.packets is not None else 0,
            min(slot.bytes.bytes, 2**31 - 1) if slot.bytes is not None else 0,
        )
        made = replace(made, slots=slots)
    return made


def _limit(condition: Condition, made: Netem) -> int:
    if isinstance(condition.limit, Packets):
        return condition.limit.count
    if isinstance(condition.limit, Duration) and made.rate:
        return -(-room(8 * made.rate, in_flight_ns(made), condition.limit) // FRAME)
    return sized_limit(made)


def in_flight_ns(made: Netem) -> int:
    """The longest time that a packet is on its way, without waiting."""
    return made.latency_ns + TAIL * made.jitter_ns + max(made.slots.min_ns, made.slots.max_ns)


def sized_limit(made: Netem) -> int:
    """Packets: what is on its way, and a second of waiting for a rate."""
    if made.rate:
        return min(-(-room(min(8 * made.rate, FASTEST_BPS), in_flight_ns(made)) // FRAME), MOST_LIMIT)
    wanted = FASTEST_BPS * in_flight_ns(made) // (SECOND * PACKET_BITS)
    return min(max(wanted, LEAST_LIMIT), MOST_LIMIT)


def holds_up(old: Netem, held: int, new: Netem) -> bool:
    """Whether packets that a netem holds would delay, or crowd out, those that come after a change in place.

    A netem with a rate counts from its last packet's departure; and what it holds counts against its new limit.
    """
    if not held:
        return False
    drains_ns = old.latency_ns + TAIL * old.jitter_ns + (held * PACKET_BITS * SECOND // (8 * old.rate) if old.rate else 0)
    return 2 * held > new.limit or (bool(old.rate or new.rate) and drains_ns > new.latency_ns + UNNOTICED_NS)


def may_overflow(made: Netem) -> bool:
    """Whether a full queue is part of what was asked: a rate, slots, or a limit that is not of our own making."""
    return bool(made.rate or made.slots.there or made.limit != sized_limit(made))


__all__ = ["PUMP_ONLY", "holds_up", "may_overflow", "netem_for", "sized_limit", "unsupported", "whole"]
