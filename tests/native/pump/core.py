"""The pump's core in virtual time: a million packets take a second."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from netweather.lines.params import STATS_SIZE, LineParams, LineStats
from tests.native.pump import harness

HERE = Path(__file__).resolve().parent
MS = 10**6
SECOND = 10**9
RECORD = np.dtype([("number", "<u8"), ("time", "<u8"), ("flip", "<u4"), ("mark", "<u4")])
Array = npt.NDArray[np.uint64]


@cache
def library() -> ctypes.CDLL:
    command = [*harness.ZIG, "-O2", "-fPIC", "-shared"]
    lib = ctypes.CDLL(str(harness.build("core.so", command, [HERE / "core.c", *harness.core_sources()])))
    u64, u32, pointer = ctypes.c_uint64, ctypes.c_uint32, ctypes.c_void_p
    for name, result, arguments in (
        ("open", pointer, [u64]),
        ("close", u64, [pointer]),
        ("configure", None, [pointer, *[ctypes.c_char_p] * 4, u32, ctypes.c_char_p, u32, u64]),
        ("restart", None, [pointer]),
        ("next", u64, [pointer]),
        ("stats", pointer, [pointer]),
        ("memory", u64, [pointer]),
        ("feed", ctypes.c_int, [pointer, ctypes.c_char_p, u32, ctypes.c_char_p, u64]),
        ("take", u32, [pointer, u64, pointer, pointer, ctypes.POINTER(u64)]),
        ("run", u64, [pointer, u64, u64, pointer, pointer, ctypes.c_uint8, pointer, u64, ctypes.c_int]),
        ("draws", None, [u64, u64, u32, pointer, u32]),
        ("sort", ctypes.c_int, [pointer, u32, pointer]),
        ("csum", ctypes.c_uint16, [ctypes.c_char_p, u32]),
        ("crc32", u32, [ctypes.c_char_p, u32]),
    ):
        function = getattr(lib, f"nwt_{name}")
        function.restype, function.argtypes = result, arguments
    return lib


@dataclass(frozen=True)
class Frame:
    """What came out: its bytes, its 10-byte virtio header, and when it was due."""

    data: bytes
    vnet: tuple[int, ...]
    due: int


class Core:
    """One line without a file descriptor."""

    def __init__(self, params: LineParams | None = None, *, now: int = 0, memory: int = 0) -> None:
        self._lib = library()
        self._handle = self._lib.nwt_open(memory)
        self._next = 0
        self._generation = 0
        self.set(params or LineParams(), now)

    def set(self, params: LineParams, now: int = 0) -> None:
        self.set_raw(params.pack(), params.tables(), now)

    def set_raw(self, block: bytes, tables: dict[str, bytes], now: int) -> None:
        self._generation += 2
        losses, trace = tables.get("list"), tables.get("trace")
        self._lib.nwt_configure(
            self._handle,
            self._generation.to_bytes(8, "little") + block[8:],
            tables.get("delay"),
            tables.get("slot"),
            losses,
            len(losses or b""),
            trace,
            len(trace or b""),
            now,
        )

    def run(
        self, arrivals: Array, sizes: int | Array = 1000, *, drain: bool = True, tos: int = 0, copies: int = 2
    ) -> npt.NDArray[np.void]:
        """Lets packets arrive (numbered on from the last run), the answer is what came out by the last of them, or ever."""
        times = np.ascontiguousarray(arrivals, dtype="<u8")
        lens = np.ascontiguousarray(np.broadcast_to(np.asarray(sizes, dtype="<u4"), times.shape))
        out = np.zeros(copies * len(times) + 100_000, dtype=RECORD)
        got = self._lib.nwt_run(
            self._handle, self._next, len(times), times.ctypes.data, lens.ctypes.data, tos, out.ctypes.data, len(out), int(drain)
        )
        self._next += len(times)
        return out[:got]

    def feed(self, data: bytes, now: int = 0, vnet: bytes | None = None) -> bool:
        return bool(self._lib.nwt_feed(self._handle, data, len(data), vnet, now) == 0)

    def take(self, now: int) -> Frame | None:
        out, vnet, due = ctypes.create_string_buffer(70_000), ctypes.create_string_buffer(10), ctypes.c_uint64()
        length = self._lib.nwt_take(self._handle, now, out, vnet, ctypes.byref(due))
        return Frame(out.raw[:length], harness.VNET.unpack(vnet.raw), due.value) if length else None

    def take_all(self, now: int) -> list[Frame]:
        return list(iter(lambda: self.take(now), None))

    @property
    def next(self) -> int:
        return int(self._lib.nwt_next(self._handle))

    @property
    def memory(self) -> int:
        return int(self._lib.nwt_memory(self._handle))

    @property
    def stats(self) -> LineStats:
        return LineStats.unpack(ctypes.string_at(self._lib.nwt_stats(self._handle), STATS_SIZE))

    def restart(self) -> None:
        self._lib.nwt_restart(self._handle)

    def close(self) -> None:
        left = self._lib.nwt_close(self._handle)
        assert left == 0, f"{left} bytes leaked"


@contextmanager
def line(params: LineParams | None = None, *, now: int = 0, memory: int = 0) -> Iterator[Core]:
    core = Core(params, now=now, memory=memory)
    try:
        yield core
    finally:
        core.close()


def every(gap_ns: int, count: int, start: int = SECOND) -> Array:
    """Arrival times."""
    return np.arange(count, dtype="<u8") * np.uint64(gap_ns) + np.uint64(start)


def survivors(records: npt.NDArray[np.void], count: int) -> npt.NDArray[np.bool_]:
    """Which of the packets 0 .. count-1 came out."""
    alive = np.zeros(count, dtype=bool)
    alive[records["number"].astype(np.int64)] = True
    return alive
