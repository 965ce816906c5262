"""Traffic between two namespaces: bytes that must arrive intact, figures of TCP, and servers that echo.

Everything runs in threads of the test, on sockets made inside the namespaces; nothing outlives its `with`.
"""

from __future__ import annotations

import hashlib
import random
import select
import socket
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from tests.support.netns import Namespace
from tests.support.probe import SO_RCVBUFFORCE, address, udp_socket

UDP_SEGMENT = 103
SO_SNDBUFFORCE = 32
IP_RECVERR, IPV6_RECVERR = 11, 25
IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, PMTUDISC_DONT = 10, 23, 0
CHUNK = 1 << 20


@dataclass(frozen=True)
class TcpInfo:
    """The kernel's figures of one TCP socket (struct tcp_info), as far as tests ask."""

    retransmits: int
    segments_out: int
    segments_in: int
    data_segments_in: int
    data_segments_out: int
    rtt_us: int
    mss: int

    @classmethod
    def of(cls, connection: socket.socket) -> TcpInfo:
        raw = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        word = {name: struct.unpack_from("=I", raw, at)[0] for name, at in _TCP_INFO.items()}
        return cls(**word)


_TCP_INFO = {
    "mss": 16,
    "rtt_us": 68,
    "retransmits": 100,
    "segments_out": 136,
    "segments_in": 140,
    "data_segments_in": 152,
    "data_segments_out": 156,
}


@dataclass(frozen=True)
class Transfer:
    """One bulk transfer: whether what arrived is what was sent, how long it took, and what either end's TCP says."""

    intact: bool
    size: int
    seconds: float
    sender: TcpInfo
    receiver: TcpInfo

    @property
    def wire_loss(self) -> float:
        return self.wire_lost / self.sender.data_segments_out

    @property
    def wire_lost(self) -> int:
        """Segments with data that left one end and never reached the other."""
        return self.sender.data_segments_out - self.receiver.data_segments_in


def payload(size: int, seed: int = 1) -> bytes:
    """Bytes that look random, the same every time."""
    return random.Random(seed).randbytes(size)


def tcp_pair(client: Namespace, server: Namespace, family: int = 4, port: int = 0) -> tuple[socket.socket, socket.socket]:
    """An established connection: the client's end and the server's, both with Nagle off."""
    kind = socket.AF_INET if family == 4 else socket.AF_INET6
    listener = server.call(socket.create_server, (address(server, family), port), family=kind)
    with listener:
        there = listener.getsockname()[:2]
        near = client.call(socket.create_connection, there, 20)
        far, _ = listener.accept()
    for end in (near, far):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        end.settimeout(50)
    return near, far


def tcp_transfer(
    sender: Namespace, receiver: Namespace, *, family: int = 4, size: int = 0, seconds: float = 0, seed: int = 1, buffer: int = 0
) -> Transfer:
    """Sends so many bytes, or for so long, and waits until the other end has all of them. buffer: bytes either end may hold."""
    data = memoryview(payload(min(size, 8 * CHUNK) or 8 * CHUNK, seed))
    outlet, inlet = tcp_pair(sender, receiver, family)
    with outlet, inlet:
        if buffer:
            outlet.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, buffer)
            inlet.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, buffer)
        reader = _Reader(inlet)
        begin, sent, digest = time.monotonic(), 0, hashlib.blake2b()
        while (size and sent < size) or (seconds and time.monotonic() - begin < seconds):
            at = sent % len(data)
            part = data[at : at + min(CHUNK, size - sent if size else CHUNK)]
            outlet.sendall(part)
            digest.update(part)
            sent += len(part)
        outlet.shutdown(socket.SHUT_WR)
        reader.join()
        took = time.monotonic() - begin
        return Transfer(reader.digest == digest.digest(), sent, took, TcpInfo.of(outlet), TcpInfo.of(inlet))


class _Reader(threading.Thread):
    """Reads a connection to its end."""

    def __init__(self, inlet: socket.socket) -> None:
        super().__init__(daemon=True)
        self.inlet, self.digest = inlet, b""
        self.start()

    def run(self) -> None:
        seen, buffer = hashlib.blake2b(), bytearray(CHUNK)
        with suppress(OSError):
            while count := self.inlet.recv_into(buffer):
                seen.update(memoryview(buffer)[:count])
            self.digest = seen.digest()


def datagrams(
    sender: Namespace, receiver: Namespace, messages: Sequence[bytes], *, family: int = 4, segment: int = 0, port: int = 9100
) -> list[bytes]:
    """Sends messages by UDP and returns those that arrived, in order. segment: each message leaves as datagrams of so many bytes
    (UDP_SEGMENT: one packet until something takes it apart). Larger than the MTU without it: fragments."""
    with udp_socket(receiver, family, port=port) as inlet, udp_socket(sender, family) as outlet:
        outlet.setsockopt(*((0, IP_MTU_DISCOVER) if family == 4 else (41, IPV6_MTU_DISCOVER)), PMTUDISC_DONT)
        if segment:
            outlet.setsockopt(socket.SOL_UDP, UDP_SEGMENT, segment)
        outlet.connect((address(receiver, family), port))
        for message in messages:
            outlet.send(message)
        arrived = []
        inlet.setblocking(False)
        while select.select([inlet], [], [], 0.5)[0]:
            with suppress(BlockingIOError):  # a wrong checksum is found when it is read
                arrived.append(inlet.recv(1 << 16))
        return arrived


