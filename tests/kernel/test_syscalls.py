"""The programs on system calls' tracepoints against independent observers: the sender's own count, strace, its own clock."""

from __future__ import annotations

import errno
import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from netweather.kernel.tracing.socket_counters import CallCounts, SocketStats
from netweather.kernel.tracing.trace_layout import CALLS
from netweather.observation.socket_figures import percentile, since
from tests.support.machine import EMULATED
from tests.support.netns import Lab, Namespace, lab

SENDER = """
import ctypes, os, socket, sys, threading, time
HOST = "192.0.2.1"
libc = ctypes.CDLL(None, use_errno=True)
class Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_char_p), ("length", ctypes.c_size_t)]
class Header(ctypes.Structure):
    _fields_ = [("name", ctypes.c_void_p), ("namelen", ctypes.c_uint), ("iov", ctypes.POINTER(Iovec)), ("iovlen", ctypes.c_size_t),
                ("control", ctypes.c_void_p), ("controllen", ctypes.c_size_t), ("flags", ctypes.c_int)]
class Message(ctypes.Structure):
    _fields_ = [("header", Header), ("length", ctypes.c_uint)]
def many(call, fd, sizes):
    messages, kept = (Message * len(sizes))(), []
    for message, size in zip(messages, sizes):
        vector = Iovec(ctypes.cast(ctypes.create_string_buffer(size), ctypes.c_char_p), size)
        kept.append(vector)
        message.header.iov, message.header.iovlen = ctypes.pointer(vector), 1
    extra = (None,) if call == "recvmmsg" else ()
    number = getattr(libc, call)(fd, messages, len(sizes), 0, *extra)
    assert number == len(sizes), (call, number, ctypes.get_errno())
    return sum(message.length for message in messages)
"""
EVERY_CALL = (
    SENDER
    + """
bytes_by = dict.fromkeys("sendto sendmsg sendmmsg write writev sendfile recvfrom recvmsg recvmmsg read readv".split(), 0)
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind((HOST, 0)); u.connect(u.getsockname())
for size in (1, 100, 1400):
    bytes_by["sendto"] += u.send(b"x" * size)
    bytes_by["recvfrom"] += len(u.recv(2000))
    bytes_by["sendmsg"] += u.sendmsg([b"x" * size, b"y"])
    bytes_by["recvmsg"] += len(u.recvmsg(2000)[0])
    bytes_by["write"] += os.write(u.fileno(), b"x" * size)
    bytes_by["read"] += len(os.read(u.fileno(), 2000))
    bytes_by["writev"] += os.writev(u.fileno(), [b"x" * size, b"yz"])
    bytes_by["readv"] += os.readv(u.fileno(), [bytearray(1000), bytearray(1000)])
    bytes_by["sendmmsg"] += many("sendmmsg", u.fileno(), [size] * 70)
    bytes_by["recvmmsg"] += many("recvmmsg", u.fileno(), [1400] * 70)
server = socket.create_server((HOST, 0))
client = socket.create_connection(server.getsockname())
accepted, _ = server.accept()
with open(sys.executable, "rb") as file:
    bytes_by["sendfile"] += os.sendfile(client.fileno(), file.fileno(), 0, 30000)
for other in (os.pipe(), [each.detach() for each in socket.socketpair()]):  # neither pipes nor Unix sockets count
    os.write(other[1], b"1"); os.read(other[0], 1); os.close(other[0]); os.close(other[1])
for each in (u, client, accepted, server): each.close()
import json; print(json.dumps(bytes_by))
"""
)


@pytest.fixture(scope="module")
def net() -> Iterator[Lab]:
    with lab() as made:
        made.client.run("ip", "link", "set", "lo", "up")
        yield made


def inode(namespace: Namespace) -> int:
    return namespace.path.stat().st_ino


def counted(stats: SocketStats) -> dict[str, CallCounts]:
    return stats.read()[0].calls


def test_every_call_and_every_byte_is_counted(net: Lab) -> None:
    with SocketStats([inode(net.client)], tcp=False) as stats:
        sent = json.loads(net.client.run(sys.executable, "-c", EVERY_CALL).stdout)
        found = counted(stats)
    assert {call: each.bytes for call, each in found.items() if call in sent} == sent
    numbers = {call: each.calls for call, each in found.items()}
    assert numbers == {**dict.fromkeys(sent, 3), "sendfile": 1, "connect": 2, "accept4": 1, "close": 4}
    assert all(sum(each.times) == each.calls and each.ns > 0 and not each.errors for each in found.values())


