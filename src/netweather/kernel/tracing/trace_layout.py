"""What the programs on tracepoints count, as bytes: the layouts of bpf/syscalls/syscalls.h, bpf/tcp/tcp.h, bpf/record/record.h. Pure.

A test compiles the headers and compares every size and offset.
"""

from __future__ import annotations

import errno
import os
import struct
from array import array
from typing import Final

CALLS: Final = (
    "sendto", "sendmsg", "sendmmsg", "write", "writev", "sendfile", "recvfrom", "recvmsg", "recvmmsg", "read", "readv",
    "connect", "accept", "accept4", "close",
)  # fmt: skip
"""By their numbers in the programs. Those from connect on have no bytes."""
SENDING: Final = CALLS[:6]
RECEIVING: Final = CALLS[6:11]
MANY: Final = ("sendmmsg", "recvmmsg")
"""Their results are numbers of messages."""
BUCKETS: Final = 608
CALL_HEAD: Final = struct.Struct("=4Q")
CALL_SIZE: Final = CALL_HEAD.size + 8 * BUCKETS
ERROR_KEY: Final = struct.Struct("=III")
PROCESS_KEY: Final = struct.Struct("=III")
PROCESS: Final = struct.Struct("=4Q")
ROOM: Final = struct.Struct("=III512s")
_NUMBERS: Final = {
    "x86_64": (44, 46, 307, 1, 20, 40, 45, 47, 299, 0, 19, 42, 43, 288, 3),
    "aarch64": (206, 211, 269, 64, 66, 71, 207, 212, 243, 63, 65, 203, 202, 242, 57),
}
"""The kernel's own numbers of CALLS."""
TCP_FIELDS: Final = (
    "attempted", "opened", "accepted", "closed", "refused", "timed_out", "failed",
    "resets_received", "resets_sent", "retransmits", "drops", "connect_ns",
)  # fmt: skip
TCP_SIZE: Final = 8 * (len(TCP_FIELDS) + BUCKETS)
DROP_KEY: Final = struct.Struct("=II")
LEARNT_HEAD: Final = 5
LEARNT_SIZE: Final = 8 * (LEARNT_HEAD + 4 * BUCKETS)
COUNT: Final = struct.Struct("=Q")
NUMBER: Final = struct.Struct("=I")
_INSIDE: Final = {512: "ERESTARTSYS", 513: "ERESTARTNOINTR", 514: "ERESTARTNOHAND", 516: "ERESTART_RESTARTBLOCK"}
"""Errors of the kernel's own, by which an interrupted call begins again; tracepoints see them, programs don't."""
_SUBBUCKETS: Final = 16


def syscall(call: str) -> str:
    """The name of a call's tracepoint: the kernel's own function, which differs for one."""
    return "sendfile64" if call == "sendfile" else call


def room(*, by_process: bool, only: int, slots: int) -> bytes:
    """The programs' constants. only: the one namespace, or 0; slots: a power of two, or 0."""
    kinds = bytearray(512)
    for kind, number in enumerate(_NUMBERS[os.uname().machine]):
        kinds[number] = kind
    return ROOM.pack(by_process, only, slots, kinds)


def error_name(number: int) -> str:
    """ECONNREFUSED of 111."""
    return errno.errorcode.get(number) or _INSIDE.get(number, str(number))


def error_number(name: str) -> int:
    """The other way round, as this machine numbers them."""
    known = getattr(errno, name, None) or next((number for number, word in _INSIDE.items() if word == name), None)
    return known if known is not None else int(name)


def summed(value: bytes, size: int) -> array[int]:
    """A per-CPU value's numbers (64 bits each), added up over the CPUs. size: of one CPU's, in bytes."""
    total = array("Q", value[:size])
    for at in range(size, len(value), size):
        for index, number in enumerate(array("Q", value[at : at + size])):
            if number:
                total[index] += number
    return total


def bounds(bucket: int) -> tuple[int, int]:
    """What a histogram's bucket holds: from, and up to below, in ns."""
    if bucket < _SUBBUCKETS:
        return bucket, bucket + 1
    power, part = divmod(bucket, _SUBBUCKETS)
    width = 1 << (power - 1)
    return (_SUBBUCKETS + part) * width, (_SUBBUCKETS + part + 1) * width
