"""FakeKernel: a kernel that only remembers, and refuses what the real one refuses. For tests, ours and others'.

The contract tests run over both, so what this one accepts the real one does too.
"""

from __future__ import annotations

import errno
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self

from netweather.errors import NetweatherError
from netweather.kernel.datapath.operations import (
    Attach,
    ChangeLine,
    CloseLine,
    Detach,
    DetachElsewhere,
    Lift,
    LoadClassifier,
    MakeHelper,
    MakeLine,
    MakePort,
    Operation,
    RemoveHelper,
    RemoveLine,
    RemovePort,
    StartPump,
    StopPump,
    WriteRules,
)
from netweather.kernel.datapath.spec import Line, LineCounts, Observed, Room, Tables
from netweather.kernel.netlink.netem_attributes import Netem, unpack
from netweather.kernel.sockets.surroundings import Surroundings


@dataclass
class FakeKernel:
    """The state of one target's kernel; it outlives the FakeTargets that look at it."""

    interfaces: dict[str, int] = field(default_factory=lambda: {"eth0": 2})
    hook: Literal["tcx", "clsact"] = "tcx"
    helper: bool = False
    port: bool = False
    attached: dict[str, FakeClassifier] = field(default_factory=dict)
    pump: bool = False
    lines: dict[int, Line] = field(default_factory=dict)
    counters: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    held: dict[int, int] = field(default_factory=dict)
    """How many packets each line holds; nothing comes out by itself."""
    surroundings: Surroundings = field(default_factory=Surroundings)
    down: frozenset[str] = frozenset()
    counted: dict[int, LineCounts] = field(default_factory=dict)
    """What lines have done to packets, by number."""
    cookie: int = 0

    @property
    def in_force(self) -> bool:
        """Whether a packet may still meet a rule."""
        return any(any(each.leases) for each in self.attached.values())

    def kill_pump(self) -> None:
        """As SIGKILL does: the devices stay."""
        self.pump = False

    def delete_port(self) -> None:
        """As `ip link del nw0` does."""
        self.port = False


@dataclass(eq=False)
class FakeClassifier:
    """A loaded classifier; attached or not."""

    room: Room
    tables: Tables | None = None
    leases: tuple[int, ...] = ()


