"""Netlink: one request on a socket of its own, and all of its answers. Runs inside the namespace that is meant.

The kernel is asked for its own explanation of a refusal (NETLINK_EXT_ACK), which becomes the text of the OSError. A list that changed
while it was read (NLM_F_DUMP_INTR) is requested again. Decision 0020 says why no library does this. Not here: what the attributes
mean (links, hooks, netemlines, sockdiag …).
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Final

ROUTE, SOCK_DIAG = 0, 4
REQUEST: Final = 0x1
ACK: Final = 0x4
REPLACE: Final = 0x100
EXCL: Final = 0x200
DUMP: Final = 0x300
CREATE: Final = 0x400
DELLINK: Final = 17
NESTED: Final = 0x8000
_ERROR, _DONE = 2, 3
_INTERRUPTED, _EXPLAINED = 0x10, 0x200
_SOL_NETLINK, _CAP_ACK, _EXT_ACK = 270, 10, 11
_MESSAGE, _ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("=HH")
_SENTENCE: Final = 1
_ANSWER: Final = 1 << 17
_TRIES: Final = 10
_KIND_BITS: Final = 0x3FFF


DEVICES: Final = threading.Lock()
"""Held by whoever of this process changes devices, since the kernel has one lock for all of them. What waits for that in a
sysctl's file doesn't sleep: it tries again and again, on a CPU which the holder's others need.
"""


def opened(protocol: int = ROUTE) -> socket.socket:
    """A socket whose answers explain a refusal and leave out the request. Raises OSError."""
    channel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
    channel.setsockopt(_SOL_NETLINK, _CAP_ACK, 1)
    channel.setsockopt(_SOL_NETLINK, _EXT_ACK, 1)
    return channel


def ask(kind: int, flags: int, body: bytes, protocol: int = ROUTE) -> list[bytes]:
    """Sends one request; returns the bodies of all answers, without their message headers.

    Raises OSError with the kernel's number and its explanation.
    """
    if protocol == ROUTE and flags & ACK and kind != DELLINK:  # most of a device's end is waited for without the kernel's lock
        with DEVICES:
            return _ask(kind, flags, body, protocol)[0]
    for _ in range(_TRIES):
        found, whole = _ask(kind, flags, body, protocol)
        if whole:
            return found
    raise OSError(errno.EAGAIN, f"the list changed while it was read, {_TRIES} times")


def change_together(*requests: tuple[int, int, bytes]) -> None:
    """Changes (kind, flags with ACK, body) in one system call: no kill comes between them. Raises OSError."""
    with DEVICES, opened() as channel:
        channel.send(b"".join(_request(kind, flags, body) for kind, flags, body in requests))
        waiting = len(requests)
        while waiting:
            for kind, flags, content in messages(channel.recv(_ANSWER)):
                _check(kind, flags, content)
                waiting -= 1


def _request(kind: int, flags: int, body: bytes) -> bytes:
    return _MESSAGE.pack(_MESSAGE.size + len(body), kind, flags | REQUEST, 1, 0) + body + bytes(-len(body) % 4)


def _ask(kind: int, flags: int, body: bytes, protocol: int) -> tuple[list[bytes], bool]:
    """(answers, whether nothing changed while they were listed)."""
    found: list[bytes] = []
    whole = True
    with opened(protocol) as channel:
        channel.send(_request(kind, flags, body))
        while True:
            for answered, marks, content in messages(channel.recv(_ANSWER)):
                whole = whole and not marks & _INTERRUPTED
                if answered in (_ERROR, _DONE):
                    _check(answered, marks, content)
                    return found, whole
                found.append(content)
                if not flags & (DUMP | ACK):
                    return found, whole


def _check(kind: int, flags: int, content: bytes) -> None:
    """Raises OSError for an acknowledgement that refuses, or the end of a list that could not be completed."""
    number = -struct.unpack_from("=i", content)[0]
    if number > 0:
        start = 4 + (_MESSAGE.size if kind == _ERROR else 0)  # behind the number, and the head of the request
        explained = attributes(content[start:]) if flags & _EXPLAINED else {}
        raise OSError(number, as_text(explained.get(_SENTENCE, b"")) or os.strerror(number))


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


def first_attribute(data: bytes, kind: int, place: int = 0) -> bytes | None:
    """The first attribute of a kind, at or after a place; the others are not decoded, which matters for 10,000 sockets."""
    last, head = len(data) - _ATTRIBUTE.size, _ATTRIBUTE.unpack_from
    while place <= last:
        length, found = head(data, place)
        if found & _KIND_BITS == kind:
            return data[place + 4 : place + length]
        place += (length + 3) & ~3 or 4
    return None


def as_text(data: bytes) -> str:
    return data.split(b"\0")[0].decode(errors="replace")
