"""Route netlink by hand: one request on a socket of its own, and all of its answers. Runs inside the namespace that is meant.

Our own lines rather than pyroute2, where the datapath is made: importing that takes 70 ms, opening its socket 10 ms in each
namespace and reading one device a third of a millisecond (decision 0020). Not here: what the attributes mean (links, hooks, netemlines).
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Final

REQUEST: Final = 0x1
ACK: Final = 0x4
REPLACE: Final = 0x100
EXCL: Final = 0x200
DUMP: Final = 0x300
CREATE: Final = 0x400
DELLINK: Final = 17
_ERROR, _DONE, _INTERRUPTED = 2, 3, 0x10
_MESSAGE, _ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("=HH")
_ANSWER: Final = 1 << 17
_TRIES: Final = 10
_KIND_BITS: Final = 0x3FFF


DEVICES: Final = threading.Lock()
"""Held by whoever of this process changes devices, since the kernel has one lock for all of them. What waits for that in a
sysctl's file doesn't sleep: it tries again and again, on a CPU which the holder's others need.
"""


def ask(kind: int, flags: int, body: bytes) -> list[bytes]:
    """One request; the bodies of all answers, without their message headers. Raises OSError with the kernel's number."""
    if flags & ACK and kind != DELLINK:  # most of a device's end is waited for without the kernel's lock
        with DEVICES:
            return _ask(kind, flags, body)[0]
    for _ in range(_TRIES):
        found, whole = _ask(kind, flags, body)
        if whole:
            return found
    raise OSError(errno.EAGAIN, "netlink: what was listed changed meanwhile, again and again")


def change_together(*requests: tuple[int, int, bytes]) -> None:
    """Changes (kind, flags with ACK, body) in one system call: no kill comes between them. Raises OSError."""
    with DEVICES, socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE) as channel:
        channel.send(b"".join(_request(kind, flags, body) for kind, flags, body in requests))
        answers: list[int] = []
        while len(answers) < len(requests):
            answers += [-struct.unpack_from("=i", content)[0] for _, _, content in messages(channel.recv(_ANSWER))]
    for number in answers:
        _refuse(number)


def _request(kind: int, flags: int, body: bytes) -> bytes:
    return _MESSAGE.pack(_MESSAGE.size + len(body), kind, flags | REQUEST, 1, 0) + body + bytes(-len(body) % 4)


def _ask(kind: int, flags: int, body: bytes) -> tuple[list[bytes], bool]:
    """(answers, whether nothing changed while they were listed)."""
    found: list[bytes] = []
    whole = True
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE) as channel:
        channel.send(_request(kind, flags, body))
        while True:
            for answered, marks, content in messages(channel.recv(_ANSWER)):
                whole = whole and not marks & _INTERRUPTED
                if answered == _ERROR:
                    _refuse(-struct.unpack_from("=i", content)[0])
                    return found, whole
                if answered == _DONE:
                    return found, whole
                found.append(content)
                if not flags & (DUMP | ACK):
                    return found, whole


def _refuse(number: int) -> None:
    if number:
        raise OSError(number, f"netlink: {os.strerror(number)}")


def messages(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """The messages of one datagram: (kind, flags, body)."""
    place = 0
    while place + _MESSAGE.size <= len(data):
        length, kind, flags, *_ = _MESSAGE.unpack_from(data, place)
        yield kind, flags, data[place + _MESSAGE.size : place + length]
        place += (length + 3) & ~3


def attribute(kind: int, *data: bytes) -> bytes:
    """One attribute; several pieces are attributes nested in it."""
    joined = b"".join(data)
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(joined), kind) + joined + bytes(-len(joined) % 4)


def number(kind: int, value: int) -> bytes:
    """An attribute of 32 bits."""
    return attribute(kind, struct.pack("=I", value))


def text(kind: int, value: str) -> bytes:
    """An attribute that is a text."""
    return attribute(kind, value.encode() + b"\0")


def attributes(data: bytes) -> dict[int, bytes]:
    """The attributes by their kind."""
    found, place, head = {}, 0, _ATTRIBUTE.unpack_from  # the look at the kernel spends most of its time here
    last = len(data) - _ATTRIBUTE.size
    while place <= last:
        length, kind = head(data, place)
        found[kind & _KIND_BITS] = data[place + 4 : place + length]
        place += (length + 3) & ~3 or 4
    return found


def as_text(data: bytes) -> str:
    return data.split(b"\0")[0].decode(errors="replace")
