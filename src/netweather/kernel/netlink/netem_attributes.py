"""netem's attributes (TCA_NETEM_*) as bytes and back: all that the kernel's tc.yaml lists. Pure.

`Netem` holds what the kernel holds, in its own units: nanoseconds, bytes a second, probabilities of 2**32 - 1. `pack` writes
every attribute each time, zeros too, since the kernel keeps what a change leaves out. A table can be replaced but never taken
away, nor read back; so tables are not part of what is compared. Not here: what a condition means (lines/netem_line.py).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, fields
from typing import Final

from netweather.kernel.netlink.rtnetlink import NESTED, attribute, attributes

CORR, DELAY_DIST, REORDER, CORRUPT, LOSS, RATE, ECN, RATE64, PAD = range(1, 10)
LATENCY64, JITTER64, SLOT, SLOT_DIST, PRNG_SEED = range(10, 15)
LOSS_GI, LOSS_GE = 1, 2
CERTAIN: Final = 2**32 - 1
"""The probability 100 %."""
MOST_JITTER_NS: Final = 2**31 - 1
"""The kernel cuts off a larger jitter."""
MOST_ENTRIES: Final = 16384
TICK_NS: Final = 64
"""A psched tick: what the 32-bit forms of latency and jitter count."""

_QOPT: Final = struct.Struct("=6I")
_CORR: Final = struct.Struct("=3I")
_PAIR: Final = struct.Struct("=2I")
_RATE: Final = struct.Struct("=IiIi")
_GI: Final = struct.Struct("=5I")
_GE: Final = struct.Struct("=4I")
_SLOT: Final = struct.Struct("=qqiiqq")
_U32, _S64, _U64 = struct.Struct("=I"), struct.Struct("=q"), struct.Struct("=Q")


@dataclass(frozen=True, slots=True)
class FourStates:
    """`loss state`: the general intuitive model's transition probabilities."""

    p13: int
    p31: int
    p32: int
    p14: int
    p23: int


@dataclass(frozen=True, slots=True)
class GilbertElliott:
    """`loss gemodel`. h: the chance to arrive in the bad state; k1: to be lost in the good one (tc: 1-k)."""

    p: int
    r: int
    h: int
    k1: int


@dataclass(frozen=True, slots=True)
class NetemSlots:
    """`slot`: from min to max ns between two, or drawn from slot_dist around dist_delay. 0 packets or bytes: no limit."""

    min_ns: int = 0
    max_ns: int = 0
    packets: int = 0
    bytes: int = 0
    dist_delay_ns: int = 0
    dist_jitter_ns: int = 0

    @property
    def there(self) -> bool:
        """Whether the kernel uses them, and tells them."""
        return bool(self.min_ns or self.max_ns or self.dist_jitter_ns)


@dataclass(frozen=True, slots=True)
class Netem:
    """One netem qdisc. rate: bytes a second, 0 for none. seed: None where the kernel draws its own, or tells none."""

    limit: int = 1000
    latency_ns: int = 0
    jitter_ns: int = 0
    loss: int = 0
    gap: int = 0
    duplicate: int = 0
    delay_corr: int = 0
    loss_corr: int = 0
    duplicate_corr: int = 0
    reorder: int = 0
    reorder_corr: int = 0
    corrupt: int = 0
    corrupt_corr: int = 0
    model: FourStates | GilbertElliott | None = None
    rate: int = 0
    packet_overhead: int = 0
    cell_size: int = 0
    cell_overhead: int = 0
    ecn: bool = False
    slots: NetemSlots = field(default=NetemSlots())
    seed: int | None = None
    delay_table: tuple[int, ...] = field(default=(), compare=False)
    slot_table: tuple[int, ...] = field(default=(), compare=False)

    def pack(self) -> bytes:
        """TCA_OPTIONS of netem. Raises ValueError for a table the kernel refuses, struct.error for a number out of range."""
        parts = [
            _QOPT.pack(_ticks(self.latency_ns), self.limit, self.loss, self.gap, self.duplicate, _ticks(self.jitter_ns)),
            attribute(CORR, _CORR.pack(self.delay_corr, self.loss_corr, self.duplicate_corr)),
            attribute(REORDER, _PAIR.pack(self.reorder, self.reorder_corr)),
            attribute(CORRUPT, _PAIR.pack(self.corrupt, self.corrupt_corr)),
            attribute(RATE, _RATE.pack(min(self.rate, CERTAIN), self.packet_overhead, self.cell_size, self.cell_overhead)),
            attribute(ECN, _U32.pack(self.ecn)),
            attribute(LATENCY64, _S64.pack(self.latency_ns)),
            attribute(JITTER64, _S64.pack(self.jitter_ns)),
            attribute(SLOT, _slot_bytes(self.slots)),
        ]
        if self.rate > CERTAIN:
            parts.append(attribute(RATE64, _U64.pack(self.rate)))
        if self.model is not None:
            parts.append(attribute(LOSS | NESTED, _model_bytes(self.model)))
        if self.seed is not None:
            parts.append(attribute(PRNG_SEED, _U64.pack(self.seed)))
        for kind, table in ((DELAY_DIST, self.delay_table), (SLOT_DIST, self.slot_table)):
            if table:
                parts.append(attribute(kind, _table_bytes(table)))
        return b"".join(parts)

    def held(self) -> Netem:
        """What the kernel makes of it: the seed only where it tells one, what it cuts off cut off."""
        changes = {f.name: getattr(self, f.name) for f in fields(self)}
        changes["jitter_ns"] = min(abs(self.jitter_ns), MOST_JITTER_NS)
        # With a gap older tools meant certainty: a reorder of our own comes after that, so it holds.
        changes["slots"] = self.slots if self.slots.there else NetemSlots()
        changes["delay_table"] = changes["slot_table"] = ()
        return Netem(**changes)


