"""The pump as a process, with socket pairs for TAPs."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from netweather.kernel.datapath import pump_file as seam
from netweather.lines.params import ONE, ConfigError, LineParams, LineState, LineStats, LossModel
from tests.native.pump import core, harness, wire
from tests.native.pump.harness import ADD, MAGIC, PING, REMOVE, REPLY, REQUEST, Pump, RefusedError, frame, number_of, receive
from tests.support.machine import SLOW
from tests.support.rig import at_last

MS = 10**6
SECOND = 10**9
NOBODY = 65534


@pytest.fixture(scope="session")
def binary() -> Path:
    return harness.pump_binary()


@pytest.fixture
def pump(binary: Path) -> Iterator[Pump]:
    with harness.running(binary) as pump:
        yield pump
    assert pump.process.returncode == 0
    assert pump.errors == ""


def numbers(peer: socket.socket, count: int, seconds: float = 5.0) -> list[int]:
    return [number_of(data) for _, data in receive(peer, count, seconds)]


def send_all(peer: socket.socket, first: int, count: int, size: int = 100) -> None:
    for number in range(first, first + count):
        peer.send(frame(number, size))


def wait_for(pump: Pump, line: int, state: LineState) -> None:
    deadline = time.monotonic() + 5 * SLOW
    while pump.stats(line).state is not state:
        assert time.monotonic() < deadline, pump.stats(line)
        time.sleep(0.001)


def taken_in(pump: Pump, count: int) -> LineStats:
    """Waits until the pump has read as many packets: an answer to a ping doesn't say that it has emptied a long queue."""
    deadline = time.monotonic() + 30 * SLOW
    while (stats := pump.stats()).rx_packets < count:
        assert time.monotonic() < deadline, stats
        time.sleep(0.001)
    return stats


def status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


