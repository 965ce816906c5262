"""What arrives of RTP streams, seen on the receiver's wire: python3 receiver.py PORT… prints a line of JSON when it is told to end.

Loss is counted from sequence numbers, jitter by RFC 3550, 6.4.1 (its mean and its most); times are the kernel's. Needs root (AF_PACKET).
"""

import json
import signal
import socket
import struct
import sys

CLOCK_HZ = 90_000
SO_TIMESTAMPNS, SO_RCVBUFFORCE = 35, 33


class Stream:
    """One RTP stream."""

    def __init__(self) -> None:
        self.seen: set[int] = set()
        self.highest = self.first = -1
        self.overtaken = 0
        self.jitter = self.most = self.sum = 0.0
        self.transit: float | None = None

    def packet(self, sequence: int, stamp: int, arrived_s: float) -> None:
        if self.first < 0:
            self.first = self.highest = sequence
        number = self.highest + ((sequence - self.highest + 0x8000) & 0xFFFF) - 0x8000  # past 65535 it goes on
        self.overtaken += number < self.highest
        self.highest = max(self.highest, number)
        self.seen.add(number)
        transit = arrived_s * CLOCK_HZ - stamp
        if self.transit is not None:
            self.jitter += (abs(transit - self.transit) - self.jitter) / 16
            self.most = max(self.most, self.jitter)
            self.sum += self.jitter
        self.transit = transit

    def report(self) -> dict[str, float]:
        expected = self.highest - self.first + 1 if self.seen else 0
        return {
            "expected": expected, "lost": expected - len(self.seen), "late": self.overtaken,
            "jitter_ms": self.sum / max(1, len(self.seen)) / CLOCK_HZ * 1e3, "most_jitter_ms": self.most / CLOCK_HZ * 1e3,
        }  # fmt: skip


def main() -> None:
    streams = {int(port): Stream() for port in sys.argv[1:]}
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
    wire.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    wire.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print("watching", flush=True)
    try:
        while True:
            packet, ancillary, _, origin = wire.recvmsg(2048, 256)
            header = (packet[0] & 15) * 4
            if packet[9] != socket.IPPROTO_UDP or origin[2] == socket.PACKET_OUTGOING:
                continue
            stream = streams.get(struct.unpack_from("!H", packet, header + 2)[0])
            if stream is not None:
                sequence, stamp = struct.unpack_from("!HI", packet, header + 8 + 2)
                seconds, nanoseconds = struct.unpack("qq", ancillary[0][2])
                stream.packet(sequence, stamp, seconds + nanoseconds / 1e9)
    except KeyboardInterrupt:
        print(json.dumps({port: stream.report() for port, stream in streams.items()}), flush=True)


main()
