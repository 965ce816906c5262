"""Where programs are attached: tcx where the kernel has it (6.6 and later), else a clsact qdisc.

tcx is hitless and stays without an owner. Adding or removing clsact may cost an interface a few packets, so one that is there
is used, and only our own is taken away. All of this runs inside the interface's namespace.
"""

from __future__ import annotations

import errno
import functools
from typing import Any, ClassVar, Literal, Protocol

from netweather.kernel import bpf, links

Direction = Literal["egress", "ingress"]
CLSACT_PARENT = {"ingress": 0xFFFFFFF2, "egress": 0xFFFFFFF3}
CLSACT_PRIORITY = 1


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
    """A direct-action filter on clsact, of the lowest preference number so that it comes first."""

    name: Literal["tcx", "clsact"] = "clsact"

    def programs(self, ifindex: int, direction: Direction) -> list[bpf.Program]:
        found = []
        for identifier, _ in _filters(ifindex, direction):
            try:
                found.append(bpf.Program.by_id(identifier))
            except FileNotFoundError:
                continue
        return found

    def attach(self, ifindex: int, direction: Direction, program: bpf.Program) -> None:
        ip = links.netlink()
        if not has_clsact(ip, ifindex):
            ip.tc("add", "clsact", ifindex)
        ip.tc(
            "replace-filter",
            "bpf",
            ifindex,
            handle=1,
            parent=CLSACT_PARENT[direction],
            prio=CLSACT_PRIORITY,
            protocol=0x0003,
            fd=program.fd,
            name=program.name,
            direct_action=True,
        )

    def detach(self, ifindex: int, direction: Direction, program: bpf.Program) -> None:
        ip = links.netlink()
        for identifier, message in _filters(ifindex, direction):
            if identifier == program.id:
                ip.tc(
                    "del-filter",
                    "bpf",
                    ifindex,
                    handle=message["handle"],
                    parent=CLSACT_PARENT[direction],
                    info=message["info"],
                )


def has_clsact(ip: Any, ifindex: int) -> bool:
    """Whether an interface has a clsact qdisc, ours or another's."""
    return any(q.get_attr("TCA_KIND") == "clsact" for q in ip.get_qdiscs(index=ifindex) if q["index"] == ifindex)


def remove_clsact(ifindex: int) -> None:
    """Removes a clsact qdisc of ours when no filter of anybody is left on it."""
    ip = links.netlink()
    if has_clsact(ip, ifindex) and not any(_all_filters(ip, ifindex)):
        ip.tc("del", "clsact", ifindex)


def _all_filters(ip: Any, ifindex: int) -> list[Any]:
    return [f for parent in CLSACT_PARENT.values() for f in ip.get_filters(index=ifindex, parent=parent)]


def _filters(ifindex: int, direction: Direction) -> list[tuple[int, Any]]:
    found = []
    ip = links.netlink()
    for message in ip.get_filters(index=ifindex, parent=CLSACT_PARENT[direction]):
        options = message.get_attr("TCA_OPTIONS")
        identifier = options.get_attr("TCA_BPF_ID") if options is not None and hasattr(options, "get_attr") else None
        if identifier:
            found.append((int(identifier), message))
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