# Starting ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--control", "3"],
        ["--control", "x", "--params", "4", "--beat", "5"],
        ["--nonsense", "1"],
        ["--control", "3", "--params", "4", "--beat"],
    ],
)
def test_usage(binary: Path, arguments: list[str]) -> None:
    done = subprocess.run([binary, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "usage" in done.stderr


def test_a_file_that_is_not_one_is_refused(binary: Path, tmp_path: Path) -> None:
    (tmp_path / "wrong").write_bytes(bytes(seam.FILE_SIZE))
    with (tmp_path / "wrong").open("r+b") as file:
        fd = str(file.fileno())
        command = [binary, "--control", fd, "--params", fd, "--beat", fd]
        done = subprocess.run(command, pass_fds=[file.fileno()], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr


def test_it_gives_up_its_rights(pump: Pump) -> None:
    pump.ping()
    now = status(pump.process.pid)
    assert now["Name"] == "netweather-pump"
    assert (now["NoNewPrivs"], now["Seccomp"], now["Threads"]) == ("1", "2", "1")
    assert {now[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Amb")} == {"0000000000000000"}
    if os.geteuid() == 0:
        assert now["Uid"].split() == now["Gid"].split() == [str(NOBODY)] * 4
        assert now["CapBnd"] == "0000000000000000"
        assert now["Groups"] == ""


def test_it_stays_on_its_cpu(binary: Path) -> None:
    with harness.running(binary, cpu=0) as pump:
        assert pump.ping() == 0
        assert os.sched_getaffinity(pump.process.pid) == {0}


@pytest.mark.root
def test_it_comes_before_others(pump: Pump) -> None:
    """Or a busy machine would make every delay longer."""
    pump.ping()
    assert os.getpriority(os.PRIO_PROCESS, pump.process.pid) == -10


def test_it_outlives_its_starter(binary: Path) -> None:
    with harness.running(binary, wrapper=["sh", "-c", '"$@" & exit 0', "sh"]) as pump:
        pump.process.wait(5)
        assert pump.ping() == 0
        peer = pump.add()
        send_all(peer, 0, 10)
        assert numbers(peer, 10) == list(range(10))


def test_it_inherits_nothing_else(binary: Path) -> None:
    read_end, write_end = os.pipe()
    with harness.running(binary, inherited=[write_end]) as pump:
        pump.ping()
        os.close(write_end)
        assert os.read(read_end, 1) == b""  # nobody else holds it
    os.close(read_end)


# Heart and end ----------------------------------------------------------------------------------------------------------------


@pytest.mark.serial
def beats_again(pump: Pump, meanwhile: Callable[[], object]) -> None:
    """Five beats come within what the classifier waits for one, on a usual machine; here it is waited for, since machines may be busy."""
    last, deadline = pump.beat.boot_ns, time.monotonic() + 10 * SLOW
    while pump.beat.boot_ns == last:
        assert time.monotonic() < deadline, "no heartbeat"
        meanwhile()


def test_heart_beats_while_idle_and_while_busy(pump: Pump) -> None:
    pump.ping()
    for _ in range(5):
        beats_again(pump, lambda: time.sleep(0.01))
    peer = pump.add(LineParams(delay_ns=5 * MS))
    for _ in range(5):
        beats_again(pump, lambda: peer.send(frame(0)))


def test_a_stopped_process_has_no_heartbeat(pump: Pump) -> None:
    pump.ping()
    pump.process.send_signal(signal.SIGSTOP)
    time.sleep(0.3)
    age = pump.beat.age_ms
    pump.process.send_signal(signal.SIGCONT)
    assert age > 150


def test_sigterm_delivers_what_waits(binary: Path) -> None:
    with harness.running(binary) as pump:
        peer = pump.add(LineParams(delay_ns=300 * MS))
        send_all(peer, 0, 500)
        pump.process.send_signal(signal.SIGTERM)
        found = receive(peer, 500, 2)
        assert [number_of(data) for _, data in found] == list(range(500))
        assert pump.process.wait(5) == 0
        assert pump.file.word(seam.PUMP_STATE) == 3


def test_draining_is_bounded_and_loses_nothing(binary: Path) -> None:
    with harness.running(binary, drain_ns=200 * MS) as pump:
        peer = pump.add(LineParams(delay_ns=20 * SECOND, jitter_ns=SECOND, seed=1))
        send_all(peer, 0, 100)
        begun = time.monotonic()
        pump.process.send_signal(signal.SIGTERM)
        assert pump.process.wait(10 * SLOW) == 0  # of the 20 s that it is asked for
        assert time.monotonic() - begun > 0.15
        assert sorted(numbers(peer, 100)) == list(range(100))


def test_deadline_ends_it(binary: Path) -> None:
    with harness.running(binary) as pump:
        peer = pump.add(LineParams(delay_ns=100 * MS))
        begun = time.monotonic()
        pump.file.set_deadline(time.clock_gettime_ns(time.CLOCK_BOOTTIME) + 300 * MS)
        time.sleep(0.25)
        send_all(peer, 0, 50)
        assert pump.process.wait(10 * SLOW) == 0
        assert time.monotonic() - begun > 0.3
        assert numbers(peer, 50) == list(range(50))


def test_it_ends_when_its_file_has_no_name_any_more(binary: Path, tmp_path: Path) -> None:
    """Whoever started it was killed before it wrote down whom, or the state directory is gone."""
    with harness.running(binary, file=seam.ParamsFile(tmp_path / "params")) as pump:
        peer = pump.add(LineParams(delay_ns=300 * MS))
        send_all(peer, 0, 50)
        (tmp_path / "params").unlink()
        assert pump.process.wait(10 * SLOW) == 0
        assert numbers(peer, 50) == list(range(50))


def test_its_clock_is_the_hosts(binary: Path, tmp_path: Path) -> None:
    """As in a time namespace that is an hour ahead: beats and the deadline are in the clock that the classifier reads."""
    hour = 3600 * 10**9
    file = seam.ParamsFile(tmp_path / "params")
    file.set_boot_offset(hour)
    with harness.running(binary, file=file) as pump:
        before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        while pump.beat.boot_ns <= before - hour:
            time.sleep(0.01)
        assert pump.beat.boot_ns <= time.clock_gettime_ns(time.CLOCK_BOOTTIME) - hour
        pump.file.set_deadline(time.clock_gettime_ns(time.CLOCK_BOOTTIME) - hour)
        assert pump.process.wait(10 * SLOW) == 0


# Control ----------------------------------------------------------------------------------------------------------------------


def test_control_refuses(pump: Pump) -> None:
    with open("/dev/null") as null, open(__file__) as file:
        for op, line, fd, error in (
            (ADD, 240, null.fileno(), "EINVAL"),
            (ADD, 0, None, "EBADF"),
            (ADD, 0, file.fileno(), "EINVAL"),
            (REMOVE, 3, None, "ENOENT"),
            (99, 0, None, "EOPNOTSUPP"),
        ):
            with pytest.raises(RefusedError) as caught:
                pump.client.ask(op, line, 0, fd)
            assert caught.value.errno == getattr(__import__("errno"), error)
    assert pump.ping() == 0


@pytest.mark.parametrize(
    "message", [b"x", bytes(24), REQUEST.pack(MAGIC, PING, 0, 0, 1, 0) + b"more", REQUEST.pack(MAGIC + 1, PING, 0, 0, 1, 0)]
)
def test_bad_messages_are_answered(pump: Pump, message: bytes) -> None:
    pump.client.socket.send(message)
    assert REPLY.unpack(pump.client.socket.recv(64))[3] == -22
    assert pump.ping() == 0


def test_several_clients(pump: Pump) -> None:
    clients = [pump.connect() for _ in range(10)]
    assert [client.ask(PING) for client in clients] == [0] * 10
    for client in clients:
        client.close()
    again = pump.connect()
    assert again.ask(PING) == 0
    again.close()


def test_a_client_that_never_reads_is_let_go(pump: Pump) -> None:
    rude = pump.connect()
    rude.socket.settimeout(0.2)
    with contextlib.suppress(TimeoutError, ConnectionError):
        for _ in range(100_000):
            rude.socket.send(REQUEST.pack(MAGIC, PING, 0, 0, 1, 0))
    rude.close()
    assert pump.ping() == 0


def test_too_many_fds_are_closed(pump: Pump) -> None:
    pump.ping()
    before = len(os.listdir(f"/proc/{pump.process.pid}/fd")) if os.geteuid() == 0 else 0
    pairs = [socket.socketpair() for _ in range(6)]
    fds = [end.fileno() for pair in pairs for end in pair]
    socket.send_fds(pump.client.socket, [REQUEST.pack(MAGIC, PING, 0, 0, 1, 0)], fds)
    pump.client.socket.recv(64)
    for pair in pairs:
        for end in pair:
            end.close()
    if before:
        assert len(os.listdir(f"/proc/{pump.process.pid}/fd")) == before


def test_remove_delivers_and_closes(pump: Pump) -> None:
    peer = pump.add(LineParams(delay_ns=100 * MS))
    send_all(peer, 0, 200)
    pump.client.ask(REMOVE)
    assert pump.stats().state is LineState.DRAINING
    assert pump.file.held(0)
    assert numbers(peer, 200) == list(range(200))
    wait_for(pump, 0, LineState.DRAINED)
    assert not pump.file.held(0)
    assert peer.recv(100) == b""
    assert pump.ping() == 0


def test_a_line_that_was_drained_begins_anew(pump: Pump) -> None:
    peer = pump.add(LineParams(rate_bps=10**4))
    send_all(peer, 0, 100, 1000)
    pump.client.ask(REMOVE, 0, 1)
    wait_for(pump, 0, LineState.DRAINED)
    assert pump.stats().rx_packets == 100
    again = pump.add(LineParams())
    again.send(frame(7))
    sent = time.monotonic_ns()
    came, data = receive(again, 1)[0]
    assert number_of(data) == 7
    assert came - sent < 20 * SECOND  # not behind the 80 s that the last one had queued
    pump.ping()
    assert pump.stats().rx_packets == 1


def test_remove_now(pump: Pump) -> None:
    peer = pump.add(LineParams(delay_ns=30 * SECOND))
    send_all(peer, 0, 200)
    pump.client.ask(REMOVE, 0, 1)
    assert numbers(peer, 200, 2) == list(range(200))


def test_remove_drop(pump: Pump) -> None:
    peer = pump.add(LineParams(delay_ns=30 * SECOND))
    send_all(peer, 0, 200)
    pump.ping()
    held = pump.stats().queued_packets
    pump.client.ask(REMOVE, 0, 2)
    stats = pump.stats()
    assert (stats.state, stats.queued_packets, stats.dropped_ended) == (LineState.DRAINED, 0, held)
    assert peer.recv(100) == b""
    with pytest.raises(harness.RefusedError):
        pump.client.ask(REMOVE, 0, 2)


def test_a_second_fd_replaces_the_first(pump: Pump) -> None:
    old = pump.add(LineParams(delay_ns=200 * MS))
    send_all(old, 0, 10)
    time.sleep(0.02)
    kept = socket.socket(fileno=os.dup(old.fileno()))
    new = pump.add()
    send_all(new, 10, 10)
    assert numbers(new, 20) == list(range(20))
    kept.close()


# Packets ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [socket.SOCK_SEQPACKET, socket.SOCK_DGRAM])
@pytest.mark.parametrize("vnet", [False, True])
def test_frames_pass_unchanged(pump: Pump, kind: int, vnet: bool) -> None:
    peer = pump.add(vnet=vnet, kind=kind)
    head = bytes(10) if vnet else b""
    for size in (14, 60, 1514, 9014, 60_000, 65_549):
        sent = head + os.urandom(size)
        peer.send(sent)
        assert peer.recv(70_000) == sent


@pytest.mark.serial
def test_delay(pump: Pump) -> None:
    peer = pump.add(LineParams(delay_ns=50 * MS))

    def trip() -> float:
        sent = time.monotonic_ns()
        peer.send(frame(0))
        return (receive(peer, 1)[0][0] - sent) / MS

    at_last(trip, 50, 51)  # a busy machine makes many later, and not all of them


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_nothing_leaves_early_when_the_pump_is_held_up(binary: Path) -> None:
    """A frame's time is taken when it has been read: a clock read before would let what came meanwhile leave early."""
    slow = ["strace", "-o", "/dev/null", "-e", "trace=read", "-e", "inject=read:delay_exit=3000"]
    with harness.running(binary, wrapper=slow) as pump:
        peer = pump.add(LineParams(delay_ns=500 * MS))
        for _ in range(10):  # two at once, and a third while the second is being read
            for pause in (0, 0.0045, 0.03):
                peer.send(frame(time.monotonic_ns()))
                time.sleep(pause)
        found = receive(peer, 30)
        assert len(found) == 30
        assert min(came - number_of(data) for came, data in found) >= 500 * MS


def test_losses_are_those_of_the_core(pump: Pump) -> None:
    params = LineParams(seed=11, loss_model=LossModel.GILBERT_ELLIOTT, loss_a=(ONE // 20, ONE // 4, ONE, ONE // 100, 0))
    with core.line(params) as line:
        expected = [int(n) for n in line.run(core.every(1000, 2000))["number"]]
    peer = pump.add(params)
    found = []
    for first in range(0, 2000, 50):
        send_all(peer, first, 50)
        found += numbers(peer, sum(first <= n < first + 50 for n in expected))
    assert found == expected
    assert pump.stats().lost == 2000 - len(expected)


def test_readding_restarts_the_streams(pump: Pump) -> None:
    params = LineParams(seed=5, loss_model=LossModel.RANDOM, loss_p=ONE // 2)
    found = []
    for _ in range(2):
        peer = pump.add(params)
        send_all(peer, 0, 100)
        found.append(numbers(peer, 100, 0.3))
    assert found[0] == found[1]


def test_live_changes_lose_and_reorder_nothing(pump: Pump) -> None:
    peer = pump.add(LineParams(delay_ns=5 * MS))
    rng = np.random.default_rng(1)
    sent, found = 0, []
    for _ in range(200):
        pump.file.write_line(
            0, LineParams(delay_ns=int(rng.integers(0, 20)) * MS, rate_bps=int(rng.choice([0, 10**9]))).pack(), {}
        )
        send_all(peer, sent, 50)
        sent += 50
        found += numbers(peer, 50, 0)
    found += numbers(peer, sent - len(found))
    assert found == list(range(sent))
    assert pump.stats().changes > 20  # those that came between two turns count once


def test_ping_means_in_force(pump: Pump) -> None:
    pump.add()
    for delay in range(1, 50):
        generation = pump.file.write_line(0, LineParams(delay_ns=delay).pack(), {})
        pump.ping()
        assert pump.stats().applied_generation == generation


def test_a_torn_block_changes_nothing(pump: Pump) -> None:
    peer = pump.add(LineParams(delay_ns=20 * MS))
    block = bytearray(LineParams().pack())
    block[40] ^= 1
    pump.file.write_line(0, bytes(block), {})
    pump.ping()
    assert pump.stats().config_error is ConfigError.TORN
    sent = time.monotonic_ns()
    peer.send(frame(0))
    assert receive(peer, 1)[0][0] - sent >= 20 * MS
    pump.set(LineParams())
    assert pump.stats().config_error is ConfigError.OK


def test_a_writer_in_the_middle_is_waited_for(pump: Pump) -> None:
    pump.add(LineParams(delay_ns=MS))
    word = ctypes.c_uint64.from_buffer(pump.file._map, seam.HEADER_SIZE)
    before = word.value
    word.value = before + 1
    pump.ping()
    assert pump.stats().applied_generation == before
    word.value = before + 2
    del word
    pump.ping()
    assert pump.stats().applied_generation == before + 2


def test_a_super_packet_crosses_whole_and_its_loss_is_by_segment(pump: Pump) -> None:
    super_packet, vnet = wire.make(bytes(60_000))
    peer = pump.add(vnet=True)
    peer.send(vnet + super_packet)
    assert peer.recv(70_000) == vnet + super_packet
    pump.set(LineParams(loss_model=LossModel.LIST, losses=(10, 20)))
    peer.send(vnet + super_packet)
    parts = [data for _, data in receive(peer, 3)]
    pieces = wire.segmented(super_packet, vnet)
    assert [p for part in parts for p in wire.segmented(part[10:], part[:10])] == pieces[:9] + pieces[10:19] + pieces[20:]
    pump.ping()
    assert pump.stats().decided == len(pieces)  # by the list; what came before it doesn't count


def test_as_many_lines_as_there_may_be(pump: Pump) -> None:
    peers = [pump.add(LineParams(delay_ns=MS * (line % 5)), line) for line in range(seam.LINES)]
    assert pump.ping() == seam.LINES
    for line, peer in enumerate(peers):
        peer.send(frame(line))
    assert [numbers(peer, 1) for peer in peers] == [[line] for line in range(seam.LINES)]


def test_trace_is_read_from_the_file(pump: Pump) -> None:
    from netweather.lines.traces import parse_trace

    peer = pump.add(LineParams(trace=parse_trace("time,delay\n0s,30ms\n100s,\n").pack()))
    assert pump.stats().config_error is ConfigError.OK
    sent = time.monotonic_ns()
    peer.send(frame(0))
    assert receive(peer, 1)[0][0] - sent >= 30 * MS


# Trouble ----------------------------------------------------------------------------------------------------------------------


def test_malformed_frames_are_counted(pump: Pump) -> None:
    peer = pump.add()
    peer.send(b"short")
    peer.send(frame(1))
    assert numbers(peer, 1) == [1]
    pump.ping()
    assert pump.stats().malformed == 1


def test_a_reader_that_stops_costs_packets_and_these_are_counted(pump: Pump) -> None:
    params = LineParams(delay_ns=100 * MS)
    peer = pump.add(params)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    pump.client.socket.settimeout(10)
    sent = 6000
    send_all(peer, 0, sent, 1500)
    time.sleep(0.6)
    found = numbers(peer, sent, 1)
    pump.ping()
    stats = pump.stats()
    assert stats.unwanted_write > 0
    assert stats.errno_last in (11, 105)
    assert len(found) + stats.unwanted == sent
    assert found == sorted(found)


def test_a_peer_that_goes_away(pump: Pump) -> None:
    peer = pump.add(LineParams(delay_ns=10 * SECOND))
    send_all(peer, 0, 30)
    time.sleep(0.05)
    peer.close()
    wait_for(pump, 0, LineState.FAILED)
    stats = pump.stats()
    assert stats.unwanted_closed == 30
    assert stats.queued_packets == 0
    again = pump.add(LineParams())
    send_all(again, 0, 3)
    assert numbers(again, 3) == [0, 1, 2]


def test_100_000_packets_wait(pump: Pump) -> None:
    """More than 512 MiB of small packets would be two million: docs/limits.md says what each takes."""
    count = 100_000
    peer = pump.add(LineParams(delay_ns=60 * SECOND))
    send_all(peer, 0, count)
    stats = taken_in(pump, count)
    assert (stats.queued_packets, stats.unwanted) == (count, 0)
    assert pump.file.word(seam.MEMORY_PEAK) < count * 320
    beats_again(pump, lambda: time.sleep(0.01))
    peer.close()
    wait_for(pump, 0, LineState.FAILED)
    assert pump.stats().queued_packets == 0
    assert pump.file.word(seam.MEMORY_USED) < 4 << 20  # given back


def test_memory_bound_holds(binary: Path) -> None:
    with harness.running(binary, memory=16 << 20) as pump:
        peer = pump.add(LineParams(delay_ns=SECOND // 2))
        send_all(peer, 0, 15_000, 1500)
        pump.ping()
        stats = pump.stats()
        assert stats.unwanted_memory > 0
        assert pump.file.word(seam.MEMORY_PEAK) <= 16 << 20
        assert int(status(pump.process.pid)["VmHWM"].split()[0]) < 18 << 10
        assert len(numbers(peer, stats.queued_packets, 3)) == stats.queued_packets


def test_statistics_are_consistent_while_it_works(pump: Pump) -> None:
    peer = pump.add(LineParams(loss_model=LossModel.NTH, nth_period=2, nth_offset=2))
    for first in range(0, 3000, 30):
        send_all(peer, first, 30, 100)
        numbers(peer, 15)
        stats = pump.stats()
        assert stats.rx_bytes == stats.rx_packets * 100
        assert stats.tx_packets + stats.lost + stats.queued_packets == stats.rx_packets


def test_whole_system_call_list_is_enough(pump: Pump) -> None:
    """Everything a pump ever does, under the production filter: a forgotten call would kill it."""
    for line in range(8):
        params = LineParams(delay_ns=MS, jitter_ns=MS, seed=line, corrupt_p=ONE // 3, duplicate_p=ONE // 3, rate_bps=10**9)
        pump.add(replace(params, policy=line % 3), line, vnet=True)  # type: ignore[arg-type]
    for line in range(8):
        for size in (1000, 30_000, 60_000):
            data, vnet = wire.make(bytes(size), version=4 + 2 * (line % 2))
            pump._peers[line].send(vnet + data)
    time.sleep(0.1)
    for line in range(8):
        pump.client.ask(REMOVE, line)
    assert struct.unpack("<I", struct.pack("<I", pump.ping()))
