"""What is loaded and attached, and that nothing stays. The counting itself: tests/kernel/test_syscalls.py and test_tcp.py."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import time
from typing import Any

import pytest

from netweather.errors import NetweatherError
from netweather.kernel.bpf import libbpf
from netweather.kernel.tracing import socket_counters
from netweather.kernel.tracing.socket_counters import SocketStats, drop_reasons
from tests.support.rig import until

GET_NEXT_LINK = 31
HERE = os.stat("/proc/self/ns/net").st_ino


def links_of(programs: set[int]) -> int:
    """How many attachments there are of these programs, by the kernel's own list."""
    found, identifier = 0, 0
    while True:
        try:
            _, answer = libbpf.call(GET_NEXT_LINK, struct.pack("=III", identifier, 0, 0))
        except FileNotFoundError:
            return found
        identifier = struct.unpack_from("=I", answer, 4)[0]
        try:
            fd, _ = libbpf.call(30, struct.pack("=III", identifier, 0, 0))
        except FileNotFoundError:
            continue
        try:
            found += struct.unpack_from("=II", libbpf._info(fd, 64), 8)[0] in programs
        finally:
            os.close(fd)


def ids(stats: SocketStats) -> set[int]:
    return {program.id for each in stats._objects for program in each.programs.values()}


@pytest.mark.parametrize(
    ("calls", "tcp", "expected"),
    [
        (("sendto",), False, 2),
        (("sendto", "recvmmsg"), False, 4),
        ((), True, len(socket_counters.TCP_EVENTS)),
        (("connect", "close"), True, 4 + len(socket_counters.TCP_EVENTS)),
    ],
    ids=["sendto", "many", "tcp", "both"],
)
def test_only_what_is_asked_for_is_attached(calls: tuple[str, ...], tcp: bool, expected: int) -> None:
    with SocketStats([HERE], calls=calls, tcp=tcp) as stats:
        programs = ids(stats)
        assert stats.missing == []
        assert links_of(programs) == expected
    until(lambda: links_of(programs) == 0, 20, "nothing is attached any more")


def test_nothing_stays_of_one_that_is_killed() -> None:
    program = (
        "import os, sys, time; from netweather.kernel.tracing.socket_counters import SocketStats\n"
        f"s = SocketStats([{HERE}])\n"
        "print(*[p.id for o in s._objects for p in o.programs.values()], flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        programs = {int(word) for word in child.stdout.readline().split()}
        assert links_of(programs) == 2 * len(socket_counters.CALLS) + len(socket_counters.TCP_EVENTS)
        os.kill(child.pid, signal.SIGKILL)
    until(lambda: links_of(programs) == 0, 20, "nothing is attached any more")
    until(lambda: not any(_there(identifier) for identifier in programs), 20, "the programs are gone")


def _there(identifier: int) -> bool:
    try:
        libbpf.Program.by_id(identifier).close()
    except FileNotFoundError:
        return False
    return True


def test_the_twin_of_kernels_without_casts_counts_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused programs with casts, as Linux before 6.2 refuses them."""
    load = libbpf.load

    def old_kernel(image: bytes, *arguments: Any, only: Any = None, **named: Any) -> libbpf.BpfObject:
        if only is not None and "nw_enter" in set(only):
            raise NetweatherError("bpf-refused", "the kernel refused to load our BPF programs")
        return load(image, *arguments, only=only, **named)

    monkeypatch.setattr(libbpf, "load", old_kernel)
    program = (
        "import ctypes, os, socket; libc = ctypes.CDLL(None); libc.unshare(0x40000000)\n"
        "input(os.stat('/proc/self/ns/net').st_ino); s = socket.socket(type=socket.SOCK_DGRAM); r, w = os.pipe()\n"
        "for _ in range(9):\n"
        "    os.write(w, b'x')\n"
        "    try: s.sendto(b'x', ('127.0.0.1', 9))\n"
        "    except OSError: pass\n"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", program], stdin=pipe, stdout=pipe, text=True) as child:
        assert child.stdout is not None
        inode = int(_line(child.stdout))
        with SocketStats([inode], calls=("sendto", "write", "sendmmsg"), tcp=False) as stats:
            child.communicate("\n")
            names = set(stats.run_times())
            found = stats.read()[0].calls
    assert names == {"nw_enter_old", "nw_many_old", "nw_exit", "nw_exit_many"}
    assert set(found) == {"sendto"}
    assert (found["sendto"].calls, found["sendto"].errors) == (9, 9)


def _line(stream: Any) -> str:
    """The prompt, which has no end of line."""
    text = b""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and not (text.isdigit() and len(text) == 10):
        text += os.read(stream.fileno(), 1)
    return text.decode()


def test_the_kernels_names_of_reasons() -> None:
    assert "NO_SOCKET" in drop_reasons().values()


def test_run_times_are_counted_while_statistics_are_open() -> None:
    with SocketStats([HERE], calls=("close",), tcp=False) as stats, libbpf.statistics():
        for _ in range(1000):
            os.close(os.dup(0))
        ran = {name: runs for name, (_, runs) in stats.run_times().items()}
    assert ran["nw_exit"] >= 1000
    assert any(runs >= 1000 for name, runs in ran.items() if name.startswith("nw_enter"))
