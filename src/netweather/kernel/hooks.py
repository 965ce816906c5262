"""Where programs are attached: tcx where the kernel has it (6.6 and later), else a clsact qdisc.

tcx is hitless and stays without an owner. Adding or removing clsact may cost an interface a few packets, so one that is there
is used, and only our own is taken away. All of this runs inside the interface's namespace.
"""

from __future__ import annotations

import errno
import functools
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

from netweather.kernel import bpf, links

Direction = Literal["egress", "ingress"]
CLSACT_PARENT = {"ingress": 0xFFFFFFF2, "egress": 0xFFFFFFF3}
CLSACT_PRIORITY = 1
OUR_QDISC = " on a clsact of netweather"
ETH_P_ALL = 3
DIRECTIONS: tuple[Direction, Direction] = ("egress", "ingress")


class Hook(Protocol):
    """One kind of attachment point."""

    name: Literal["tcx", "clsact"]

    def programs(self, ifindex: int, direction: Direction) -> list[bpf.Program]:
        """The programs there, first to last; descriptors are the caller's to close."""

    def attach(self, ifindex: int, direction: Direction, program: bpf.Program) -> None:
        """Puts a program first, or in place of ours of the same name."""

    def detach(self, ifindex: int, direction: Direction, program: bpf.Program) -> None:
        """Takes a program away; one that isn't there is no error."""


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
            try:
                found.append(bpf.Program.by_id(identifier))
            except FileNotFoundError:
                continue
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


class Clsact:
    """A direct-action filter on clsact, of the lowest preference number so that it comes first.

    The name of our filters says whether the qdisc is ours too, so that whoever detaches the last one knows.
    """

    name: Literal["tcx", "clsact"] = "clsact"

    def programs(self, ifindex: int, direction: Direction) -> list[bpf.Program]:
        found = []
        for entry in _filters(ifindex, direction):
            try:
                found.append(bpf.Program.by_id(entry.program))
            except FileNotFoundError:
                continue
        return found

    def attach(self, ifindex: int, direction: Direction, program: bpf.Program) -> None:
        ip = links.netlink()
        ours = any(f.on_our_qdisc for d in DIRECTIONS for f in _filters(ifindex, d))
        if not _has_clsact(ifindex):
            _add_clsact(ip, ifindex)
            ours = True
        ip.tc(
            "replace-filter",
            "bpf",
            ifindex,
            handle=1,
            parent=CLSACT_PARENT[direction],
            prio=CLSACT_PRIORITY,
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


@dataclass(frozen=True)
class _Filter:
    """A BPF filter: the id of its program, and what names it to netlink."""

    program: int
    handle: int
    info: int
    on_our_qdisc: bool


def _add_clsact(ip: Any, ifindex: int) -> None:
    """Raises OSError, as tcx does, not pyroute2's own."""
    from pyroute2 import NetlinkError

    try:
        ip.tc("add", "clsact", ifindex)
    except NetlinkError as error:
        raise OSError(error.code, str(error)) from error


def _has_clsact(ifindex: int) -> bool:
    qdiscs = links.netlink().get_qdiscs(index=ifindex)
    return any(q.get_attr("TCA_KIND") == "clsact" for q in qdiscs if q["index"] == ifindex)


def _all_filters(ip: Any, ifindex: int) -> list[Any]:
    return [f for parent in CLSACT_PARENT.values() for f in ip.get_filters(index=ifindex, parent=parent)]


def _filters(ifindex: int, direction: Direction) -> list[_Filter]:
    found = []
    for message in links.netlink().get_filters(index=ifindex, parent=CLSACT_PARENT[direction]):
        options = message.get_attr("TCA_OPTIONS")
        program = options.get_attr("TCA_BPF_ID") if options is not None and hasattr(options, "get_attr") else None
        if program:
            name = options.get_attr("TCA_BPF_NAME") or ""
            found.append(_Filter(program, message["handle"], message["info"], name.endswith(OUR_QDISC)))
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
