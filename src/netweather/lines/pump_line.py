"""A condition → the parameters of a pump's line, with a queue that is large enough for it.

Meanings are netem's; where the pump differs: jitter in front of a rate keeps the order (as netem's rate does by itself), and a
packet that overtakes skips the delay but not the rate. Not here: blocking, which needs no line, and profiles, which are
resolved before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from netweather.conditions.distributions import load_table, table_of
from netweather.conditions.loss import (
    Loss,
    LossBurst,
    LossEvery,
    LossGemodel,
    LossList,
    LossRandom,
    LossState,
)
from netweather.conditions.model import Condition, Delay
from netweather.conditions.queues import room
from netweather.lines.params import LIST_SIZE, ONE, TABLE_SIZE, LineParams, LossModel, QueuePolicy
from netweather.lines.traces import Trace, load_trace
from netweather.units import Duration, Packets, Percent, Size

PumpDirection = Literal["egress", "ingress"]

RHO_ONE: Final = 2**32 - 1
POLICIES: Final = {"droptail": QueuePolicy.DROPTAIL, "codel": QueuePolicy.CODEL, "ecn": QueuePolicy.CODEL_ECN}
TAIL: Final = 4  # sigmas of jitter that a table can add
INGRESS_SALT: Final = 0x9E3779B97F4A7C15  # both directions of one seed must not lose the same packets


def unsupported(condition: Condition) -> list[str]:
    """Why a pump can't do this; empty: it can."""
    reasons = []
    if condition.block is not None:
        reasons.append("a block needs no emulated link")
    if condition.profile is not None:
        reasons.append(f"the profile {condition.profile} is not resolved")
    if isinstance(condition.loss, LossList) and len(condition.loss.indices) > LIST_SIZE:
        reasons.append(f"a loss list has at most {LIST_SIZE} packets, not {len(condition.loss.indices)}")
    return reasons


def line_parameters(condition: Condition, direction: PumpDirection) -> tuple[bytes, tuple[tuple[str, bytes], ...]]:
    """The parameter block, and the tables that belong beside it, for the kernel seam's Line."""
    params = params_for(condition, direction)
    return params.pack(), tuple(params.tables().items())


def params_for(condition: Condition, direction: PumpDirection = "egress") -> LineParams:
    """What the line of this condition and direction must do. Raises UsageError for a trace or table that can't be used."""
    trace = load_trace(condition.trace) if condition.trace is not None else None
    given: dict[str, Any] = {
        **_loss(condition.loss),
        "seed": _seed(condition.seed, direction),
        "loss_ecn": condition.ecn,
        "policy": POLICIES[condition.queue or "droptail"],
        "mtu": condition.mtu or 0,
        "trace": trace.pack() if trace is not None else b"",
        **_delay(condition.delay),
        **_faults(condition),
        **_rate(condition),
    }
    if given.get("jitter_ns") and (given.get("rate_bps") or trace is not None):
        given["keep_order"] = True
    elif trace is not None and trace.rows:
        given["keep_order"] = condition.reorder is None
    return _with_limit(LineParams(**given), condition, trace)


def _seed(seed: int | None, direction: PumpDirection) -> int | None:
    if seed is None or direction == "egress":
        return seed
    return (seed + INGRESS_SALT) % 2**64


def _p(percent: Percent) -> int:
    return percent.of(ONE)


def _rho(percent: Percent) -> int:
    return percent.of(RHO_ONE)


def _delay(delay: Delay | None) -> dict[str, Any]:
    if delay is None:
        return {}
    entries: tuple[int, ...] = ()
    if delay.jitter.ns and delay.distribution != "uniform":
        entries = load_table(delay.table) if delay.table is not None else table_of(delay.distribution)
    return {
        "delay_ns": delay.time.ns,
        "jitter_ns": delay.jitter.ns,
        "delay_rho": _rho(delay.correlation),
        "delay_table": _stretched(entries),
        "keep_order": delay.keep_order,
    }


