"""What the processes of a network namespace ask of their sockets, and what TCP makes of it, counted by programs on tracepoints.

Everything is attached for as long as this process has it open, and only what is asked for. Not here: percentiles, rates and
words (measure, front ends).
"""

from __future__ import annotations

import os
import time
from array import array
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

from netweather.errors import NetweatherError
from netweather.kernel.bpf import libbpf
from netweather.kernel.host_info import HostInfo, possible_cpus
from netweather.kernel.tracing import trace_layout, tracepoints
from netweather.kernel.tracing.trace_layout import CALLS, MANY

_BUSY_PROCESSES: Final = 16_384
_SLOTS: Final = 16_384
"""For calls under way, half a MB. With more threads in calls at once some pay more, and all are counted."""
_ENDS: Final = {("exit", False): "nw_exit", ("exit", True): "nw_exit_many"}
TCP_EVENTS: Final = {
    "nw_state": "sock/inet_sock_set_state",
    "nw_retransmit": "tcp/tcp_retransmit_skb",
    "nw_reset_in": "tcp/tcp_receive_reset",
    "nw_reset_out": "tcp/tcp_send_reset",
    "nw_drop": "skb/kfree_skb",
}
"""TCP's programs, and the tracepoint of each."""
_TELLS: Final = {
    "nw_state": ("attempted", "opened", "accepted", "closed", "refused", "timed_out", "failed"),
    "nw_retransmit": ("retransmits",),
    "nw_reset_in": ("resets_received",),
    "nw_reset_out": ("resets_sent",),
    "nw_drop": ("drops",),
}
"""Which fields of TcpCounts each of them counts."""


@dataclass(frozen=True)
class CallCounts:
    """Calls of one kind: how many ended, how many of them with an error, bytes, the time they took together, and how it is spread.

    ns: nanoseconds. times: calls by bucket (tracelayout.bounds). errors_by: by the error's number.
    """

    calls: int = 0
    errors: int = 0
    bytes: int = 0
    ns: int = 0
    times: Sequence[int] = ()
    errors_by: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class TcpCounts:
    """Connections and packets. retransmits: in segments. times: connecting, by bucket. reasons: dropped packets by number."""

    attempted: int = 0
    opened: int = 0
    accepted: int = 0
    closed: int = 0
    refused: int = 0
    timed_out: int = 0
    failed: int = 0
    resets_received: int = 0
    resets_sent: int = 0
    retransmits: int = 0
    drops: int = 0
    connect_ns: int = 0
    times: Sequence[int] = ()
    reasons: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Counted:
    """All that was counted of one namespace since the beginning. at_ns: when it was read (monotonic clock).

    processes: by process and call.
    """

    at_ns: int
    calls: dict[str, CallCounts]
    tcp: TcpCounts | None
    processes: dict[tuple[int, str], CallCounts]


