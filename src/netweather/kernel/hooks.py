"""Where programs are attached: tcx where the kernel has it (6.6 and later), else a clsact qdisc.

tcx is hitless and stays without an owner. Adding or removing clsact may cost an interface a few packets, so one that is there
is used, and only our own is taken away. All of this runs inside the interface's namespace.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import itertools
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

from netweather.kernel import bpf, links

Direction = Literal["egress", "ingress"]
CLSACT_PARENT = {"ingress": 0xFFFFFFF2, "egress": 0xFFFFFFF3}
OUR_QDISC = " on a clsact of netweather"
CLSACT_COST = "adding clsact, and removing it, may cost the interface a few packets of anybody's"
ETH_P_ALL = 3
DIRECTIONS: tuple[Direction, Direction] = ("egress", "ingress")


def told(name: str) -> tuple[str, ...]:
    """What the user should know of a hook by this name: nothing of tcx."""
    return (f"clsact is used, not tcx (Linux 6.6): {CLSACT_COST}",) if name == "clsact" else ()


class Hook(Protocol):
    """One kind of attachment point."""

    name: Literal["tcx", "clsact"]

    def programs(self, ifindex: int, direction: Direction) -> list[bpf.Program]:
        """The programs there, first to last; descriptors are the caller's to close."""

    def attach(self, ifindex: int, direction: Direction, program: bpf.Program) -> None:
        """Puts a program first, or in place of ours of the same name."""

    def detach(self, ifindex: int, direction: Direction, program: bpf.Program) -> None:
        """Takes a program away; one that isn't there is no error."""

    def in_front(self, ifindex: int, direction: Direction, name: str) -> list[str]:
        """What runs before our program of this name, or would if it was attached now, in words."""


class Tcx:
    """BPF_PROG_ATTACH to tcx."""

    name: Literal["tcx", "clsact"] = "tcx"
    _types: ClassVar = {"ingress": bpf.TCX_INGRESS, "egress": bpf.TCX_EGRESS}

    def programs(self, ifindex: int, direction: Direction) -> list[bpf.Program]:
        try:
            ids = bpf.tcx_query(ifindex, self._types[direction])
        except OSError as error:
            if error.errno in (errno.ENODEV, errno.ENOENT):
                return []
            raise
        found = []
        for identifier in ids:
            with contextlib.suppress(FileNotFoundError):
                found.append(bpf.Program.by_id(identifier))
        return found

    def attach(self, ifindex: int, direction: Direction, program: bpf.Program) -> None:
        present = self.programs(ifindex, direction)
        try:
            ours = next((p for p in present if p.name == program.name), None)
            if ours is None or ours.id != program.id:
                bpf.tcx_attach(ifindex, self._types[direction], program, replaces=ours)
        finally:
            for other in present:
                other.close()

    def detach(self, ifindex: int, direction: Direction, program: bpf.Program) -> None:
        try:
            bpf.tcx_detach(ifindex, self._types[direction], program)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENODEV):
                raise

    def in_front(self, ifindex: int, direction: Direction, name: str) -> list[str]:
        names = self._names(ifindex, direction)
        return [_told(other) for other in names[: names.index(name)]] if name in names else []

    def _names(self, ifindex: int, direction: Direction) -> list[str]:
        found = []
        for program in self.programs(ifindex, direction):
            found.append(program.name)
            program.close()
        return found


def _told(name: str) -> str:
    return f"program {name or '(unnamed)'}"


class Clsact:
    """A direct-action filter on clsact, of the lowest preference number that nobody else has, so that it comes first if it can.

    The name of our filters says whether the qdisc is ours too, so that whoever detaches the last one knows.
    """

    name: Literal["tcx", "clsact"] = "clsact"

    def programs(self, ifindex: int, direction: Direction) -> list[bpf.Program]:
        found = []
        for entry in _filters(ifindex, direction):
            with contextlib.suppress(FileNotFoundError):
                if entry.program:
                    found.append(bpf.Program.by_id(entry.program))
        return found

    @links.os_errors()
    def attach(self, ifindex: int, direction: Direction, program: bpf.Program) -> None:
        ip = links.netlink()
        ours = any(f.on_our_qdisc for d in DIRECTIONS for f in _filters(ifindex, d))
        if not _has_clsact(ifindex):
            ip.tc("add", "clsact", ifindex)
            ours = True
        priority, handle = _place(_filters(ifindex, direction), program.name)
        ip.tc(
            "replace-filter",
            "bpf",
            ifindex,
            handle=handle,
            parent=CLSACT_PARENT[direction],
            prio=priority,
            protocol=ETH_P_ALL,
            fd=program.fd,
            name=program.name + (OUR_QDISC if ours else ""),
            direct_action=True,
        )

    def detach(self, ifindex: int, direction: Direction, program: bpf.Program) -> None:
        ip = links.netlink()
        for entry in _filters(ifindex, direction):
            if entry.program == program.id:
                parent = CLSACT_PARENT[direction]
                ip.tc("del-filter", "bpf", ifindex, handle=entry.handle, parent=parent, info=entry.info)
                if entry.on_our_qdisc and not any(_all_filters(ip, ifindex)):
                    ip.tc("del", "clsact", ifindex)

    def in_front(self, ifindex: int, direction: Direction, name: str) -> list[str]:
        entries = _filters(ifindex, direction)
        priority, _ = _place(entries, name)
        before = [entry for entry in entries if entry.priority < priority]
        # On a kernel with tcx, when told to use clsact all the same: those programs come first.
        earlier = Tcx()._names(ifindex, direction) if isinstance(best_hook(), Tcx) else []
        return [_told(other) for other in earlier] + [entry.told for entry in before]


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
    qdiscs = links.netlink().get_qdiscs(index=ifindex)
    return any(q.get_attr("TCA_KIND") == "clsact" for q in qdiscs if q["index"] == ifindex)


def _all_filters(ip: Any, ifindex: int) -> list[Any]:
    return [f for parent in CLSACT_PARENT.values() for f in ip.get_filters(index=ifindex, parent=parent)]


def _filters(ifindex: int, direction: Direction) -> list[_Filter]:
    """Everybody's, in the order in which they run."""
    found = []
    for message in links.netlink().get_filters(index=ifindex, parent=CLSACT_PARENT[direction]):
        if not message["handle"]:  # the head of a priority's list
            continue
        options, program, name = message.get_attr("TCA_OPTIONS"), 0, ""
        if message.get_attr("TCA_KIND") == "bpf" and hasattr(options, "get_attr"):
            program, name = options.get_attr("TCA_BPF_ID") or 0, options.get_attr("TCA_BPF_NAME") or ""
        found.append(_Filter(message.get_attr("TCA_KIND"), program, name, message["handle"], message["info"]))
    return found


@functools.cache
def best_hook() -> Tcx | Clsact:
    """tcx where this kernel has it. Runs inside any namespace: it asks about an interface that every one has."""
    try:
        bpf.tcx_query(1, bpf.TCX_INGRESS)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.EOPNOTSUPP):
            return Clsact()
    return Tcx()
