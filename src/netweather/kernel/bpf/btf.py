"""Where the kernel's structures hold their members, read from its own types (BTF).

Only members of named structures are found. That is all a classifier needs; libbpf reads every type first, 35 ms and more.
"""

from __future__ import annotations

import functools
import mmap
import struct
from pathlib import Path
from typing import Final

TYPES: Final = Path("/sys/kernel/btf/vmlinux")
_HEADER: Final = struct.Struct("=HBBIIIII")  # magic, version, flags, header's length, types' offset and length, strings' ones
_MAGIC, _STRUCT = 0xEB9F, 4


class Types:
    """The types of a kernel, as its BTF has them. Raises ValueError for what is no BTF."""

    def __init__(self, data: bytes | mmap.mmap) -> None:
        if len(data) < _HEADER.size:
            raise ValueError("no BTF")
        magic, _, _, head, types, types_size, strings, strings_size = _HEADER.unpack_from(data)
        if magic != _MAGIC:
            raise ValueError("no BTF")
        self._data = data
        self._types, self._end = head + types, head + types + types_size
        self._strings, self._strings_end = head + strings, head + strings + strings_size

    def offset(self, structure: str, member: str) -> int:
        """The offset of a member, in bytes. Raises LookupError."""
        for at in self._structures(structure):
            info = struct.unpack_from("=I", self._data, at + 4)[0]
            for number in range(info & 0xFFFF):
                name, _, bits = struct.unpack_from("=III", self._data, at + 12 + 12 * number)
                if self._text(name) == member:
                    return int(bits & 0xFFFFFF if info >> 31 else bits) // 8
        raise LookupError(f"struct {structure} has no member {member}")

    def _structures(self, name: str) -> list[int]:
        """Where the structures of this name may be described: any word that equals its number is looked at."""
        at = self._data.find(b"\0" + name.encode() + b"\0", self._strings - 1, self._strings_end)
        if at < 0:
            return []
        word, found = struct.pack("=I", at + 1 - self._strings), []
        place = self._data.find(word, self._types, self._end - 12)
        while place >= 0:
            kind = struct.unpack_from("=I", self._data, place + 4)[0] >> 24 & 31
            if (place - self._types) % 4 == 0 and kind == _STRUCT:
                found.append(place)
            place = self._data.find(word, place + 1, self._end - 12)
        return found

    def _text(self, offset: int) -> str:
        start = self._strings + offset
        end = self._data.find(b"\0", start, self._strings_end)
        return self._data[start:end].decode(errors="replace")


@functools.cache
def offsets(*members: tuple[str, str]) -> tuple[int, ...] | None:
    """The offsets of (structure, member) in the running kernel; None when it doesn't tell them."""
    try:
        with TYPES.open("rb") as file:
            try:
                data: bytes | mmap.mmap = mmap.mmap(file.fileno(), TYPES.stat().st_size, prot=mmap.PROT_READ)
            except (OSError, ValueError):  # before Linux 6.16 it can't be mapped
                data = file.read()
        found = Types(data)
        return tuple(found.offset(*member) for member in members)
    except (OSError, ValueError, LookupError, struct.error):
        return None