class SocketStats:
    """Programs that count, from now on until `close` or this process's end.

    spaces: the namespaces, by st_ino. calls: which system calls. missing: tracepoints that this kernel lacks, which nothing is
    counted of. slots: for calls under way, a power of two, or 0; as many as are good unless given.
    Raises NetweatherError no-btf, no-tracepoints, bpf-refused.
    """

    def __init__(
        self,
        spaces: Sequence[int],
        *,
        calls: Collection[str] = CALLS,
        tcp: bool = True,
        by_process: bool = False,
        slots: int | None = None,
    ) -> None:
        self.missing: list[str] = []
        self._spaces = spaces
        self._slots = _slots() if slots is None else slots
        self._cpus = possible_cpus()
        self._attached = tracepoints.Attached()
        self._objects: list[libbpf.BpfObject] = []
        self._calls: dict[str, libbpf.Map] = {}
        self._tcp: dict[str, libbpf.Map] = {}
        tracepoints.need_types("what sockets do")
        try:
            with tracepoints.refused_as_error("what sockets do"):
                if calls:
                    self._count_calls(calls, by_process=by_process)
                if tcp:
                    self._count_tcp()
        except BaseException:
            self.close()
            raise

    def _count_calls(self, calls: Collection[str], *, by_process: bool) -> None:
        """Ends are attached first: a call is counted when its beginning and its end were seen."""
        processes = _BUSY_PROCESSES if by_process else 1
        sizes = {"calls": len(CALLS) * len(self._spaces), "processes": processes, "slots": max(1, self._slots)}
        only = self._spaces[0] if len(self._spaces) == 1 else 0
        constants = trace_layout.room(by_process=by_process, only=only, slots=self._slots)
        wanted = [call for call in CALLS if call in calls and self._has(f"syscalls/sys_enter_{trace_layout.syscall(call)}")]
        loaded, programs = self._load_calls(sizes, constants)
        self._calls = loaded.maps
        self._name_spaces(loaded.maps["spaces"])
        for way in ("exit", "enter"):
            for call in wanted:
                program = loaded.programs[programs[way, call in MANY]]
                self._attached.call(program, f"syscalls/sys_{way}_{trace_layout.syscall(call)}")

    def _load_calls(self, sizes: dict[str, int], constants: bytes) -> tuple[libbpf.BpfObject, dict[tuple[str, bool], str]]:
        """Takes the programs with casts, where the kernel has them, else their twins: by way, and whether it's for many messages."""
        image = libbpf.built("syscalls")
        new = {**_ENDS, ("enter", False): "nw_enter", ("enter", True): "nw_enter_many"}
        old = {**_ENDS, ("enter", False): "nw_enter_old", ("enter", True): "nw_many_old"}
        try:
            return self._keep(libbpf.load(image, sizes, constants, only=new.values())), new
        except NetweatherError as error:
            if error.code != "bpf-refused":
                raise
            return self._keep(libbpf.load(image, sizes, constants, only=old.values())), old

    def _count_tcp(self) -> None:
        there = {program for program, name in TCP_EVENTS.items() if self._has(name)}
        if not has_drop_reasons():
            there.discard("nw_drop")
            self.missing.append(TCP_EVENTS["nw_drop"])
        loaded = self._keep(libbpf.load(libbpf.built("tcp"), {"tcp": len(self._spaces)}, only=there))
        self._tcp = loaded.maps
        self._name_spaces(loaded.maps["spaces"])
        for program in loaded.programs.values():
            self._attached.typed(program)

    def _has(self, name: str) -> bool:
        if tracepoints.exists(name):
            return True
        self.missing.append(name)
        return False

    def _keep(self, loaded: libbpf.BpfObject) -> libbpf.BpfObject:
        self._objects.append(loaded)
        return loaded

    def _name_spaces(self, spaces: libbpf.Map) -> None:
        for number, inode in enumerate(self._spaces):
            spaces.update(trace_layout.NUMBER.pack(inode), trace_layout.NUMBER.pack(number))

    def read(self) -> list[Counted]:
        """What was counted of each namespace, in the order they were named in. Raises OSError."""
        at = time.monotonic_ns()
        calls, processes = self._read_calls(), self._read_processes()
        tcp = self._read_tcp()
        return [Counted(at, calls.get(space, {}), tcp.get(space), processes.get(space, {})) for space in range(len(self._spaces))]

    def _rows(self, maps: dict[str, libbpf.Map], name: str) -> Iterator[tuple[bytes, bytes]]:
        return iter(maps[name].batch(self._cpus).items()) if name in maps else iter(())

    def _read_calls(self) -> dict[int, dict[str, CallCounts]]:
        found: dict[int, dict[str, CallCounts]] = {}
        for key, value in self._rows(self._calls, "calls"):
            space, call = divmod(trace_layout.NUMBER.unpack(key)[0], len(CALLS))
            numbers = trace_layout.summed(value, trace_layout.CALL_SIZE)
            if numbers[0]:
                found.setdefault(space, {})[CALLS[call]] = _call_counts(numbers)
        for key, value in self._rows(self._calls, "errors"):
            space, call, number = trace_layout.ERROR_KEY.unpack(key)
            of = found.get(space, {}).get(CALLS[call])
            if of is not None:
                of.errors_by[number] = sum(array("Q", value))
        return found

    def _read_processes(self) -> dict[int, dict[tuple[int, str], CallCounts]]:
        found: dict[int, dict[tuple[int, str], CallCounts]] = {}
        for key, value in self._rows(self._calls, "processes"):
            space, call, pid = trace_layout.PROCESS_KEY.unpack(key)
            found.setdefault(space, {})[pid, CALLS[call]] = _call_counts(trace_layout.summed(value, trace_layout.PROCESS.size))
        return found

    def _read_tcp(self) -> dict[int, TcpCounts]:
        found: dict[int, TcpCounts] = {}
        for key, value in self._rows(self._tcp, "tcp"):
            numbers = trace_layout.summed(value, trace_layout.TCP_SIZE)
            head = len(trace_layout.TCP_FIELDS)
            fields: dict[str, Any] = dict(zip(trace_layout.TCP_FIELDS, numbers[:head], strict=True))
            found[trace_layout.NUMBER.unpack(key)[0]] = TcpCounts(**fields, times=numbers[head:])
        for key, value in self._rows(self._tcp, "drops"):
            space, reason = trace_layout.DROP_KEY.unpack(key)
            if space in found:
                found[space] = replace(found[space], reasons={**found[space].reasons, reason: sum(array("Q", value))})
        return found

    def run_times(self) -> dict[str, tuple[int, int]]:
        """By program: the ns it ran in all, and how often, while the kernel keeps such statistics (bpf.statistics)."""
        return {program.name: program.run_time() for each in self._objects for program in each.programs.values()}

    def close(self) -> None:
        """Detaches everything; may be repeated."""
        self._attached.close()
        while self._objects:
            self._objects.pop().close()
        self._calls, self._tcp = {}, {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _slots() -> int:
    """None where programs can't swap atomically: on ARM before Linux 5.18."""
    system = os.uname()
    return 0 if system.machine == "aarch64" and HostInfo(system.release, system.machine).too_old("5.18") else _SLOTS


def _call_counts(numbers: array[int]) -> CallCounts:
    calls, errors, transferred, took = numbers[:4]
    return CallCounts(calls, errors, transferred, took, numbers[4:])


def uncounted(missing: Collection[str]) -> tuple[str, ...]:
    """The fields of TcpCounts that nothing counts where these tracepoints are missing: 0 would be a lie."""
    return tuple(each for program, name in TCP_EVENTS.items() if name in missing for each in _TELLS[program])


def has_drop_reasons() -> bool:
    """Whether dropped packets come with a reason (Linux 5.17)."""
    try:
        return "reason" in tracepoints.fields(TCP_EVENTS["nw_drop"])
    except FileNotFoundError:
        return False


def drop_reasons() -> dict[int, str]:
    """This kernel's names of the reasons, SOCKET_RCVBUFF and the like; {} where it has none. Raises OSError."""
    return tracepoints.symbols(TCP_EVENTS["nw_drop"]) if has_drop_reasons() else {}


__all__ = ["TCP_EVENTS", "CallCounts", "Counted", "SocketStats", "TcpCounts", "drop_reasons", "has_drop_reasons", "uncounted"]
