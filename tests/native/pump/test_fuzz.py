"""Random frames, headers, parameters, traces and messages against a pump with sanitizers. Nothing may crash, hang or leak."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from netweather.kernel.datapath import pump_file as seam
from netweather.lines.params import PARAMS_OFFSETS as OFFSETS
from netweather.lines.params import PARAMS_SIZE, LineParams, LineStats
from tests.native.pump import core, harness, wire
from tests.native.pump.harness import ADD, MAGIC, PING, REMOVE, REQUEST, VNET, Pump, RefusedError

SECONDS = 2.0
HEAD = 12  # generation and checksum
SPECIAL = (0, 1, 2, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**53, 2**62, 2**63 - 1, 2**63, 2**64 - 1)

Random = np.random.Generator

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="the sanitizers need the system's gcc")


@pytest.fixture(scope="module")
def binary() -> Path:
    return harness.sanitized_pump()


@pytest.fixture
def pump(binary: Path) -> Iterator[Pump]:
    with harness.running(binary, memory=64 << 20, drain_ns=200_000_000) as pump:
        yield pump
    assert pump.errors == ""
    assert pump.process.returncode == 0


def word(rng: Random) -> int:
    if rng.random() < 0.6:
        return SPECIAL[rng.integers(len(SPECIAL))]
    return int(rng.integers(0, 2**63)) >> int(rng.integers(0, 63))


def random_block(rng: Random) -> tuple[bytes, dict[str, bytes]]:
    """A parameter block of any values whose checksums are right, so that it is believed."""
    body = bytearray(rng.bytes(PARAMS_SIZE - 12)) if rng.random() < 0.2 else bytearray(LineParams().pack()[12:])
    for _ in range(int(rng.integers(0, 12))):
        struct.pack_into("<Q", body, 4 * int(rng.integers(0, 72)), word(rng) % 2**64)
    if rng.random() < 0.7:
        struct.pack_into("<I", body, OFFSETS["loss_model"] - HEAD, int(rng.integers(0, 9)))  # a loss model that mostly exists
    tables = {"delay": rng.bytes(8192), "slot": rng.bytes(8192), "list": rng.bytes(4096)}
    if rng.random() < 0.5:
        tables["trace"] = random_trace(rng)
        struct.pack_into("<II", body, OFFSETS["trace_bytes"] - HEAD, len(tables["trace"]), zlib.crc32(tables["trace"]))
    count = min(struct.unpack_from("<I", body, OFFSETS["list_count"] - HEAD)[0], 1024)
    tables["list"] = tables["list"][: 4 * count]
    for name, field in (("delay", "delay_table_crc"), ("slot", "slot_table_crc"), ("list", "list_crc")):
        struct.pack_into("<I", body, OFFSETS[field] - HEAD, zlib.crc32(tables[name]))
    return struct.pack("<QI", 0, zlib.crc32(bytes(body))) + bytes(body), tables


def random_trace(rng: Random) -> bytes:
    kind = int(rng.integers(0, 4))
    count = int(rng.integers(0, 20))
    times = np.sort(rng.integers(0, 10 ** int(rng.integers(1, 16)), count))
    rows = b"".join(
        struct.pack(
            "<QqQQII",
            int(t),
            int(rng.integers(-(2**63), 2**63 - 1)),
            word(rng) % 2**64,
            word(rng) % 2**64,
            int(rng.integers(0, 8)),
            0,
        )
        if kind == 2
        else struct.pack("<Q", int(t))
        for t in times
    )
    period = int(times[-1]) if count and rng.random() < 0.8 else word(rng) % 2**64
    declared = count if rng.random() < 0.8 else word(rng) % 2**64
    return struct.pack("<IIQQ", 0x5254574E if rng.random() < 0.9 else 1, kind, declared, period) + rows


def random_frame(rng: Random) -> bytes:
    """A frame behind its virtio header, more or less damaged."""
    size = int(rng.integers(0, 3000)) if rng.random() < 0.8 else int(rng.integers(0, 65_000))
    data, vnet = wire.make(
        bytes(size),
        version=int(rng.choice([4, 6])),
        tcp=bool(rng.integers(2)),
        gso=int(rng.integers(1, 3000)) if size < 3000 else 1448,
        vlans=int(rng.integers(0, 3)),
        ecn=int(rng.integers(0, 4)),
    )
    header = bytearray(vnet)
    for _ in range(int(rng.integers(0, 3))):
        header[rng.integers(10)] = rng.integers(256)
    if rng.random() < 0.3:
        header = bytearray(VNET.pack(*(int(rng.integers(256)), int(rng.integers(256))), *(word(rng) % 2**16 for _ in range(4))))
    damaged = bytearray(data)
    for _ in range(int(rng.integers(0, 4))):
        damaged[rng.integers(min(len(damaged), 80))] = rng.integers(256)
    return bytes(header) + bytes(damaged[: int(rng.integers(0, len(damaged) + 1))] if rng.random() < 0.2 else damaged)


def talk_nonsense(rng: Random, pump: Pump) -> None:
    """One message of any kind on a connection of its own."""
    client = pump.connect()
    client.socket.settimeout(2)
    op = int(rng.choice([ADD, REMOVE, PING, 0, 9]))
    request = bytearray(REQUEST.pack(MAGIC, op, int(rng.integers(0, 70)), int(rng.integers(0, 4)), 1, word(rng) % 2**64))
    if rng.random() < 0.3:
        request[rng.integers(24)] = rng.integers(256)
    if rng.random() < 0.2:
        request = request[: int(rng.integers(1, 24))]
    fds: list[int] = []
    for _ in range(int(rng.integers(0, 4))):
        fds += random_fd(rng)
    socket.send_fds(client.socket, [bytes(request)], fds)
    client.socket.recv(64)
    for fd in fds:
        os.close(fd)
    client.close()


def random_fd(rng: Random) -> list[int]:
    kind = rng.integers(5)
    if kind == 0:
        return list(os.pipe())
    if kind == 1:
        return [os.open(__file__, os.O_RDONLY)]
    if kind == 2:
        return [os.open("/dev/null", os.O_RDWR)]
    if kind == 3:
        return [os.open("/", os.O_RDONLY)]
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours.close()
    return [theirs.detach()]


def line_of(pump: Pump, number: int, rng: Random) -> socket.socket:
    peer = pump.add(line=number, vnet=bool(rng.random() < 0.8))
    peer.setblocking(False)
    return peer


def act(rng: Random, pump: Pump, peers: dict[int, socket.socket]) -> None:
    number = int(rng.integers(0, 3))
    choice = rng.random()
    if number not in peers or choice < 0.01:
        peers[number] = line_of(pump, number, rng)
    elif choice < 0.1:
        block, tables = random_block(rng)
        pump.file.write_line(number, block, tables)
    elif choice < 0.13:
        talk_nonsense(rng, pump)
    elif choice < 0.14:
        with contextlib.suppress(RefusedError):
            pump.client.ask(REMOVE, number, int(rng.integers(0, 2)))
        del peers[number]
    else:
        exchange(rng, peers[number])


def exchange(rng: Random, peer: socket.socket) -> None:
    with contextlib.suppress(OSError):
        for _ in range(5):
            peer.send(random_frame(rng))
    with contextlib.suppress(OSError):
        for _ in range(20):
            peer.recv(70_000)


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.full) for seed in range(2, 30))])
def test_fuzz_the_process(pump: Pump, seed: int) -> None:
    rng = np.random.default_rng(seed)
    peers: dict[int, socket.socket] = {}
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        act(rng, pump, peers)
        assert pump.process.poll() is None
    pump.ping()
    assert pump.file.word(seam.MEMORY_PEAK) <= 64 << 20


@pytest.mark.parametrize("seed", [*range(60), *(pytest.param(seed, marks=pytest.mark.full) for seed in range(60, 1000))])
def test_fuzz_the_core(seed: int) -> None:
    """Any parameters, in virtual time: times stay sane, what goes in is accounted for, nothing leaks, everything ends."""
    rng = np.random.default_rng(seed)
    now = 10**9 * int(rng.integers(1, 10**7))
    with core.line(memory=32 << 20) as line:
        for _ in range(6):
            block, tables = random_block(rng)
            line.set_raw(block, tables, now)
            for _ in range(30):
                data = random_frame(rng)
                if len(data) >= 24:
                    line.feed(data[10:], now, data[:10])
                now += int(rng.integers(0, 10**7))
                line.take_all(now)
        account(line.stats)
        end = now
        for _ in range(100_000):
            if (due := line.next) >= 2**63:
                break
            end = max(end, due)
            line.take(end)
        assert line.next >= 2**63
        account(line.stats)
        assert line.stats.queued_packets == 0


def account(stats: LineStats) -> None:
    """Every packet that came in or was copied went out, was dropped under a name, or waits."""
    came = stats.rx_packets + stats.duplicated
    assert came == stats.tx_packets + stats.dropped + stats.unwanted + stats.queued_packets


def test_the_fuzzer_finds_a_planted_fault(tmp_path: Path) -> None:
    """A pump that trusts a header's checksum offsets is caught."""
    planted = tmp_path / "pump"
    shutil.copytree(harness.PUMP, planted)
    source = (planted / "segment.c").read_text()
    check = " || start > len || field + 2 > len"
    assert check in source
    (planted / "segment.c").write_text(source.replace(check, ""))
    command = ["gcc", *harness.SANITIZE, f"-I{planted}"]
    binary = harness.build("planted", command, sorted(planted.glob("*.c")))
    with harness.running(binary, drain_ns=1) as pump:
        peer = pump.add(LineParams(seed=1, corrupt_p=2**32), vnet=True)
        rng = np.random.default_rng(1)
        with contextlib.suppress(OSError):
            for _ in range(2000):
                peer.send(random_frame(rng))
                peer.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    peer.recv(70_000)
                peer.setblocking(True)
        pump.process.wait(10)
    assert "AddressSanitizer" in pump.errors