def unpack(options: bytes) -> Netem:
    """A read-back's TCA_OPTIONS; also what `pack` made. Raises ValueError when it is none."""
    if len(options) < _QOPT.size:
        raise ValueError(f"netem's options have at least {_QOPT.size} bytes, not {len(options)}")
    latency, limit, loss, gap, duplicate, jitter = _QOPT.unpack_from(options)
    found: dict[str, object] = {
        "limit": limit,
        "latency_ns": latency * TICK_NS,
        "jitter_ns": jitter * TICK_NS,
        "loss": loss,
        "gap": gap,
        "duplicate": duplicate,
    }
    rate64 = None
    try:
        for kind, data in attributes(options[_QOPT.size :]).items():
            found |= _meaning(kind, data)
            rate64 = _U64.unpack(data)[0] if kind == RATE64 else rate64
    except struct.error as error:
        raise ValueError(f"netem's options can't be read: {error}") from error
    if rate64 is not None:
        found["rate"] = rate64
    return Netem(**found)  # type: ignore[arg-type]  # each by its name above or in _meaning


def differences(asked: Netem, seen: Netem) -> list[str]:
    """The fields that are not what was asked, as `field: asked, seen`; empty: the kernel holds it."""
    wanted = asked.held()
    wrong = []
    for each in fields(Netem):
        if not each.compare or (each.name == "seed" and asked.seed is None):
            continue
        one, other = getattr(wanted, each.name), getattr(seen, each.name)
        if one != other:
            wrong.append(f"{each.name}: requested {one}, found {other}")
    return wrong


def _meaning(kind: int, data: bytes) -> dict[str, object]:  # long: one case for each attribute
    match kind:
        case 1:  # CORR
            return dict(zip(("delay_corr", "loss_corr", "duplicate_corr"), _CORR.unpack(data), strict=True))
        case 2 | 13:  # DELAY_DIST, SLOT_DIST
            entries = struct.unpack(f"={len(data) // 2}h", data)
            return {"delay_table" if kind == DELAY_DIST else "slot_table": entries}
        case 3:
            return dict(zip(("reorder", "reorder_corr"), _PAIR.unpack(data), strict=True))
        case 4:
            return dict(zip(("corrupt", "corrupt_corr"), _PAIR.unpack(data), strict=True))
        case 5:
            return {"model": _model(data)}
        case 6:
            names = ("rate", "packet_overhead", "cell_size", "cell_overhead")
            return dict(zip(names, _RATE.unpack(data), strict=True))
        case 7:
            return {"ecn": bool(_U32.unpack(data)[0])}
        case 10:
            return {"latency_ns": _S64.unpack(data)[0]}
        case 11:
            return {"jitter_ns": _S64.unpack(data)[0]}
        case 12:
            low, high, packets, size, delay, jitter = _SLOT.unpack(data)
            return {"slots": NetemSlots(low, high, packets, size, delay, jitter)}
        case 14:
            return {"seed": _U64.unpack(data)[0]}
    return {}  # padding, and what later kernels add


def _model(data: bytes) -> FourStates | GilbertElliott | None:
    for kind, inner in attributes(data).items():
        if kind == LOSS_GI:
            return FourStates(*_GI.unpack(inner))
        if kind == LOSS_GE:
            return GilbertElliott(*_GE.unpack(inner))
    return None


def _model_bytes(model: FourStates | GilbertElliott) -> bytes:
    if isinstance(model, FourStates):
        return attribute(LOSS_GI, _GI.pack(model.p13, model.p31, model.p32, model.p14, model.p23))
    return attribute(LOSS_GE, _GE.pack(model.p, model.r, model.h, model.k1))


def _slot_bytes(slots: NetemSlots) -> bytes:
    return _SLOT.pack(slots.min_ns, slots.max_ns, slots.packets, slots.bytes, slots.dist_delay_ns, slots.dist_jitter_ns)


def _table_bytes(table: tuple[int, ...]) -> bytes:
    if len(table) > MOST_ENTRIES:
        raise ValueError(f"a table has at most {MOST_ENTRIES} entries, not {len(table)}")
    return struct.pack(f"={len(table)}h", *table)


def _ticks(ns: int) -> int:
    return min(ns // TICK_NS, CERTAIN)
