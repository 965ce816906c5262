"""What is learnt of a line from the TCP connections over it, passively, by programs on tracepoints.

Attached for as long as this process has it open. Not here: what it means (observation.profile_learning).
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from netweather.errors import NetweatherError
from netweather.kernel.bpf import libbpf
from netweather.kernel.host_info import possible_cpus
from netweather.kernel.tracing import trace_layout, tracepoints

TRACEPOINTS: Final = ("tcp/tcp_probe", "tcp/tcp_retransmit_skb")


@dataclass(frozen=True)
class Learnt:
    """What was seen until now.

    sent, again: segments with data, and those of them that were sent again; needless: what the peer had already.
    runs: of segments sent again, one behind the other. connections: seen. By bucket (tracelayout.bounds): first, calm, busy:
    round trips in ns, of handshakes, while no queue of the connection's own can be in them, and while one may; rates: bit/s
    while one was.
    """

    sent: int
    again: int
    needless: int
    runs: int
    connections: int
    first: Sequence[int]
    calm: Sequence[int]
    busy: Sequence[int]
    rates: Sequence[int]


class Recorder:
    """Learns from now on until `close` or this process's end.

    space: the namespace, by st_ino. ifindex: only connections whose packets arrive there; 0: all.
    Raises NetweatherError: no-btf, no-tracepoints, bpf-refused.
    """

    def __init__(self, space: int, ifindex: int = 0) -> None:
        self._attached = tracepoints.Attached()
        self._cpus = possible_cpus()
        tracepoints.need_types("what a line is like")
        with tracepoints.refused_as_error("what a line is like"):
            missing = [name for name in TRACEPOINTS if not tracepoints.exists(name)]
            if missing:
                raise NetweatherError(
                    "no-tracepoints", "record does not work on this kernel", f"it has no tracepoint {missing[0]}", ""
                )
            self._object = libbpf.load(libbpf.built("record"), constants=trace_layout.NUMBER.pack(ifindex))
            self._object.maps["spaces"].update(trace_layout.NUMBER.pack(space), trace_layout.NUMBER.pack(0))
            try:
                for program in self._object.programs.values():
                    self._attached.typed(program)
            except BaseException:
                self.close()
                raise

    def read(self) -> Learnt:
        """What was learnt until now. Raises OSError."""
        (value,) = self._object.maps["learnt"].batch(self._cpus).values()
        numbers: array[int] = trace_layout.summed(value, trace_layout.LEARNT_SIZE)
        head, each = trace_layout.LEARNT_HEAD, trace_layout.BUCKETS
        first, calm, busy, rates = (numbers[head + each * part :][:each] for part in range(4))
        sent, again, needless, runs, connections = numbers[:head]
        return Learnt(sent, again, needless, runs, connections, first, calm, busy, rates)

    def close(self) -> None:
        """Detaches everything."""
        self._attached.close()
        self._object.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def own_space() -> int:
    """The number of this process's own network namespace."""
    return os.stat("/proc/self/ns/net").st_ino