def _stretched(entries: tuple[int, ...]) -> tuple[int, ...]:
    """The same distribution in as many entries as the pump's table has."""
    if len(entries) in (0, TABLE_SIZE):
        return entries
    ordered = sorted(entries)
    return tuple(ordered[(2 * i + 1) * len(ordered) // (2 * TABLE_SIZE)] for i in range(TABLE_SIZE))


def _loss(loss: Loss | None) -> dict[str, Any]:
    match loss:
        case None:
            return {}
        case LossRandom(percent, correlation):
            return {"loss_model": LossModel.RANDOM, "loss_p": _p(percent), "loss_rho": _rho(correlation)}
        case LossGemodel(p, r, bad, good):
            return {"loss_model": LossModel.GILBERT_ELLIOTT, "loss_a": (_p(p), _p(r), _p(bad), _p(good), 0)}
        case LossState(p13, p31, p32, p23, p14):
            return {"loss_model": LossModel.STATE, "loss_a": (_p(p13), _p(p31), _p(p32), _p(p23), _p(p14))}
        case LossBurst():
            return _loss(loss.as_gemodel())
        case LossEvery(n):
            return {"loss_model": LossModel.NTH, "nth_period": n, "nth_offset": n}
        case LossList(indices):
            return {"loss_model": LossModel.LIST, "losses": tuple(sorted(set(indices)))}


def _faults(condition: Condition) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for name in ("duplicate", "corrupt", "reorder"):
        if (fault := getattr(condition, name)) is not None:
            given |= {f"{name}_p": _p(fault.percent), f"{name}_rho": _rho(fault.correlation)}
    if condition.reorder is not None:
        given["gap"] = condition.reorder.gap
    return given


def _rate(condition: Condition) -> dict[str, Any]:
    given: dict[str, Any] = {}
    if condition.rate is not None:
        given |= {"rate_bps": condition.rate.bitrate.bits_per_second, "overhead": condition.rate.overhead}
    if condition.slot is not None:
        slot = condition.slot
        given |= {
            "slot_min_ns": slot.minimum.ns,
            "slot_max_ns": (slot.maximum or slot.minimum).ns,
            "slot_packets": slot.packets.count if slot.packets is not None else 0,
            "slot_bytes": slot.bytes.bytes if slot.bytes is not None else 0,
        }
    return given


@dataclass(frozen=True, slots=True)
class QueueSize:
    """How much a line holds at most; 0 is no limit but the pump's memory."""

    packets: int = 0
    bytes: int = 0


def queue_size(rate_bps: int, in_flight_ns: int, limit: Duration | None = None) -> QueueSize:
    """Enough for what is on its way and a second, or `limit`, of waiting for the rate; without a rate nothing waits, so no limit."""
    if not rate_bps:
        return QueueSize()
    return QueueSize(bytes=room(rate_bps, in_flight_ns, limit))


def _with_limit(params: LineParams, condition: Condition, trace: Trace | None) -> LineParams:
    limit = condition.limit
    if limit in (Packets(0), Size(0)):  # for the pump 0 is no limit; into a byte no packet fits
        return replace(params, limit_bytes=1)
    if isinstance(limit, Size):
        return replace(params, limit_bytes=limit.bytes)
    if isinstance(limit, Packets):
        return replace(params, limit_packets=limit.count)
    delay = max([params.delay_ns, *(row.delay_ns or 0 for row in trace.rows)] if trace is not None else [params.delay_ns])
    in_flight = delay + TAIL * params.jitter_ns + max(params.slot_max_ns, params.slot_min_ns)
    rates = [params.rate_bps, trace.mean_rate_bps if trace is not None else 0]
    size = queue_size(max(rates), in_flight, limit)
    return replace(params, limit_packets=size.packets, limit_bytes=size.bytes) if size != QueueSize() else params