def test_calls_errors_and_bytes_are_those_of_strace(net: Lab, tmp_path: Path) -> None:
    """strace -c says how many calls and errors there were, and the plain trace what each returned."""
    program = tmp_path / "talk.py"
    program.write_text(
        "import socket\n"
        "u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "u.setblocking(False)\n"
        "u.connect(('192.0.2.1', 9))\n"
        "for number in range(500):\n"
        "    try: u.send(b'x' * number)\n"
        "    except OSError: pass\n"
        "    try: u.recv(10)\n"
        "    except OSError: pass\n"
    )
    log = tmp_path / "calls"
    with SocketStats([inode(net.client)], tcp=False) as stats:
        command = ["strace", "-f", "-e", "trace=sendto,recvfrom", "-C", "-o", str(log), sys.executable, str(program)]
        net.client.run(*command)
        found = counted(stats)
    text = log.read_text()
    row = r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(\d*)\s+(sendto|recvfrom)$"
    table = {call: (int(calls), int(errors or 0)) for calls, errors, call in re.findall(row, text, re.MULTILINE)}
    assert set(table) == {"sendto", "recvfrom"}, text[-2000:]
    for call, numbers in table.items():
        each = found[call]
        returned = [int(value) for value in re.findall(rf"{call}\(.*\)\s+= (\d+)", text)]
        errors = re.findall(rf"{call}\(.*\)\s+= -1 (\w+)", text)
        assert (each.calls, each.errors) == numbers
        assert (each.calls, each.bytes) == (len(returned) + len(errors), sum(returned))
        assert sum(each.errors_by.values()) == each.errors == len(errors)
    assert found["recvfrom"].errors_by == {errno.ECONNREFUSED: 500}


BPFTRACE = """
tracepoint:syscalls:sys_enter_sendto /((struct task_struct *)curtask)->nsproxy->net_ns->ns.inum == NUMBER/ { @begun[tid] = 1; }
tracepoint:syscalls:sys_exit_sendto /@begun[tid]/ {
  @calls = count(); if (args->ret >= 0) { @bytes = sum(args->ret); } else { @errors = count(); } delete(@begun[tid]);
}
BEGIN { printf("ready\\n"); }
END { clear(@begun); }
"""
OF_ITS_OWN = 'mount -t debugfs none /sys/kernel/debug; mount -t tracefs none /sys/kernel/debug/tracing; exec bpftrace -e "$0"'
"""bpftrace wants tracefs mounted: in mounts that nobody else sees."""


@pytest.mark.skipif(shutil.which("bpftrace") is None, reason="bpftrace is not installed")
def test_calls_errors_and_bytes_are_those_of_bpftrace(net: Lab) -> None:
    """Both at the same tracepoints, by programs that have nothing in common."""
    program = (
        "import socket\n"
        "u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.connect(('192.0.2.1', 9))\n"
        "for number in range(3000):\n"
        "    try: u.send(b'x' * (number % 1400))\n"
        "    except OSError: pass\n"
    )
    script = BPFTRACE.replace("NUMBER", str(inode(net.client)))
    command = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "sh", "-c", OF_ITS_OWN, script]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as observer,
        SocketStats([inode(net.client)], calls=("sendto",), tcp=False) as stats,
    ):
        assert observer.stdout is not None
        assert any("ready" in line for line in observer.stdout)
        before = stats.read()[0]
        net.client.run(sys.executable, "-c", program)
        found = since(stats.read()[0], before).calls["sendto"]
        observer.send_signal(signal.SIGINT)
        told = dict(re.findall(r"@(\w+): (\d+)", observer.stdout.read()))
    assert found.calls == 3000
    assert found.errors > 1000
    assert {"calls": found.calls, "errors": found.errors, "bytes": found.bytes} == {key: int(told[key]) for key in told}


