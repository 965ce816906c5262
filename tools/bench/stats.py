"""What counting a system call costs (`netweather stats`), by the kernel's own BPF statistics, beside bpftrace doing the same."""

from __future__ import annotations

import ctypes
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from netweather.kernel.bpf import libbpf
from netweather.kernel.tracing import tracepoints
from netweather.kernel.tracing.socket_counters import SocketStats
from tests.support.netns import Namespace
from tools.bench.figures import Rows, at_most, impossible, row
from tools.bench.network import network
from tools.bench.rounds import Plan, interleaved

SECTION = "stats"
TRACEPOINT_PROGRAM = 5
NEXT_PROGRAM_ID = 11
PATIENCE_S = 30.0
WAYS = ("syscalls/sys_exit_sendto", "syscalls/sys_enter_sendto")
SENDER = """
import socket, sys
made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); made.connect(("192.0.2.2", 9))
for _ in range(int(sys.argv[1])):
    try: made.send(b"x" * 100)
    except OSError: pass
"""
BPFTRACE = """
tracepoint:syscalls:sys_enter_sendto /((struct task_struct *)curtask)->nsproxy->net_ns->ns.inum == NUMBER/ { @begun[tid] = nsecs; }
tracepoint:syscalls:sys_exit_sendto /@begun[tid]/ {
  @calls = count();
  if (args->ret >= 0) { @bytes = sum(args->ret); } else { @errors[args->ret] = count(); }
  @took = hist(nsecs - @begun[tid]); delete(@begun[tid]);
}
BEGIN { printf("ready\\n"); }
"""
IN_A_PLACE_OF_ITS_OWN = (
    'mount -t debugfs none /sys/kernel/debug; mount -t tracefs none /sys/kernel/debug/tracing; exec bpftrace -e "$0"'
)
"""bpftrace wants tracefs mounted: in a mount namespace that nobody else sees."""
ITS_NAMES = ("sys_enter_sendt", "sys_exit_sendto")


def programs() -> set[int]:
    """The ids of all programs in the kernel."""
    found: set[int] = set()
    last = 0
    while True:
        try:
            last = struct.unpack_from("I", libbpf.call(NEXT_PROGRAM_ID, struct.pack("III", last, 0, 0))[1], 4)[0]
        except FileNotFoundError:
            return found
        found.add(last)


def name(identifier: int) -> str:
    """A program's name; "" when it is gone."""
    try:
        program = libbpf.Program.by_id(identifier)
    except FileNotFoundError:
        return ""
    program.close()
    return program.name


def run_time(identifiers: set[int]) -> int:
    """How long these ran in all, in ns; those that are gone count nothing."""
    total = 0
    for identifier in identifiers:
        try:
            program = libbpf.Program.by_id(identifier)
        except FileNotFoundError:
            continue
        total += program.run_time()[0]
        program.close()
    return total


@contextmanager
def ours(namespace: Namespace) -> Iterator[set[int]]:
    """The ids of our programs, attached to sendto of a namespace."""
    with SocketStats([namespace.path.stat().st_ino], calls=("sendto",), tcp=False) as stats:
        yield {program.id for each in stats._objects for program in each.programs.values()}


@contextmanager
def empty(namespace: Namespace) -> Iterator[set[int]]:
    """Two programs that do nothing, at the same places: what the kernel's own statistics cost."""
    code = ctypes.create_string_buffer(struct.pack("=BBhiBBhi", 0xB7, 0, 0, 0, 0x95, 0, 0, 0))  # r0 = 0; exit
    licence = ctypes.create_string_buffer(b"GPL")
    attached, made = tracepoints.Attached(), []
    try:
        for where in WAYS:
            places = (ctypes.addressof(code), ctypes.addressof(licence))
            fd, _ = libbpf.call(libbpf.PROG_LOAD, struct.pack("=IIQQIIQII", TRACEPOINT_PROGRAM, 2, *places, 0, 0, 0, 0, 0))
            made.append(libbpf.Program.by_fd(fd))
            attached.call(made[-1], where)
        yield {program.id for program in made}
    finally:
        attached.close()
        for program in made:
            program.close()


@contextmanager
def bpftrace(namespace: Namespace) -> Iterator[set[int]]:
    """bpftrace's programs, which count calls, bytes and errors and spread the times over a histogram."""
    script = BPFTRACE.replace("NUMBER", str(namespace.path.stat().st_ino))
    before = programs()
    command = ["setpriv", "--pdeathsig", "KILL", "unshare", "-m", "sh", "-c", IN_A_PLACE_OF_ITS_OWN, script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            if not any("ready" in line for line in process.stdout):
                raise RuntimeError("bpftrace does not start")
            yield {identifier for identifier in programs() - before if name(identifier) in ITS_NAMES}
        finally:
            process.kill()  # its programs go with it; SIGINT may take it longer than our patience


def cost(namespace: Namespace, variant: str, calls: int) -> float:
    """ns for each call, both programs together."""
    with {"ours": ours, "empty": empty, "bpftrace": bpftrace}[variant](namespace) as identifiers, libbpf.statistics():
        begin = run_time(identifiers)
        namespace.run(sys.executable, "-c", SENDER, str(calls), timeout=PATIENCE_S)
        return (run_time(identifiers) - begin) / calls


def run(plan: Plan) -> Rows:
    calls = 5_000 if plan.quick else 100_000
    there = shutil.which("bpftrace") is not None
    with network() as net:
        names = ("ours", "empty", "bpftrace") if there else ("ours", "empty")
        found = interleaved(plan, SECTION, {name: partial(cost, net.client, name, calls) for name in names})
    note = "beginning and end together, by the kernel's own statistics, which are in it: see the row below"
    goal = at_most(250, "figure")
    yield row(SECTION, "a sendto that is counted", "ns", found["ours"], ("empty programs", found["empty"]), goal=goal, note=note)
    less = [mine - nothing for mine, nothing in zip(found["ours"], found["empty"], strict=True)]
    yield row(SECTION, "the same, less what empty programs take there", "ns", less, goal=goal)
    if there:
        yield row(SECTION, "the same beside bpftrace", "ns", found["ours"], ("bpftrace", found["bpftrace"]), goal=at_most(1))
    else:
        yield impossible(SECTION, "the same beside bpftrace", "bpftrace is not installed")
