"""Where programs are attached: tcx where the kernel has it (6.6 and later), else a clsact qdisc.

tcx is hitless and stays without an owner. Adding or removing clsact may cost an interface a few packets, so one that is there
is used, and only our own is taken away. All of this runs inside the interface's namespace.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import itertools
import struct
from dataclasses import dataclass
from typing import ClassVar, Final, Literal, Protocol

from netweather.kernel.bpf import libbpf
from netweather.kernel.netlink import rtnetlink

HookDirection = Literal["egress", "ingress"]
CLSACT_PARENT = {"ingress": 0xFFFFFFF2, "egress": 0xFFFFFFF3}
_CLSACT, _CLSACT_HANDLE = 0xFFFFFFF1, 0xFFFF0000
_NEWQDISC, _DELQDISC, _GETQDISC, _NEWFILTER, _DELFILTER, _GETFILTER = 36, 37, 38, 44, 45, 46
_KIND, _OPTIONS, _BPF_FD, _BPF_NAME, _BPF_FLAGS, _BPF_ID, _DIRECT_ACTION = 1, 2, 6, 7, 8, 11, 1
_CREATE: Final = rtnetlink.ACK | rtnetlink.CREATE | rtnetlink.EXCL
_TC: Final = struct.Struct("=BxxxiIII")  # struct tcmsg: family, device, handle, parent, info
OUR_QDISC = " on a clsact of netweather"
CLSACT_COST = "adding and removing clsact can lose a few packets of any traffic on the interface"
ALL_PROTOCOLS = 0x0300  # ETH_P_ALL in network order
DIRECTIONS: tuple[HookDirection, HookDirection] = ("egress", "ingress")


def told(name: str) -> tuple[str, ...]:
    """What the user should know of a hook by this name: nothing of tcx."""
    return (f"clsact is used, not tcx (Linux 6.6): {CLSACT_COST}",) if name == "clsact" else ()


class Hook(Protocol):
    """One kind of attachment point."""

    name: Literal["tcx", "clsact"]

    def ids(self, ifindex: int, direction: HookDirection) -> list[int]:
        """The ids of the programs there, first to last: the quickest look."""

    def programs(self, ifindex: int, direction: HookDirection) -> list[libbpf.Program]:
        """The programs there, first to last; descriptors are the caller's to close."""

    def attach(self, ifindex: int, direction: HookDirection, program: libbpf.Program) -> None:
        """Puts a program first, or in place of ours of the same name."""

    def detach(self, ifindex: int, direction: HookDirection, program: libbpf.Program) -> None:
        """Takes a program away; one that isn't there is no error."""

    def in_front(self, ifindex: int, direction: HookDirection, ours: str, known: int = 0) -> list[str]:
        """What runs before our program of this name, or would if it was attached now, in words. known: its id, if it is known."""


class Tcx:
    """BPF_PROG_ATTACH to tcx."""

    name: Literal["tcx", "clsact"] = "tcx"
    _types: ClassVar = {"ingress": libbpf.TCX_INGRESS, "egress": libbpf.TCX_EGRESS}

    def ids(self, ifindex: int, direction: HookDirection) -> list[int]:
        try:
            return libbpf.tcx_query(ifindex, self._types[direction])
        except OSError as error:
            if error.errno in (errno.ENODEV, errno.ENOENT):
                return []
            raise

    def programs(self, ifindex: int, direction: HookDirection) -> list[libbpf.Program]:
        return _opened(self.ids(ifindex, direction))

    def attach(self, ifindex: int, direction: HookDirection, program: libbpf.Program) -> None:
        present = self.programs(ifindex, direction)
        try:
            ours = next((p for p in present if p.name == program.name), None)
            if ours is None or ours.id != program.id:
                libbpf.tcx_attach(ifindex, self._types[direction], program, replaces=ours)
        finally:
            for other in present:
                other.close()

    def detach(self, ifindex: int, direction: HookDirection, program: libbpf.Program) -> None:
        try:
            libbpf.tcx_detach(ifindex, self._types[direction], program)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENODEV):
                raise

    def in_front(self, ifindex: int, direction: HookDirection, ours: str, known: int = 0) -> list[str]:
        if known in self.ids(ifindex, direction)[:1]:
            return []
        names = self._names(ifindex, direction)
        return [_told(other) for other in names[: names.index(ours)]] if ours in names else []

    def _names(self, ifindex: int, direction: HookDirection) -> list[str]:
        found = []
        for program in self.programs(ifindex, direction):
            found.append(program.name)
            program.close()
        return found


