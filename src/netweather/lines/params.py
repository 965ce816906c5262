"""The pump's parameter block and statistics as dataclasses, and the bytes of pump/params.h.

Times are nanoseconds, probabilities fixed point (ONE is certain), correlations netem's (0 to 2^32-1). A value out of range
does no harm: the pump clamps it and says so (ConfigError.CLAMPED). The layout is checked against the C headers by a test.
Not here: which parameters a condition needs (pump.py), writing them into the file (kernel/datapath/pump_file.py).
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field, fields
from enum import IntEnum, IntFlag
from typing import Final

LINES: Final = 240
TABLE_SIZE: Final = 4096
LIST_SIZE: Final = 1024
PARAMS_SIZE: Final = 2048
STATS_SIZE: Final = 2048
HISTOGRAM: Final = 24
ONE: Final = 2**32


class ParameterFlag(IntFlag):
    """enum nw_flag."""

    SEEDED = 1
    KEEP_ORDER = 2
    DELAY_TABLE = 4
    SLOT_TABLE = 8
    LOSS_ECN = 16


class LossModel(IntEnum):
    """enum nw_loss_model."""

    NONE = 0
    RANDOM = 1
    GILBERT_ELLIOTT = 2
    STATE = 3
    BURST = 4
    NTH = 5
    LIST = 6


class QueuePolicy(IntEnum):
    """enum nw_policy: what a full queue does."""

    DROPTAIL = 0
    CODEL = 1
    CODEL_ECN = 2


class LineState(IntEnum):
    """enum nw_state: of a line, in its statistics."""

    ABSENT = 0
    ACTIVE = 1
    DRAINING = 2
    DRAINED = 3
    FAILED = 4


class ConfigError(IntEnum):
    """enum nw_config_error."""

    OK = 0
    CLAMPED = 1
    TORN = 2
    NO_TRACE = 3


# In the order of struct nw_params, from flags on (generation and crc are in front).
_LAYOUT: Final = (
    ("flags", "I"),
    ("seed", "Q"),
    ("delay_ns", "q"),
    ("jitter_ns", "q"),
    ("delay_rho", "I"),
    ("loss_model", "I"),
    ("loss_p", "Q"),
    ("loss_a", "5Q"),
    ("loss_rho", "I"),
    ("burst_min", "I"),
    ("burst_max", "I"),
    ("nth_period", "I"),
    ("nth_offset", "I"),
    ("list_count", "I"),
    ("list_period", "Q"),
    ("duplicate_p", "Q"),
    ("corrupt_p", "Q"),
    ("reorder_p", "Q"),
    ("duplicate_rho", "I"),
    ("corrupt_rho", "I"),
    ("reorder_rho", "I"),
    ("gap", "I"),
    ("rate_bps", "Q"),
    ("overhead", "i"),
    ("cell_size", "I"),
    ("cell_overhead", "i"),
    ("policy", "I"),
    ("limit_packets", "Q"),
    ("limit_bytes", "Q"),
    ("codel_target_ns", "Q"),
    ("codel_interval_ns", "Q"),
    ("slot_min_ns", "q"),
    ("slot_max_ns", "q"),
    ("slot_delay_ns", "q"),
    ("slot_jitter_ns", "q"),
    ("slot_packets", "Q"),
    ("slot_bytes", "Q"),
    ("trace_bytes", "I"),
    ("trace_crc", "I"),
    ("trace_start_ns", "Q"),
    ("mtu", "I"),
    ("delay_table_crc", "I"),
    ("slot_table_crc", "I"),
    ("list_crc", "I"),
)
_HEAD: Final = 12
_BODY: Final = struct.Struct("<" + "".join(code for _, code in _LAYOUT))
PARAMS_OFFSETS: Final = {
    name: _HEAD + struct.calcsize("<" + "".join(code for _, code in _LAYOUT[:i])) for i, (name, _) in enumerate(_LAYOUT)
}


@dataclass(frozen=True, slots=True)
class LineParams:
    """Everything that a line does to packets. The default passes them on at once."""

    seed: int | None = None
    delay_ns: int = 0
    jitter_ns: int = 0
    delay_rho: int = 0
    delay_table: tuple[int, ...] = ()  # TABLE_SIZE entries in 1/8192 sigma; empty: uniform
    keep_order: bool = False
    loss_model: LossModel = LossModel.NONE
    loss_p: int = 0
    loss_a: tuple[int, int, int, int, int] = (0, 0, 0, 0, 0)
    loss_rho: int = 0
    loss_ecn: bool = False
    burst_min: int = 1
    burst_max: int = 1
    nth_period: int = 0
    nth_offset: int = 0
    losses: tuple[int, ...] = ()  # packet numbers from 1, ascending
    list_period: int = 0
    duplicate_p: int = 0
    duplicate_rho: int = 0
    corrupt_p: int = 0
    corrupt_rho: int = 0
    reorder_p: int = 0
    reorder_rho: int = 0
    gap: int = 0
    rate_bps: int = 0
    overhead: int = 0
    cell_size: int = 0
    cell_overhead: int = 0
    policy: QueuePolicy = QueuePolicy.DROPTAIL
    limit_packets: int = 0
    limit_bytes: int = 0
    codel_target_ns: int = 5_000_000
    codel_interval_ns: int = 100_000_000
    slot_min_ns: int = 0
    slot_max_ns: int = 0
    slot_delay_ns: int = 0
    slot_jitter_ns: int = 0
    slot_table: tuple[int, ...] = ()
    slot_packets: int = 0
    slot_bytes: int = 0
    trace: bytes = field(default=b"", repr=False)  # of traces.py
    trace_start_ns: int = 0
    mtu: int = 0

    @property
    def flags(self) -> ParameterFlag:
        flags = ParameterFlag(0)
        flags |= ParameterFlag.SEEDED if self.seed is not None else ParameterFlag(0)
        flags |= ParameterFlag.KEEP_ORDER if self.keep_order else ParameterFlag(0)
        flags |= ParameterFlag.DELAY_TABLE if self.delay_table else ParameterFlag(0)
        flags |= ParameterFlag.SLOT_TABLE if self.slot_table else ParameterFlag(0)
        return flags | (ParameterFlag.LOSS_ECN if self.loss_ecn else ParameterFlag(0))

    def tables(self) -> dict[str, bytes]:
        """What stands beside the block: `delay`, `slot`, `list` and `trace`, those that are used."""
        found = {
            "delay": struct.pack(f"<{len(self.delay_table)}h", *self.delay_table),
            "slot": struct.pack(f"<{len(self.slot_table)}h", *self.slot_table),
            "list": struct.pack(f"<{len(self.losses)}I", *self.losses),
            "trace": self.trace,
        }
        return {name: data for name, data in found.items() if data}

    def pack(self) -> bytes:
        """The block's PARAMS_SIZE bytes, with generation 0: whoever writes them into the file counts generations."""
        for table in (self.delay_table, self.slot_table):
            if table and len(table) != TABLE_SIZE:
                raise ValueError(f"a table has {TABLE_SIZE} entries, not {len(table)}")
        if len(self.losses) > LIST_SIZE:
            raise ValueError(f"a list has at most {LIST_SIZE} packets, not {len(self.losses)}")
        tables = self.tables()
        derived: dict[str, int] = {
            "flags": int(self.flags),
            "seed": self.seed or 0,
            "list_count": len(self.losses),
            "trace_bytes": len(self.trace),
            "trace_crc": zlib.crc32(self.trace),
            "delay_table_crc": zlib.crc32(tables.get("delay", b"")),
            "slot_table_crc": zlib.crc32(tables.get("slot", b"")),
            "list_crc": zlib.crc32(tables.get("list", b"")),
        }
        values: list[int] = []
        for name, _ in _LAYOUT:
            value = derived[name] if name in derived else getattr(self, name)
            values += value if isinstance(value, tuple) else (int(value),)
        body = _BODY.pack(*values).ljust(PARAMS_SIZE - _HEAD, b"\0")
        return struct.pack("<QI", 0, zlib.crc32(body)) + body

    @classmethod
    def unpack(cls, block: bytes, tables: dict[str, bytes] | None = None) -> LineParams:
        """What a block says; tables as `tables()` gives them. Raises ValueError when its checksum is wrong."""
        if len(block) != PARAMS_SIZE or struct.unpack_from("<I", block, 8)[0] != zlib.crc32(block[_HEAD:]):
            raise ValueError("not a parameter block")
        tables = tables or {}
        raw = list(_BODY.unpack_from(block, _HEAD))
        values: dict[str, object] = {}
        for name, code in _LAYOUT:
            count = int(code[:-1] or 1)
            values[name] = tuple(raw[:count]) if count > 1 else raw[0]
            del raw[:count]
        flags = ParameterFlag(int(str(values.pop("flags"))))
        values["seed"] = values["seed"] if ParameterFlag.SEEDED in flags else None
        values["keep_order"] = ParameterFlag.KEEP_ORDER in flags
        values["loss_ecn"] = ParameterFlag.LOSS_ECN in flags
        values["loss_model"] = LossModel(int(str(values["loss_model"])))
        values["policy"] = QueuePolicy(int(str(values["policy"])))
        for name in ("list_count", "trace_bytes", "trace_crc", "delay_table_crc", "slot_table_crc", "list_crc"):
            del values[name]
        values["delay_table"] = _numbers("h", tables.get("delay", b"")) if ParameterFlag.DELAY_TABLE in flags else ()
        values["slot_table"] = _numbers("h", tables.get("slot", b"")) if ParameterFlag.SLOT_TABLE in flags else ()
        values["losses"] = _numbers("I", tables.get("list", b""))
        values["trace"] = tables.get("trace", b"")
        return cls(**values)  # type: ignore[arg-type]  # the layout's names and types are the dataclass's