class FakeTarget:
    """The seam over a FakeKernel. Like the real one, it loses a classifier that was loaded and never attached."""

    def __init__(self, kernel: FakeKernel) -> None:
        self.kernel = kernel
        self._loaded: FakeClassifier | None = None

    def observe(self) -> Observed:
        kernel = self.kernel
        self._loaded = next(iter(kernel.attached.values()), None)
        found = self._loaded
        return Observed(
            interfaces=tuple(kernel.interfaces.items()),
            hook=kernel.hook,
            down=kernel.down,
            helper=kernel.helper,
            port=kernel.port,
            classifier=found.room if found else None,
            rules=found.tables.digest if found and found.tables else (0 if found else None),
            leases=found.leases if found else (),
            attached=frozenset(kernel.attached),
            lines=frozenset(kernel.lines) if kernel.port else frozenset(),
            broken=frozenset() if kernel.port else frozenset(kernel.lines),
            pump=kernel.pump,
            alive=bool(found and any(found.leases)) and (kernel.pump or not kernel.lines),
            cookie=kernel.cookie,
        )

    def apply(self, operation: Operation) -> None:  # long: one case for each operation  # noqa: PLR0915 - as many statements
        kernel = self.kernel
        match operation:
            case MakeHelper():
                kernel.helper = True
            case MakePort():
                self._need(kernel.helper, "there is no namespace to put nwh into")
                if kernel.port:
                    raise FileExistsError(errno.EEXIST, "nw0 exists")
                kernel.port = True
            case LoadClassifier(room=room):
                self._loaded = FakeClassifier(room)
            case StartPump(lines=lines):
                self._need(self._loaded is not None, "the pump needs the classifier's map to beat into")
                self._need(
                    all(line.index in kernel.lines for line in lines), "a line that isn't there can't be given to the pump"
                )
                kernel.pump = True
            case MakeLine(line=line) | ChangeLine(line=line):
                self._need(kernel.port, "a line needs the port")
                self._need(kernel.pump or line.engine != "pump", "a pump line needs the pump")
                self._need(isinstance(operation, MakeLine) or line.index in kernel.lines, "a line that isn't there can't change")
                kernel.lines[line.index] = line
            case WriteRules(tables=tables, leases=leases):
                self._write(tables, leases)
            case Attach(interface=name, ifindex=ifindex):
                self._attach(name, ifindex)
            case Lift(only=only):
                for each in kernel.attached.values():
                    left = enumerate(each.leases)
                    each.leases = () if only is None else tuple(0 if slot in only else lease for slot, lease in left)
            case Detach(interface=name):
                kernel.attached.pop(name, None)
            case DetachElsewhere():
                pass
            case CloseLine(index=index, drop=drop):
                self._need(index not in self._lines_in_use(), "packets would still be sent there")
                if drop:
                    kernel.held.pop(index, None)
            case RemoveLine(index=index):
                self._need(index not in self._lines_in_use(), "packets would still be sent there")
                self._need(index not in kernel.held, "what it holds would be lost")
                kernel.lines.pop(index, None)
            case StopPump():
                self._need(not self._lines_in_use(), "packets would still be sent to it")
                self._need(not self.held(), "what it holds would be lost")
                kernel.pump = False
            case RemoveHelper():
                self._need(not self._lines_in_use(), "packets would still be sent there")
                self._need(not kernel.pump, "the pump holds it")
                self._need(not self.held(), "what lines hold would be lost")
                kernel.helper, kernel.port, kernel.lines = False, False, {}
            case RemovePort():
                self._need(not self._lines_in_use(), "packets would still be sent there")
                kernel.port = False

    def differences(self, operation: WriteRules) -> list[str]:
        found = next(iter(self.kernel.attached.values()), None)
        return [] if found and found.tables == operation.tables and found.leases == operation.leases else ["the rule set"]

    def ways_out(self, addresses: Iterable[str]) -> dict[str, int]:
        first = next(iter(self.kernel.interfaces.values()), None)
        return {} if first is None else dict.fromkeys(addresses, first)

    def counters(self, slots: list[int]) -> dict[int, tuple[int, int, int]]:
        return {slot: self.kernel.counters.get(slot, (0, 0, 0)) for slot in slots}

    def reset_counters(self, slots: list[int]) -> None:
        for slot in slots:
            self.kernel.counters.pop(slot, None)

    def unwanted_drops(self) -> int:
        return 0

    def line_counts(self, pumped: Iterable[int], *, netem: bool) -> dict[int, LineCounts]:
        asked = {*pumped, *(index for index, line in self.kernel.lines.items() if netem and line.engine == "netem")}
        return {index: self.kernel.counted.get(index, LineCounts()) for index in asked}

    def held(self) -> dict[int, int]:
        return {index: count for index, count in self.kernel.held.items() if index in self.kernel.lines and count}

    def surroundings(self, *, addresses: bool, listening: Collection[int], readers: bool) -> Surroundings:
        return self.kernel.surroundings

    def netems(self) -> dict[int, Netem]:
        return {i: unpack(line.parameters).held() for i, line in self.kernel.lines.items() if line.engine == "netem"}

    def close(self) -> None:
        self._loaded = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _write(self, tables: Tables, leases: tuple[int, ...]) -> None:
        found = self._loaded
        if found is None:
            raise NetweatherError("no-classifier", "the classifier is not loaded", "", "run `netweather recover`")
        if not found.room.holds(tables.room):
            raise OSError(errno.E2BIG, "the tables do not fit")
        missing = {line for rule in tables.rules for _, line in rule.lines} - set(self.kernel.lines)
        self._need(not missing, f"lines {sorted(missing)} are not there: a black hole")
        found.tables, found.leases = tables, leases

    def _attach(self, name: str, ifindex: int) -> None:
        if self._loaded is None or self._loaded.tables is None:
            self._need(False, "a classifier without rules")
        if self.kernel.interfaces.get(name) != ifindex:
            raise OSError(errno.ENODEV, f"no such device: {name}")
        assert self._loaded is not None
        self.kernel.attached[name] = self._loaded

    def _lines_in_use(self) -> set[int]:
        attached = [c for c in self.kernel.attached.values() if any(c.leases)]
        return {line for c in attached if c.tables for rule in c.tables.rules for _, line in rule.lines}

    @staticmethod
    def _need(holds: bool, why: str) -> None:
        if not holds:
            raise NetweatherError("bad-order", "an operation came too early or too late", why, "this is a defect: report it")