def _opened(ids: list[int]) -> list[libbpf.Program]:
    found = []
    for identifier in ids:
        with contextlib.suppress(FileNotFoundError):
            found.append(libbpf.Program.by_id(identifier))
    return found


def _told(name: str) -> str:
    return f"program {name or '(unnamed)'}"


class Clsact:
    """A direct-action filter on clsact, of the lowest preference number that nobody else has, so that it comes first if it can.

    The name of our filters says whether the qdisc is ours too, so that whoever detaches the last one knows.
    """

    name: Literal["tcx", "clsact"] = "clsact"

    def ids(self, ifindex: int, direction: HookDirection) -> list[int]:
        return [entry.program for entry in _filters(ifindex, direction) if entry.program]

    def programs(self, ifindex: int, direction: HookDirection) -> list[libbpf.Program]:
        return _opened(self.ids(ifindex, direction))

    def attach(self, ifindex: int, direction: HookDirection, program: libbpf.Program) -> None:
        ours = any(f.on_our_qdisc for d in DIRECTIONS for f in _filters(ifindex, d))
        make = [] if _has_clsact(ifindex) else [(_NEWQDISC, _CREATE, _clsact(ifindex))]
        ours = ours or bool(make)
        priority, handle = _place(_filters(ifindex, direction), program.name)
        options = (
            rtnetlink.number(_BPF_FD, program.fd),
            rtnetlink.text(_BPF_NAME, program.name + (OUR_QDISC if ours else "")),
            rtnetlink.number(_BPF_FLAGS, _DIRECT_ACTION),
        )
        head = _TC.pack(0, ifindex, handle, CLSACT_PARENT[direction], priority << 16 | ALL_PROTOCOLS)
        flags = rtnetlink.ACK | rtnetlink.CREATE | rtnetlink.REPLACE
        body = head + rtnetlink.text(_KIND, "bpf") + rtnetlink.attribute(_OPTIONS, *options)
        rtnetlink.change_together(*make, (_NEWFILTER, flags, body))  # a clsact without our filter would be nobody's

    def detach(self, ifindex: int, direction: HookDirection, program: libbpf.Program) -> None:
        for entry in _filters(ifindex, direction):
            if entry.program == program.id:
                if entry.on_our_qdisc and sum(len(_filters(ifindex, each)) for each in DIRECTIONS) == 1:  # with the last filter
                    remove_clsact(ifindex)
                else:
                    head = _TC.pack(0, ifindex, entry.handle, CLSACT_PARENT[direction], entry.info)
                    rtnetlink.ask(_DELFILTER, rtnetlink.ACK, head + rtnetlink.text(_KIND, "bpf"))

    def in_front(self, ifindex: int, direction: HookDirection, ours: str, known: int = 0) -> list[str]:
        entries = _filters(ifindex, direction)
        priority, _ = _place(entries, ours)
        before = [entry for entry in entries if entry.priority < priority]
        # On a kernel with tcx, when told to use clsact all the same: those programs come first.
        earlier = Tcx()._names(ifindex, direction) if _has_tcx() else []
        return [_told(other) for other in earlier] + [entry.told for entry in before]