def _numbers(code: str, data: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(data) // struct.calcsize(code)}{code}", data)


@dataclass(frozen=True, slots=True)
class LineStats:
    """What a line has done so far. Frames are reads and writes; packets are what the wire would carry.

    Asked for: lost to dropped_mtu. Nobody asked for: unwanted_*. Held and late are sums over tx_packets.
    decided: packets since the loss model began, so the number of the latest one in a list of losses.
    dropped_ended: packets that were held when the line was removed, and dropped on request.
    """

    generation: int
    state: LineState
    config_error: ConfigError
    applied_generation: int
    seed_used: int
    rx_frames: int
    rx_packets: int
    rx_bytes: int
    tx_frames: int
    tx_packets: int
    tx_bytes: int
    lost: int
    lost_trace: int
    dropped_limit: int
    dropped_codel: int
    dropped_mtu: int
    marked: int
    duplicated: int
    corrupted: int
    reordered: int
    unwanted_write: int
    unwanted_memory: int
    unwanted_closed: int
    malformed: int
    queued_packets: int
    queued_bytes: int
    peak_packets: int
    peak_bytes: int
    held_ns_sum: int
    late_ns_sum: int
    late_ns_max: int
    gso_in: int
    gso_out: int
    gso_opaque: int
    changes: int
    errno_last: int
    late_us_log2: tuple[int, ...]
    decided: int
    dropped_ended: int

    @classmethod
    def unpack(cls, block: bytes) -> LineStats:
        """The statistics of a consistent copy of the block's statistics part."""
        raw = _STATS.unpack_from(block)
        values = dict(
            zip(
                (name for name in STATS_OFFSETS if name != "late_us_log2"),
                (*raw[:_ARRAY], *raw[_ARRAY + HISTOGRAM :]),
                strict=True,
            )
        )
        values["state"] = LineState(values["state"])
        values["config_error"] = ConfigError(values["config_error"])
        return cls(**values, late_us_log2=raw[_ARRAY : _ARRAY + HISTOGRAM])

    @property
    def unwanted(self) -> int:
        """Packets that the pump lost and nobody asked for."""
        return self.unwanted_write + self.unwanted_memory + self.unwanted_closed

    @property
    def dropped(self) -> int:
        """Packets that were to be lost."""
        return self.lost + self.lost_trace + self.dropped_limit + self.dropped_codel + self.dropped_mtu


_STATS_CODES: Final = {
    f.name: {"state": "I", "config_error": "I", "late_us_log2": f"{HISTOGRAM}Q"}.get(f.name, "Q") for f in fields(LineStats)
}
_ARRAY: Final = [*_STATS_CODES].index("late_us_log2")
_STATS: Final = struct.Struct("<" + "".join(_STATS_CODES.values()))
STATS_OFFSETS: Final = {
    name: struct.calcsize("<" + "".join(list(_STATS_CODES.values())[:i])) for i, name in enumerate(_STATS_CODES)
}