@pytest.mark.serial
def test_latencies_are_those_that_the_caller_measures(net: Lab) -> None:
    """Waits of 5 to 40 ms, evenly; percentiles within 5 % of the caller's own clock's."""
    if EMULATED:
        pytest.skip("an emulated processor needs milliseconds between the kernel's clock and the caller's")
    program = (
        "import socket, threading, time\n"
        "a = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); a.bind(('192.0.2.1', 0))\n"
        "b = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "took = []\n"
        "for step in range(150):\n"
        "    wait = (5 + 35 * (step * 37 % 150) / 150) / 1000\n"
        "    a.settimeout(None)\n"
        "    timer = threading.Timer(wait, b.sendto, (b'x', a.getsockname())); timer.start()\n"
        "    begin = time.perf_counter(); a.recv(10); took.append(time.perf_counter() - begin); timer.join()\n"
        "took.sort(); print(*took)\n"
    )
    with SocketStats([inode(net.client)], calls=("recvfrom",), tcp=False) as stats:
        took = [float(word) for word in net.client.run(sys.executable, "-c", program).stdout.split()]
        times = counted(stats)["recvfrom"].times
    for share in (0.5, 0.9, 0.99):
        assert percentile(times, share) == pytest.approx(took[int(share * len(took))], rel=0.05)


def test_other_namespaces_are_not_counted(net: Lab) -> None:
    program = "import socket; s = socket.socket(type=socket.SOCK_DGRAM); [s.sendto(b'xyz', ('192.0.2.1', 9)) for _ in range(7)]"
    with SocketStats([inode(net.server), inode(net.client)], calls=("sendto",), tcp=False) as stats:
        net.client.run(sys.executable, "-c", program)
        subprocess.run([sys.executable, "-c", program.replace("192.0.2.1", "127.0.0.1")], check=True)
        server, client = stats.read()
    assert (server.calls, client.calls["sendto"].calls, client.calls["sendto"].bytes) == ({}, 7, 21)


def test_processes_are_told_apart(net: Lab) -> None:
    program = (
        "import os, socket; s = socket.socket(type=socket.SOCK_DGRAM); print(os.getpid())\n"
        "for _ in range({0}): s.sendto(b'x' * {0}, ('192.0.2.1', 9))"
    )
    with SocketStats([inode(net.client)], calls=("sendto",), tcp=False, by_process=True) as stats:
        pids = [int(net.client.run(sys.executable, "-c", program.format(times)).stdout) for times in (3, 5)]
        found = stats.read()[0].processes
    assert {key: (each.calls, each.bytes) for key, each in found.items()} == {
        (pids[0], "sendto"): (3, 9),
        (pids[1], "sendto"): (5, 25),
    }


@pytest.mark.parametrize("slots", [0, 1, 4])
def test_calls_of_many_threads_at_once_are_all_counted(net: Lab, slots: int) -> None:
    """More of them than slots: some wait in a call, and hold theirs, while others come and go."""
    program = (
        "import socket, threading\n"
        "def wait(each): assert each.recv(10) == b'x'\n"
        "def talk():\n"
        "    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(('192.0.2.1', 0)); u.connect(u.getsockname())\n"
        "    for _ in range(500): u.send(b'abc'); u.recv(10)\n"
        "    u.close()\n"
        "waits = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(20)]\n"
        "for each in waits: each.bind(('192.0.2.1', 0))\n"
        "threads = [threading.Thread(target=wait, args=(each,)) for each in waits] + [threading.Thread(target=talk) for _ in range(20)]\n"
        "for each in threads: each.start()\n"
        "for each in threads[20:]: each.join()\n"
        "last = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "for each in waits: last.sendto(b'x', each.getsockname())\n"
        "for each in threads: each.join()\n"
    )
    with SocketStats([inode(net.client)], calls=("sendto", "recvfrom"), tcp=False, by_process=True, slots=slots) as stats:
        net.client.run(sys.executable, "-c", program)
        found, processes = counted(stats), stats.read()[0].processes
    assert {call: (each.calls, each.bytes, each.errors) for call, each in found.items()} == {
        "sendto": (10_020, 30_020, 0),
        "recvfrom": (10_020, 30_020, 0),
    }
    assert {call: each.calls for (_, call), each in processes.items()} == {"sendto": 10_020, "recvfrom": 10_020}
    assert all(sum(each.times) == each.calls for each in found.values())


def test_a_socket_is_known_by_its_kind_not_by_the_call() -> None:
    assert len(CALLS) == len(set(CALLS))
    assert CALLS.index("connect") == 11, "the programs take the calls before it for ones that return bytes"
