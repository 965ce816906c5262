"""How long exchanges of packets take over a link in each direction: a ping, a TCP connect, a first byte, a transfer.

A packet of L bytes, Ethernet's header among them, that is handed over at t to a link that is free from f on, has arrived at

    max(t, f) + (L + overhead) x 8 / rate + delay,        and the link is free from max(t, f) + (L + overhead) x 8 / rate on

so a packet waits behind those before it. The second term is its serialisation. Sources: tc-netem(8), `rate` and its packet
overhead; "wire time" in RFC 7679, section 3; the link's queue is first in, first out. What is sent, and in which order: RFC 9293
(connect), RFC 8446 and 5246 (TLS), RFC 9000 (QUIC's datagrams of 1200 bytes), RFC 6928 (a first window of ten segments), RFC
5681 (slow start, an acknowledgement for two segments); Linux acknowledges a connection's first request by a packet of its own.
Sizes are IPv4's with timestamps; IPv6 adds 20 bytes to each packet. Checked against ping and TCP on real links: tests/kernel.
Not here: losses and jitter (effects), words (explanation). Times are seconds, sizes bytes.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Final

from netweather.conditions.estimates.effects import FRAME, MSS, Effects, passes, wire_time

PING: Final = 14 + 20 + 8 + 56
"""The frame of ping's echo, as it is sent unless -s says otherwise."""
SYN: Final = 14 + 20 + 40
"""With the options that Linux sends: MSS, SACK, timestamps, window scale."""
HEADERS: Final = 14 + 20 + 32
"""In front of TCP's data; an acknowledgement is nothing else."""
DATAGRAM: Final = 14 + 20 + 8 + 1200
"""QUIC's, which it must have to begin with."""
REQUEST: Final = 100
"""Bytes of a short HTTP request, such as curl's."""
HELLO: Final = 517
"""Bytes of TLS's first message, which is padded to this."""
CERTIFICATES: Final = 4000
"""Bytes of a usual chain of certificates, with what comes along."""
FINISHED: Final = 80
"""Bytes of TLS's last message from the client."""
FINISHED12: Final = (126, 258)
"""The same of TLS 1.2, and the server's answer to it."""
SMALL_ANSWER: Final = 200
"""Bytes of an answer to a health check."""
TRANSFER: Final = 100_000
"""Bytes of the transfer that is reckoned."""
FIRST_WINDOW: Final = 10


@dataclass
class Link:
    """One direction. delay: what a packet takes besides its serialisation; free: when the link has sent what it was given."""

    effects: Effects
    delay: float
    free: float = 0.0

    def carry(self, at: float, frame: int) -> float:
        """When a frame that is handed over at this time has arrived; never when it is too large, and then nothing behind it."""
        if not passes(self.effects, frame):
            return math.inf
        self.free = max(at, self.free) + wire_time(self.effects, frame)
        return self.free + self.delay

    def carry_data(self, at: float, size: int) -> float:
        """When the last of so many bytes of TCP's data has arrived."""
        arrived = at
        for begin in range(0, size, MSS):
            arrived = self.carry(at, HEADERS + min(MSS, size - begin))
        return arrived


@dataclass
class Exchange:
    """A client and a server, at rest. now: when the client got the last answer."""

    up: Link
    down: Link
    now: float = 0.0

    @classmethod
    def over(cls, up: Effects, down: Effects, base: float) -> Exchange:
        """base: the path's own round trip, half of it each way."""
        return cls(Link(up, up.mean_delay + base / 2), Link(down, down.mean_delay + base / 2))

    def ping(self) -> float:
        """The answer to an echo request has come."""
        self.now = self.down.carry(self.up.carry(self.now, PING), PING)
        return self.now

    def connect(self) -> float:
        """The SYN is answered; the acknowledgement of that is on its way."""
        self.now = self.down.carry(self.up.carry(self.now, SYN), SYN)
        self.up.carry(self.now, HEADERS)
        return self.now

    def ask(self, request: int, answer: int) -> float:
        """All of an answer has come, behind the acknowledgement of the request."""
        arrived = self.up.carry_data(self.now, request)
        self.down.carry(arrived, HEADERS)
        self.now = self.down.carry_data(arrived, answer)
        return self.now

    def first_byte(self) -> float:
        """The first packet of a long answer has come."""
        return self.ask(REQUEST, MSS)

    def tls13(self) -> float:
        """The server's messages have come; the client's last one goes before the request."""
        self.ask(HELLO, CERTIFICATES)
        self.up.carry_data(self.now, FINISHED)
        return self.now

    def tls12(self) -> float:
        """As TLS 1.3, and the client's last message is answered."""
        self.ask(HELLO, CERTIFICATES)
        return self.ask(*FINISHED12)

    def quic(self) -> float:
        """The first byte over QUIC: one round trip for the keys and one for the request, in datagrams."""
        arrived = self.up.carry(self.now, DATAGRAM)
        for _ in range(-(-CERTIFICATES // 1200)):
            self.now = self.down.carry(arrived, DATAGRAM)
        self.up.carry(self.now, DATAGRAM)
        self.now = self.down.carry(self.up.carry(self.now, 14 + 20 + 8 + REQUEST), DATAGRAM)
        return self.now


def transfer(data: Link, acknowledgements: Link, begin: float, size: int) -> float:
    """When the last of so many bytes has arrived by TCP without losses, in slow start."""
    segments, window, flying, sent, arrived = -(-size // MSS), FIRST_WINDOW, 0, 0, begin
    acknowledged: deque[tuple[float, int]] = deque()
    now, waiting = begin, 0
    while sent < segments:
        while sent < segments and flying < window:
            arrived = data.carry(now, min(FRAME, HEADERS + size - sent * MSS))
            sent, flying, waiting = sent + 1, flying + 1, waiting + 1
            if waiting == 2 or flying == window:
                acknowledged.append((acknowledgements.carry(arrived, HEADERS), waiting))
                waiting = 0
        if sent < segments:
            now, count = acknowledged.popleft()
            flying, window = flying - count, window + count
    return arrived


def download(up: Effects, down: Effects, base: float) -> float:
    """From a connection's beginning to the last byte of an answer of TRANSFER bytes."""
    exchange = Exchange.over(up, down, base)
    arrived = exchange.up.carry_data(exchange.connect(), REQUEST)
    exchange.down.carry(arrived, HEADERS)
    return transfer(exchange.down, exchange.up, arrived, TRANSFER)


def upload(up: Effects, down: Effects, base: float) -> float:
    """From a connection's beginning until the server has the last of TRANSFER bytes."""
    exchange = Exchange.over(up, down, base)
    return transfer(exchange.up, exchange.down, exchange.connect(), TRANSFER)
