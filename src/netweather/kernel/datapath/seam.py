"""The seam: what the engine may ask of the kernel for one target. `RealTarget` does it, `FakeTarget` only remembers."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from types import TracebackType
from typing import Protocol, Self

from netweather.kernel.datapath.operations import Operation, WriteRules
from netweather.kernel.datapath.spec import LineCounts, Observed
from netweather.kernel.netlink.netem_attributes import Netem
from netweather.kernel.sockets.surroundings import Surroundings


class TargetKernel(Protocol):
    """One target's namespace, seen and changed through three verbs; the rest reads figures."""

    def observe(self) -> Observed:
        """What is there now."""

    def apply(self, operation: Operation) -> None:
        """Does one operation; the same twice is no error. Raises NetweatherError or OSError."""

    def differences(self, operation: WriteRules) -> list[str]:
        """What the kernel holds that is not what was written, in words; empty: all of it is."""

    def ways_out(self, addresses: Iterable[str]) -> dict[str, int]:
        """The index of the interface by which packets to each address leave, where there is a route."""

    def counters(self, slots: list[int]) -> dict[int, tuple[int, int, int]]:
        """(packets, bytes, dropped) of each counter."""

    def reset_counters(self, slots: list[int]) -> None:
        """Sets counters to zero."""

    def unwanted_drops(self) -> int:
        """Packets that our own devices dropped and nobody asked for."""

    def line_counts(self, pumped: Iterable[int], *, netem: bool) -> dict[int, LineCounts]:
        """What these lines of a pump, and the kernel's netems if they are asked for, have done to packets, by number.

        Whether a full queue was requested is the caller's to say.
        """

    def held(self) -> dict[int, int]:
        """How many packets each line holds that holds any."""

    def surroundings(self, *, addresses: bool, listening: Collection[int], readers: bool) -> Surroundings:
        """What surrounds a condition in the target. Raises OSError."""

    def netems(self) -> dict[int, Netem]:
        """What the kernel's netem holds, by line."""

    def close(self) -> None:
        """Closes descriptors; what was made stays."""

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...