class Echo:
    """Answers everything it gets, UDP and TCP, on some ports of a namespace, any address, both families."""

    def __init__(self, namespace: Namespace, ports: Sequence[int]) -> None:
        self.namespace, self._stack, self._stop = namespace, ExitStack(), threading.Event()
        self._udp = [self._stack.enter_context(udp_socket(namespace, f, port=p)) for p in ports for f in (4, 6)]
        self._tcp = [self._stack.enter_context(self._listener(p)) for p in ports]
        self._connections: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _listener(self, port: int) -> socket.socket:
        return self.namespace.call(socket.create_server, ("::", port), family=socket.AF_INET6, dualstack_ipv6=True)

    def _serve(self) -> None:
        while not self._stop.is_set():
            ready, _, _ = select.select([*self._udp, *self._tcp, *self._connections], [], [], 0.05)
            for one in ready:
                with suppress(OSError):
                    self._answer(one)

    def _answer(self, one: socket.socket) -> None:
        if one in self._tcp:
            made, _ = one.accept()
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connections.append(made)
        elif one in self._udp:
            # From the address it was sent to: a namespace may have several.
            data, extra, _, whom = one.recvmsg(2048, 256)
            one.sendmsg([data], [_reply_from(e) for e in extra], 0, whom)
        else:
            data = one.recv(1 << 16)
            if data:
                one.sendall(data)
            else:
                self._connections.remove(one)
                one.close()

    def __enter__(self) -> Echo:
        for one in self._udp:
            one.setsockopt(*((0, 8) if one.family == socket.AF_INET else (41, 49)), 1)  # IP_PKTINFO, IPV6_RECVPKTINFO
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._stack.close()
        for one in self._connections:
            one.close()


def _reply_from(extra: tuple[int, int, bytes]) -> tuple[int, int, bytes]:
    """The control message that was received, as one to send with: where it went is where the answer comes from."""
    level, kind, data = extra
    if level == 0:
        interface, _, destination = struct.unpack("=i4s4s", data)
        return level, kind, struct.pack("=i4s4s", interface, destination, b"\0\0\0\0")
    return level, kind, data


def round_trip(connection: socket.socket, timeout: float = 5) -> float:
    """Sends a message to an echo and waits for it. Seconds. Raises TimeoutError or what the network answered."""
    connection.settimeout(timeout)
    message = struct.pack("=d", time.monotonic())
    begin = time.monotonic()
    connection.send(message)
    while True:
        answer = connection.recv(len(message))
        if not answer:
            raise ConnectionResetError("the other end closed")
        if answer == message:  # not a late one of an earlier message
            return time.monotonic() - begin


def udp_client(
    namespace: Namespace, there: str, port: int, *, source_port: int = 0, source: str | None = None, errors: bool = False
) -> socket.socket:
    """A connected UDP socket. errors: it is told everything that the kernel knows (IP_RECVERR)."""
    family = 6 if ":" in there else 4
    made = udp_socket(namespace, family, bind=source, port=source_port)
    if errors:
        made.setsockopt(*((0, IP_RECVERR) if family == 4 else (41, IPV6_RECVERR)), 1)
    made.connect((there, port))
    return made


def tcp_client(namespace: Namespace, there: str, port: int, *, source_port: int = 0, timeout: float = 5) -> socket.socket:
    """A TCP connection. Raises what `connect` does."""
    family = socket.AF_INET6 if ":" in there else socket.AF_INET

    def make() -> socket.socket:
        made = socket.socket(family, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.settimeout(timeout)
        try:
            if source_port:
                made.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", source_port))
            made.connect((there, port))
        except OSError:
            made.close()
            raise
        return made

    return namespace.call(make)


@dataclass
class Talk:
    """A TCP connection that never rests: numbered messages out, the same back. messages: how many came back in order."""

    messages: int = 0
    error: Exception | None = None
    longest: float = 0.0


@contextmanager
def talking(connection: socket.socket, pause: float = 0.001) -> Iterator[Talk]:
    """Keeps a connection to an echo busy while the body runs. Whoever asks for `error` afterwards finds None, or why it broke."""
    talk, stop = Talk(), threading.Event()

    def run() -> None:
        try:
            while not stop.is_set():
                begin = time.monotonic()
                message = talk.messages.to_bytes(8, "big") * 64
                connection.sendall(message)
                answer = b""
                while len(answer) < len(message):
                    part = connection.recv(len(message) - len(answer))
                    if not part:
                        raise ConnectionResetError("the other end closed")
                    answer += part
                if answer != message:
                    raise ValueError(f"message {talk.messages} came back as {answer[:16]!r}")
                talk.messages += 1
                talk.longest = max(talk.longest, time.monotonic() - begin)
                stop.wait(pause)
        except Exception as error:  # told to whoever asks
            talk.error = error

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield talk
    finally:
        stop.set()
        thread.join(30)


def snmp(namespace: Namespace, *names: str) -> dict[str, int]:
    """Counters of a namespace by nstat's names, such as IpOutDiscards."""
    found = {}
    listed: Any = namespace.run("nstat", "-asz").stdout.splitlines()
    for line in listed:
        name, *rest = line.split()
        if name in names:
            found[name] = int(rest[0])
    assert set(found) == set(names), f"no counters {set(names) - set(found)}"
    return found
