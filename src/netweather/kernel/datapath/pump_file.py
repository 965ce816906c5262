"""The file that a pump shares with us (pump/params.h): parameters are written, statistics read, while it runs.

Plain bytes only: what they mean is netweather.lines.params. One writer at a time; any number of readers.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from netweather.kernel.datapath.spec import LineCounts

MAGIC: Final = 0x4D50574E
VERSION: Final = 1
LINES: Final = 240
HEADER_SIZE: Final = 4096
PARAMS_SIZE: Final = 2048
STATS_SIZE: Final = 2048
BLOCK_SIZE: Final = 24576
FILE_SIZE: Final = HEADER_SIZE + LINES * BLOCK_SIZE
TRACE_ROOM: Final = 4 << 20
TABLES: Final = {"delay": (4096, 8192), "slot": (12288, 8192), "list": (20480, 4096)}  # offset in the block, room

# Words of the header.
DEADLINE, DRAIN, MEMORY_LIMIT, BOOT_OFFSET = 24, 32, 40, 48
PUMP_PID, PUMP_STATE, STARTED, MEMORY_USED, MEMORY_PEAK = 2048, 2056, 2064, 2072, 2080

# Words of the statistics.
_STATE, _COUNTS, _UNWANTED, _QUEUED = 8, struct.Struct("<9Q"), (152, 160, 168), 184
_COUNTS_AT: Final = 80
_DRAINING: Final = 2
_TRIES: Final = 10_000


class ParamsFile:
    """The shared file of one pump, mapped. Close it, or use it as a context manager.

    At a path (made when it is not there), or behind an open descriptor, which stays the caller's.
    """

    def __init__(self, file: Path | int) -> None:
        fd = file if isinstance(file, int) else os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._fd = os.dup(fd) if isinstance(file, int) else fd
        try:
            if os.fstat(self._fd).st_size < FILE_SIZE:
                os.ftruncate(self._fd, FILE_SIZE)
            self._map = mmap.mmap(self._fd, FILE_SIZE)
            self._map.madvise(mmap.MADV_RANDOM)  # else the first touch reads ahead: up to 2 MiB of zeros, which take 1 to 3 ms
        except BaseException:
            os.close(self._fd)
            raise
        header = struct.pack("<6I", MAGIC, VERSION, HEADER_SIZE, BLOCK_SIZE, LINES, 0)
        if os.pread(self._fd, 24, 0) != header:  # new, or of a version that had fewer lines
            os.pwrite(self._fd, header, 0)

    @classmethod
    def anonymous(cls) -> ParamsFile:
        """A file that no folder knows; a child may inherit `fileno()`."""
        fd = os.memfd_create("netweather-pump", os.MFD_CLOEXEC)
        try:
            return cls(fd)
        finally:
            os.close(fd)

    def is_at(self, path: Path) -> bool:
        """Whether this is the file that is at a path now."""
        try:
            return os.path.samestat(os.fstat(self._fd), path.stat())
        except FileNotFoundError:
            return False

    def fileno(self) -> int:
        return self._fd

    def close(self) -> None:
        self._map.close()
        os.close(self._fd)

    def __enter__(self) -> ParamsFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # header

    def set_deadline(self, boot_ns: int) -> None:
        """When (the host's CLOCK_BOOTTIME) the pump drains and ends by itself; 0 for never."""
        self._put(DEADLINE, boot_ns)

    def set_boot_offset(self, ns: int) -> None:
        """What the time namespace that the pump will run in adds to CLOCK_BOOTTIME."""
        self._put(BOOT_OFFSET, ns % 2**64)

    def set_drain(self, ns: int) -> None:
        """How long draining may last at SIGTERM and at the deadline; 0 for a second."""
        self._put(DRAIN, ns)

    def set_memory_limit(self, limit: int) -> None:
        """Bytes that waiting packets may take; read when the pump starts; 0 for 512 MiB."""
        self._put(MEMORY_LIMIT, limit)

    def word(self, offset: int) -> int:
        """A word of the header, such as PUMP_STATE."""
        return int(struct.unpack_from("<Q", self._map, offset)[0])

    # lines

    def write_line(self, line: int, parameters: bytes, tables: Mapping[str, bytes]) -> int:
        """Gives a line its parameters, all at once for the pump. Returns their generation (statistics: applied_generation)."""
        base = _base(line)
        if len(parameters) != PARAMS_SIZE:
            raise ValueError(f"a parameter block has {PARAMS_SIZE} bytes, not {len(parameters)}")
        generation = self.word(base) | 1
        self._put(base, generation)
        self._map[base + 8 : base + PARAMS_SIZE] = parameters[8:]
        for name, data in tables.items():
            self._write_table(line, name, data)
        self._put(base, generation + 1)
        return generation + 1

    def _write_table(self, line: int, name: str, data: bytes) -> None:
        if name == "trace":
            if len(data) > TRACE_ROOM:
                raise ValueError(f"a trace has at most {TRACE_ROOM} bytes, not {len(data)}")
            os.pwrite(self._fd, data, FILE_SIZE + line * TRACE_ROOM)
            return
        offset, room = TABLES[name]
        if len(data) > room:
            raise ValueError(f"the table {name} has at most {room} bytes, not {len(data)}")
        self._map[_base(line) + offset : _base(line) + offset + len(data)] = data

    def parameters(self, line: int) -> bytes:
        """The block that was written last, with its generation."""
        base = _base(line)
        return self._map[base : base + PARAMS_SIZE]

    def statistics(self, line: int) -> bytes:
        """A consistent copy of a line's statistics."""
        base = _base(line) + PARAMS_SIZE
        for _ in range(_TRIES):
            before = self.word(base)
            copy = self._map[base : base + STATS_SIZE]
            if not before & 1 and self.word(base) == before:
                return copy
        return copy  # the pump died while it wrote them: each number alone is still whole

    def held(self, line: int) -> int:
        """How many packets wait in the line; at least 1 while it is being drained."""
        stats = self.statistics(line)
        state, queued = struct.unpack_from("<I", stats, _STATE)[0], struct.unpack_from("<Q", stats, _QUEUED)[0]
        return max(int(queued), int(state == _DRAINING))

    def unwanted(self, line: int) -> int:
        """Packets the pump lost though nobody asked for it."""
        stats = self.statistics(line)
        return sum(int(struct.unpack_from("<Q", stats, offset)[0]) for offset in _UNWANTED)

    def counts(self, line: int) -> LineCounts:
        """What the pump has done to packets of a line, as requested. CoDel's drops are the queue's, too."""
        loss, trace, limit, codel, mtu, *effects = _COUNTS.unpack_from(self.statistics(line), _COUNTS_AT)
        return LineCounts(loss + trace + limit + codel + mtu, loss, trace, mtu, limit + codel, *effects)

    def _put(self, offset: int, value: int) -> None:
        """One whole word at once: the pump reads it at any moment."""
        word = ctypes.c_uint64.from_buffer(self._map, offset)
        word.value = value
        del word  # the mapping can't be closed while anything points into it


def _base(line: int) -> int:
    if not 0 <= line < LINES:
        raise ValueError(f"lines are 0 to {LINES - 1}, not {line}")
    return HEADER_SIZE + line * BLOCK_SIZE