class Ours:
    """Where programs stand at the ingress of our own devices: clsact, or tcx where the kernel lacks it.

    Attaching to tcx waits for a grace period of RCU, 7 to 12 ms each time. What that saves others' packets is of no use where nothing
    passes yet.
    """

    def ids(self, ifindex: int) -> list[int]:
        """The ids of the programs there: the quickest look."""
        return Clsact().ids(ifindex, "ingress") + (Tcx().ids(ifindex, "ingress") if _has_tcx() else [])

    def programs(self, ifindex: int) -> list[libbpf.Program]:
        """The programs there; descriptors are the caller's to close."""
        return _opened(self.ids(ifindex))

    def attach(self, ifindex: int, program: libbpf.Program) -> None:
        """Puts a program there, or in place of ours of the same name. Raises OSError."""
        try:
            Clsact().attach(ifindex, "ingress", program)
        except OSError:
            if not _has_tcx():
                raise
            Tcx().attach(ifindex, "ingress", program)


def _has_tcx() -> bool:
    return isinstance(best_hook(), Tcx)


@dataclass(frozen=True)
class _Filter:
    """A filter: its kind, the id of its program (0: it is not BPF's), and what names it to netlink."""

    kind: str
    program: int
    name: str
    handle: int
    info: int

    @property
    def priority(self) -> int:
        return self.info >> 16

    @property
    def on_our_qdisc(self) -> bool:
        return self.name.endswith(OUR_QDISC)

    @property
    def told(self) -> str:
        return _told(self.name) if self.program else f"{self.kind} filter of preference {self.priority}"


def _place(entries: list[_Filter], name: str) -> tuple[int, int]:
    """Priority and handle of ours: those it has, or the first priority at which nobody has a filter."""
    for entry in entries:
        if entry.program and entry.name.removesuffix(OUR_QDISC) == name:
            return entry.priority, entry.handle
    taken = {entry.priority for entry in entries}
    return next(n for n in itertools.count(1) if n not in taken), 1


def _has_clsact(ifindex: int) -> bool:
    for body in rtnetlink.ask(_GETQDISC, rtnetlink.DUMP, _TC.pack(0, ifindex, 0, 0, 0)):
        kind = rtnetlink.attributes(body[_TC.size :]).get(_KIND, b"")
        if _TC.unpack_from(body)[1] == ifindex and rtnetlink.as_text(kind) == "clsact":
            return True
    return False


def _clsact(ifindex: int) -> bytes:
    return _TC.pack(0, ifindex, _CLSACT_HANDLE, _CLSACT, 0) + rtnetlink.text(_KIND, "clsact")


def add_clsact(ifindex: int) -> None:
    """Gives a device a clsact qdisc, at which nothing is attached yet. Raises OSError."""
    rtnetlink.ask(_NEWQDISC, _CREATE, _clsact(ifindex))


def remove_clsact(ifindex: int) -> None:
    """Removes a device's clsact qdisc with all that is attached there. Raises OSError."""
    rtnetlink.ask(_DELQDISC, rtnetlink.ACK, _clsact(ifindex))


def _filters(ifindex: int, direction: HookDirection) -> list[_Filter]:
    """Everybody's, in the order in which they run."""
    found = []
    for body in rtnetlink.ask(_GETFILTER, rtnetlink.DUMP, _TC.pack(0, ifindex, 0, CLSACT_PARENT[direction], 0)):
        _, _, handle, _, info = _TC.unpack_from(body)
        if not handle:  # the head of a priority's list
            continue
        told = rtnetlink.attributes(body[_TC.size :])
        kind, program, name = rtnetlink.as_text(told.get(_KIND, b"")), 0, ""
        if kind == "bpf":
            options = rtnetlink.attributes(told.get(_OPTIONS, b""))
            program = struct.unpack("=I", options.get(_BPF_ID, bytes(4)))[0]
            name = rtnetlink.as_text(options.get(_BPF_NAME, b""))
        found.append(_Filter(kind, program, name, handle, info))
    return found


@functools.cache
def best_hook() -> Tcx | Clsact:
    """tcx where this kernel has it. Runs inside any namespace: it asks about an interface that every one has."""
    try:
        libbpf.tcx_query(1, libbpf.TCX_INGRESS)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.EOPNOTSUPP):
            return Clsact()
    return Tcx()
