"""Tracepoints: which this kernel has, and programs attached to them for as long as their descriptors are open.

They are found in tracefs, which is mounted nowhere for that: a mount of our own without a place in the file system is enough,
so nothing of the host changes, and it works in a container. Not here: what the programs count (socketstats).
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from netweather.errors import NetweatherError
from netweather.kernel.bpf import libbpf
from netweather.kernel.host_info import HostInfo

_FSOPEN, _FSCONFIG, _FSMOUNT = 430, 431, 432  # the same numbers on every architecture
_PERF_EVENT_OPEN: Final = {"x86_64": 298, "aarch64": 241}[os.uname().machine]
_CMD_CREATE: Final = 6
_CLOEXEC: Final = 1
_PERF_TYPE_TRACEPOINT, _PERF_ATTRIBUTES, _PERF_CLOEXEC = 2, 128, 8
_BPF_PERF_EVENT: Final = 41
_TYPES: Final = Path("/sys/kernel/btf/vmlinux")
_TYPES_OPTION: Final = "DEBUG_INFO_BTF"
_REASON: Final = re.compile(r'\{ (\d+|0x[0-9a-fA-F]+), "(\w+)" \}')

_libc = ctypes.CDLL(None, use_errno=True)


def _call(number: int, *arguments: object) -> int:
    result = int(_libc.syscall(number, *arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


@functools.cache
def _tracefs() -> int:
    """A descriptor of tracefs, from a mount that nobody else sees. Raises OSError (ENODEV: a kernel without tracing)."""
    try:
        context = _call(_FSOPEN, b"tracefs", _CLOEXEC)
    except OSError as error:
        raise OSError(error.errno, f"tracefs is not mounted: {error.strerror}") from error
    try:
        _call(_FSCONFIG, context, _CMD_CREATE, None, None, 0)
        return _call(_FSMOUNT, context, _CLOEXEC, 0)
    finally:
        os.close(context)


def _read(name: str, file: str) -> str:
    fd = os.open(f"events/{name}/{file}", os.O_RDONLY | os.O_CLOEXEC, dir_fd=_tracefs())
    with os.fdopen(fd) as opened:
        return opened.read()


def exists(name: str) -> bool:
    """Whether the kernel has a tracepoint, by its name with its group: syscalls/sys_enter_sendto. Raises OSError."""
    try:
        _read(name, "id")
    except FileNotFoundError:
        return False
    return True


def fields(name: str) -> frozenset[str]:
    """The names of a tracepoint's fields here. Raises OSError (ENOENT: there is no such tracepoint)."""
    return frozenset(re.findall(r"field:[^;]*?(\w+)(?:\[\w*\])?;", _read(name, "format")))


def symbols(name: str) -> dict[int, str]:
    """What the numbers of a tracepoint's last field with names mean, as its format tells them. Raises OSError."""
    text = _read(name, "format").rpartition("__print_symbolic(")[2]
    return {int(number, 0): word for number, word in _REASON.findall(text)}


@dataclass
class Attached:
    """Descriptors that keep programs attached; with the last of them they are gone, also when the process is killed."""

    fds: list[int] = field(default_factory=list)

    def call(self, program: libbpf.Program, name: str) -> None:
        """Attaches to a classic tracepoint (group/name). Raises OSError."""
        event = self._event(name)
        self.fds.append(event)
        attributes = struct.pack("=IIII", program.fd, event, _BPF_PERF_EVENT, 0)
        self.fds.append(libbpf.call(libbpf.LINK_CREATE, attributes)[0])

    def typed(self, program: libbpf.Program) -> None:
        """Attaches a program whose section names its tracepoint (tp_btf/NAME). Raises OSError."""
        self.fds.append(libbpf.call(libbpf.RAW_TRACEPOINT_OPEN, struct.pack("=QI4x", 0, program.fd))[0])

    @staticmethod
    def _event(name: str) -> int:
        attributes = bytearray(_PERF_ATTRIBUTES)
        struct.pack_into("=IIQQ", attributes, 0, _PERF_TYPE_TRACEPOINT, len(attributes), int(_read(name, "id")), 1)
        held = ctypes.create_string_buffer(bytes(attributes), len(attributes))
        return _call(_PERF_EVENT_OPEN, held, -1, 0, -1, _PERF_CLOEXEC)

    def close(self) -> None:
        """Detaches everything."""
        while self.fds:
            os.close(self.fds.pop())


def need_types(what: str) -> None:
    """Raises NetweatherError(code="no-btf") where the kernel doesn't tell its own types, which programs on tracepoints are fitted to."""
    if (lacking := types_lacking(HostInfo.here())) is not None:
        raise NetweatherError("no-btf", f"{what} cannot be counted on this machine", *lacking)


def types_lacking(host: HostInfo) -> tuple[str, str] | None:
    """Why a host's kernel doesn't tell its types (BTF), and what to do about it; None: it does."""
    if _TYPES.exists():
        return None
    if (host.configuration or {}).get(_TYPES_OPTION) == "y":
        return f"the kernel has BTF, and {_TYPES} does not exist", "mount sysfs whole: in a container, nothing over /sys/kernel"
    why = host.why_missing(_TYPES_OPTION, "", "5.2") or f"{_TYPES} does not exist"
    return f"the kernel has no type information: {why}", host.remedy(_TYPES_OPTION, "", "5.2")


@contextlib.contextmanager
def refused_as_error(what: str) -> Iterator[None]:
    """Turns what the kernel answers into NetweatherError(code="no-tracepoints")."""
    try:
        yield
    except OSError as error:
        permitted = error.errno not in (errno.EPERM, errno.EACCES)
        remedy = "`netweather doctor` says what this kernel lacks" if permitted else "run as root; a container needs --privileged"
        raise NetweatherError("no-tracepoints", f"{what} cannot be counted on this machine", str(error), remedy) from error
