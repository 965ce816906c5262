"""Programs of somebody else at the same hooks: each counts the packets it sees and gives a verdict."""

from __future__ import annotations

import ctypes
import os
import struct
from dataclasses import dataclass
from typing import Literal

from netweather.kernel.bpf import libbpf
from netweather.kernel.bpf.hooks import ALL_PROTOCOLS, best_hook
from netweather.kernel.netlink import rtnetlink
from tests.support.netns import Namespace

Direction = Literal["egress", "ingress"]
NEXT, OK, SHOT = -1, 0, 2
LINK_CREATE, NEWFILTER = 28, 44
MAP_TYPE_ARRAY, PROG_TYPE_SCHED_CLS = 2, 3
TCX = {"ingress": libbpf.TCX_INGRESS, "egress": libbpf.TCX_EGRESS}
CLSACT_PARENT = {"ingress": 0xFFFFFFF2, "egress": 0xFFFFFFF3}


def _code(map_fd: int, verdict: int) -> bytes:
    """*count += 1; return verdict."""

    def instruction(opcode: int, destination: int = 0, source: int = 0, offset: int = 0, value: int = 0) -> bytes:
        return struct.pack("=BBhi", opcode, destination | source << 4, offset, value)

    return b"".join(
        [
            instruction(0x62, 10, 0, -4, 0),  # *(u32 *)(r10 - 4) = 0
            instruction(0xBF, 2, 10),  # r2 = r10
            instruction(0x07, 2, value=-4),  # r2 += -4
            instruction(0x18, 1, 1, value=map_fd) + bytes(8),  # r1 = map
            instruction(0x85, value=1),  # call bpf_map_lookup_elem
            instruction(0x15, 0, offset=2),  # if r0 == 0 skip 2
            instruction(0xB7, 1, value=1),  # r1 = 1
            instruction(0xDB, 0, 1),  # lock *(u64 *)(r0) += r1
            instruction(0xB7, 0, value=verdict),  # r0 = verdict
            instruction(0x95),  # exit
        ]
    )


@dataclass
class Foreign:
    """One such program; `seen` is how many packets it has counted. Close it when nothing needs the count any more."""

    program: libbpf.Program
    count: libbpf.Map

    @classmethod
    def load(cls, verdict: int = NEXT, name: str = "foreign") -> Foreign:
        fd, _ = libbpf.call(libbpf.MAP_CREATE, struct.pack("=IIII", MAP_TYPE_ARRAY, 4, 8, 1).ljust(64, b"\0"))
        code, licence = ctypes.create_string_buffer(_code(fd, verdict)), ctypes.create_string_buffer(b"GPL")
        attributes = struct.pack(
            "=IIQQIIQII16s", PROG_TYPE_SCHED_CLS, len(code) // 8, ctypes.addressof(code), ctypes.addressof(licence),
            0, 0, 0, 0, 0, name.encode(),
        )  # fmt: skip
        program, _ = libbpf.call(libbpf.PROG_LOAD, attributes.ljust(128, b"\0"))
        return cls(libbpf.Program.by_fd(program), libbpf.Map(fd))

    @property
    def seen(self) -> int:
        return int.from_bytes(self.count.lookup(bytes(4)) or b"", "little")

    def attach_tcx(self, namespace: Namespace, direction: Direction, *, first: bool = False) -> None:
        """Before or after all that is there."""
        flags = libbpf.F_BEFORE if first else libbpf.F_AFTER
        attributes = struct.pack("=IIIIIIQ", eth0(namespace), self.program.fd, TCX[direction], flags, 0, 0, 0)
        namespace.call(libbpf.call, libbpf.PROG_ATTACH, attributes)

    def link_tcx(self, namespace: Namespace, direction: Direction, *, first: bool = False) -> libbpf.Map:
        """The same by a link, as Cilium and newer tools do: it goes when what is returned is closed."""
        flags = libbpf.F_BEFORE if first else libbpf.F_AFTER
        attributes = struct.pack("=IIIIIIQ", self.program.fd, eth0(namespace), TCX[direction], flags, 0, 0, 0)
        fd, _ = namespace.call(libbpf.call, LINK_CREATE, attributes)
        return libbpf.Map(fd)

    def detach_tcx(self, namespace: Namespace, direction: Direction) -> None:
        namespace.call(libbpf.tcx_detach, eth0(namespace), TCX[direction], self.program)

    def attach_clsact(
        self, namespace: Namespace, direction: Direction, *, priority: int, handle: int = 1, name: str = "foreign"
    ) -> None:
        """As a direct-action filter; the qdisc must be there."""
        head = struct.pack("=BxxxiIII", 0, eth0(namespace), handle, CLSACT_PARENT[direction], priority << 16 | ALL_PROTOCOLS)
        options = rtnetlink.number(6, self.program.fd), rtnetlink.text(7, name), rtnetlink.number(8, 1)  # its fd, name, flags
        body = head + rtnetlink.text(1, "bpf") + rtnetlink.attribute(2, *options)
        namespace.call(rtnetlink.ask, NEWFILTER, rtnetlink.ACK | rtnetlink.CREATE | rtnetlink.EXCL, body)

    def close(self) -> None:
        self.program.close()
        self.count.close()

    def __enter__(self) -> Foreign:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def eth0(namespace: Namespace) -> int:
    return int(namespace.run("cat", "/sys/class/net/eth0/ifindex").stdout)


def tcx_names(namespace: Namespace, direction: Direction) -> list[str]:
    """Names of the programs at a tcx hook of eth0, in their order; none where the kernel has no tcx."""
    if best_hook().name != "tcx":
        return []

    def work() -> list[str]:
        found = []
        for identifier in libbpf.tcx_query(eth0(namespace), TCX[direction]):
            program = libbpf.Program.by_id(identifier)
            found.append(program.name)
            os.close(program.fd)
        return found

    return namespace.call(work)
