"""Sockets of a namespace as the kernel tells them (sock_diag), and the end of a single one. Everything runs inside the namespace.

It fills plain tuples, since one answer may be of ten thousand sockets (decision 0041). Not here: whose process a socket is (holders),
and what a condition does to it.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from netweather.errors import NetweatherError
from netweather.kernel.netlink import rtnetlink

TCP, UDP = 6, 17
PROTOCOLS: Final = {"tcp": TCP, "udp": UDP}
_BY_FAMILY, _DESTROY = 20, 21
_INFO: Final = 2
_ASK: Final = struct.Struct("=BBBxI48s")
_MESSAGE: Final = struct.Struct("=BBBB48s5I")
_LENGTH: Final = struct.Struct("=I")
_ENDS: Final = struct.Struct("!HH16s16s")
_MAPPED: Final = bytes(10) + b"\xff\xff"
STATES: Final = ("", "established", "syn-sent", "syn-received", "fin-wait-1", "fin-wait-2", "time-wait", "closed", "close-wait",
                 "last-ack", "listening", "closing", "new-syn-received")  # fmt: skip
"""By the kernel's number; of UDP only `established` and `closed`, which is one without a peer."""
LISTENING: Final = frozenset({7, 10})
"""Not a connection: nobody is at the other end."""


class TcpInfo(NamedTuple):
    """How a TCP connection fares, from the kernel's tcp_info. Times in microseconds, delivery_rate in bytes a second.

    retransmits: of what waits for its acknowledgement now. min_rtt: None until one was measured, as is rtt. application_limited:
    the sender had nothing to send when delivery_rate was measured, which says little of the network then.
    """

    retransmits: int
    rto: int
    lost: int
    rtt: int | None
    rtt_variation: int
    congestion_window: int
    total_retransmits: int
    bytes_acked: int
    bytes_received: int
    min_rtt: int | None
    delivery_rate: int
    bytes_sent: int
    bytes_retransmitted: int
    application_limited: bool = False


class Socket(NamedTuple):
    """One socket. local, remote: addresses as packets have them (IPv4 also where the socket is IPv6's). key: names it to the kernel."""

    protocol: int
    state: int
    local: str
    local_port: int
    remote: str
    remote_port: int
    receive_queue: int
    send_queue: int
    uid: int
    inode: int
    family: int
    key: bytes
    info: TcpInfo | None


def sockets(protocols: Iterable[int] = (TCP, UDP), *, listening: bool = False) -> Iterator[Socket]:
    """Every socket of these protocols in the namespace of this thread. listening: also those without another end.

    Raises OSError; ENOENT for a protocol of which this kernel tells nothing.
    """
    states = 0xFFF if listening else 0xFFF & ~sum(1 << state for state in LISTENING)
    for protocol in protocols:
        for body in _listed(protocol, states):
            yield parse(body, protocol)


def listeners(protocol: int) -> Iterator[Socket]:
    """TCP's sockets that take connections, or UDP's without another end, in the namespace of this thread. Raises OSError.

    One state each: for another one the kernel goes through the table of all connections, which takes a millisecond.
    """
    for body in _listed(protocol, 1 << (10 if protocol == TCP else 7)):
        yield parse(body, protocol)


def tcp_dump() -> bytes:
    """Every TCP connection of the namespace of this thread, not decoded: it costs next to nothing, and may be read later."""
    states = 0xFFF & ~sum(1 << state for state in LISTENING)
    return b"".join(_LENGTH.pack(len(body)) + body for body in _listed(TCP, states))


def decoded(dump: bytes) -> Iterator[Socket]:
    """What `tcp_dump` told."""
    start = 0
    while start < len(dump):
        (length,) = _LENGTH.unpack_from(dump, start)
        start += _LENGTH.size + length
        yield parse(dump[start - length : start], TCP)


def destroy(one: Socket) -> None:
    """Ends a socket as if the network had: its process gets an error, and a TCP peer a RST.

    Raises NetweatherError(code="cannot-reset") where the kernel can't, no-such-connection when it is gone, OSError.
    """
    try:
        rtnetlink.ask(_DESTROY, rtnetlink.ACK, _ASK.pack(one.family, one.protocol, 0, 0xFFFFFFFF, one.key), rtnetlink.SOCK_DIAG)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ECONNREFUSED):
            what, why = "the connection had already ended", "the kernel does not know it any more"
            raise NetweatherError("no-such-connection", what, why, "`netweather connections` lists the existing ones") from error
        if error.errno == errno.EOPNOTSUPP:
            raise NetweatherError(
                "cannot-reset", "this kernel can't reset a connection", "its option CONFIG_INET_DIAG_DESTROY is not set",
                "block it instead: netweather set TARGET --connection CONNECTION --block reject",
            ) from error  # fmt: skip
        raise


def _listed(protocol: int, states: int) -> Iterator[bytes]:
    """Each socket of both families, as inet_diag_msg with its attributes."""
    for family in (socket.AF_INET, socket.AF_INET6):
        request = _ASK.pack(family, protocol, 1 << (_INFO - 1), states, b"")
        yield from rtnetlink.ask(_BY_FAMILY, rtnetlink.DUMP, request, rtnetlink.SOCK_DIAG)


def parse(data: bytes, protocol: int) -> Socket:
    """One inet_diag_msg with its attributes."""
    family, state, _, _, key, _, receive, send, uid, inode = _MESSAGE.unpack_from(data)
    local_port, remote_port, local, remote = _ENDS.unpack_from(key)
    four = family == socket.AF_INET
    told = rtnetlink.first_attribute(data, _INFO, _MESSAGE.size) if protocol == TCP else None
    info = None if told is None else _tcp_info(told)
    return Socket(protocol, state, _address(local, four), local_port, _address(remote, four), remote_port, receive, send, uid, inode,
                  family, key, info)  # fmt: skip


@lru_cache(4096)
def _address(raw: bytes, four: bool) -> str:
    if four:
        return socket.inet_ntop(socket.AF_INET, raw[:4])
    if raw.startswith(_MAPPED):
        return socket.inet_ntop(socket.AF_INET, raw[12:])
    return socket.inet_ntop(socket.AF_INET6, raw)


_INFO_STRUCT: Final = struct.Struct("=8B 24I 4Q 6I Q 3Q 2I 2Q".replace(" ", ""))
"""tcp_info up to bytes_retrans (Linux 4.19)."""


def _tcp_info(data: bytes) -> TcpInfo:
    """What an older kernel doesn't tell is 0."""
    value = _INFO_STRUCT.unpack_from(data.ljust(_INFO_STRUCT.size, b"\0"))
    rtt, least = value[23], value[39]
    return TcpInfo(
        retransmits=value[2], rto=value[8], lost=value[14], rtt=rtt or None, rtt_variation=value[24],
        congestion_window=value[26], total_retransmits=value[31], bytes_acked=value[34], bytes_received=value[35],
        min_rtt=None if least in (0, 0xFFFFFFFF) else least, delivery_rate=value[42], bytes_sent=value[48],
        bytes_retransmitted=value[49], application_limited=bool(value[7] & 1),
    )  # fmt: skip
