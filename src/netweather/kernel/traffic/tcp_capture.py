"""What a TCP server has received, from copies of its packets: nothing is in the way of any, and nobody notices.

A byte counts once the server's own kernel has acknowledged it: what the network lost on the way to it, or brought twice, does not.
Not here: what the bytes mean.
"""

from __future__ import annotations

import itertools
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Self

from netweather.kernel.namespaces import Namespace

_ALL: Final = 0x0003  # ETH_P_ALL: also what is sent
_BIGGEST: Final = 1 << 19
_ROOM: Final = 8 << 20
_TURN_S: Final = 0.1
_SOL_PACKET, _PACKET_STATISTICS = 263, 6
_SYN, _RST, _ACK = 2, 4, 16
_ROUND: Final = 1 << 32


class TcpEnd(NamedTuple):
    """One end of a connection."""

    address: str
    port: int


class Segment(NamedTuple):
    """A TCP packet, or one that stands for several (GSO)."""

    source: TcpEnd
    destination: TcpEnd
    sequence: int
    acknowledged: int
    flags: int
    data: bytes


def segment(packet: bytes) -> Segment | None:
    """What an IP packet brings; None: it is no TCP, a later fragment, or cut off."""
    try:
        if packet[0] >> 4 == 4:
            start, protocol, fragment = 4 * (packet[0] & 15), packet[9], struct.unpack_from("!H", packet, 6)[0] & 0x1FFF
            end, family, ends = struct.unpack_from("!H", packet, 2)[0], socket.AF_INET, (packet[12:16], packet[16:20])
        else:
            start, protocol, fragment = 40, packet[6], 0
            end, family, ends = 40 + struct.unpack_from("!H", packet, 4)[0], socket.AF_INET6, (packet[8:24], packet[24:40])
        if protocol != socket.IPPROTO_TCP or fragment:
            return None
        here, there, sequence, acknowledged, offset, flags = struct.unpack_from("!HHIIBB", packet, start)
        source, destination = (socket.inet_ntop(family, each) for each in ends)
    except (IndexError, struct.error, ValueError):
        return None
    last = end if end > start else len(packet)  # one of more than 64 KiB says that it is empty
    data = packet[start + 4 * (offset >> 4) : last]
    return Segment(TcpEnd(source, here), TcpEnd(destination, there), sequence, acknowledged, flags, data)


@dataclass
class _Stream:
    """What a client sends. next: the first byte that was not given out yet; acknowledged: the first that is not certain."""

    number: int
    began: int
    next: int
    acknowledged: int
    parts: dict[int, bytes] = field(default_factory=dict)

    def put(self, sequence: int, data: bytes) -> None:
        if data and len(data) > len(self.parts.get(sequence, b"")):
            self.parts[sequence] = data

    def take(self) -> bytes:
        """What has become certain since the last time, in order."""
        taken = bytearray()
        while certain := min(_ahead(self.next, self.acknowledged), len(part := self._at_next())):
            taken += part[:certain]
            self.next = (self.next + certain) % _ROUND
        self.parts = {sequence: data for sequence, data in self.parts.items() if _ahead(self.next, sequence + len(data))}
        return bytes(taken)

    def _at_next(self) -> bytes:
        """What is known from the next byte on."""
        found = (data[_ahead(sequence, self.next) :] for sequence, data in self.parts.items() if not _ahead(self.next, sequence))
        return max(found, key=len, default=b"")


def _ahead(one: int, other: int) -> int:
    """How far `other` is ahead of `one`, of two sequence numbers; 0 when it is not."""
    distance = (other - one) % _ROUND
    return distance if distance < _ROUND // 2 else 0


class Conversations:
    """What a server at a port has received from each client whose connection began meanwhile. Pure."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._streams: dict[tuple[TcpEnd, TcpEnd], _Stream] = {}
        self._numbers = itertools.count()

    def feed(self, packet: bytes) -> Iterator[tuple[int, bytes]]:
        """One packet, of either direction, perhaps again. Yields what became certain by it, with the connection's number."""
        found = segment(packet)
        if found is None:
            return
        if found.destination.port == self.port:
            self._sent(found)
        elif found.source.port == self.port and found.flags & _ACK:
            stream = self._streams.get(key := (found.destination, found.source))
            if stream is None:
                return
            if _ahead(stream.acknowledged, found.acknowledged):
                stream.acknowledged = found.acknowledged
            if taken := stream.take():
                yield stream.number, taken
            if found.flags & _RST:
                self._streams.pop(key)

    def _sent(self, found: Segment) -> None:
        key, sequence = (found.source, found.destination), found.sequence
        if found.flags & _SYN:
            sequence = (sequence + 1) % _ROUND
            if key not in self._streams or self._streams[key].began != sequence:  # else it is the same one again
                self._streams[key] = _Stream(next(self._numbers), sequence, sequence, sequence)
        if key in self._streams:
            self._streams[key].put(sequence, found.data)


class TcpCapture:
    """A context manager: tells `received` what a port of a namespace gets, with a number for each connection, in a thread of its own.

    missed: packets that came faster than they could be copied; of what came then nothing is certain. Raises OSError.
    """

    def __init__(self, namespace: Namespace, port: int, received: Callable[[int, bytes], object]) -> None:
        self.missed = 0
        self._namespace, self._received = namespace, received
        self._conversations = Conversations(port)
        self._over = threading.Event()

    def __enter__(self) -> Self:
        self._socket = self._namespace.run(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ALL)))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _ROOM)
        self._socket.settimeout(_TURN_S)
        self._thread = threading.Thread(target=self._read, name="arrivals", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Reads what has come until now."""
        self._over.set()
        self._thread.join()
        self.missed = struct.unpack("=II", self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))[1]
        self._socket.close()

    def _read(self) -> None:
        while True:
            over = self._over.is_set()  # first: what came before it is read
            try:
                packet = self._socket.recv(_BIGGEST)
            except TimeoutError:
                if over:
                    return
                continue
            for number, data in self._conversations.feed(packet):
                self._received(number, data)
