"""The seam: what the engine may ask of the kernel for one target. `RealTarget` does it, `FakeTarget` only remembers."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from netweather.kernel.netem import Netem
from netweather.kernel.operations import Operation, WriteRules
from netweather.kernel.spec import Observed


class TargetKernel(Protocol):
    """One target's namespace, seen and changed through three verbs; the rest reads figures."""

    def observe(self) -> Observed:
        """What is there now."""

    def apply(self, operation: Operation) -> None:
        """Does one operation; the same twice is no error. Raises NetweatherError or OSError."""

    def differences(self, operation: WriteRules) -> list[str]:
        """What the kernel holds that is not what was written, in words; empty: all of it is."""

    def counters(self, slots: list[int]) -> dict[int, tuple[int, int, int]]:
        """(packets, bytes, dropped) of each counter."""

    def reset_counters(self, slots: list[int]) -> None:
        """Sets counters to zero."""

    def unwanted_drops(self) -> int:
        """Packets that our own devices dropped and nobody asked for."""

    def queue_drops(self) -> dict[int, int]:
        """Packets that met a full queue, by line; whether anybody asked for that is the caller's to say."""

    def held(self) -> dict[int, int]:
        """How many packets each line holds that holds any."""

    def netems(self) -> dict[int, Netem]:
        """What the kernel's netem holds, by line."""

    def close(self) -> None:
        """Closes descriptors; what was made stays."""

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...
