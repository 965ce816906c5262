"""BPF: objects loaded with libbpf, everything else by the bpf() system call; both through ctypes.

libbpf 1.1 does not know tcx, and what an earlier process attached is found again by query, program id and map id; both need
the raw call. Layouts are the kernel's uapi (append-only).
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import mmap
import os
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from netweather.errors import NetweatherError
from netweather.kernel.netlink import rtnetlink

SYS_BPF = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
(MAP_CREATE, MAP_LOOKUP, MAP_UPDATE, MAP_DELETE, MAP_NEXT_KEY, PROG_LOAD) = range(6)
PROG_ATTACH, PROG_DETACH, PROG_TEST_RUN = 8, 9, 10
PROG_GET_FD, MAP_GET_FD, OBJ_GET_INFO, PROG_QUERY, RAW_TRACEPOINT_OPEN = 13, 14, 15, 16, 17
MAP_LOOKUP_BATCH, LINK_CREATE, ENABLE_STATS = 24, 28, 32
RAW_TRACEPOINT = 17
TCX_INGRESS, TCX_EGRESS = 46, 47
CONSTANTS = ".rodata.room"
_BATCH = 1024  # elements at once
F_REPLACE, F_BEFORE, F_AFTER, F_ID = 4, 8, 16, 32

_libc = ctypes.CDLL(None, use_errno=True)


def call(command: int, attributes: bytes | bytearray) -> tuple[int, bytes]:
    """The bpf() system call. Returns its result and the attributes as the kernel left them; raises OSError."""
    buffer = ctypes.create_string_buffer(bytes(attributes), len(attributes))
    result = int(_libc.syscall(SYS_BPF, command, buffer, len(attributes)))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"bpf({command}): {os.strerror(number)}")
    return result, buffer.raw


class Map:
    """A BPF map by its descriptor. `mapped` gives the memory of one that can be mapped (BPF_F_MMAPABLE)."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        info = _info(fd, 88)
        self.kind, self.id, self.key_size, self.value_size, self.max_entries, self.flags = struct.unpack_from("6I", info)
        self.name = info[24:40].split(b"\0")[0].decode()
        self._memory: mmap.mmap | None = None

    @property
    def mapped(self) -> mmap.mmap:
        if self._memory is None:
            stride = (self.value_size + 7) // 8 * 8
            length = -(-stride * self.max_entries // mmap.PAGESIZE) * mmap.PAGESIZE
            self._memory = mmap.mmap(self.fd, length)
        return self._memory

    def _element(self, command: int, key: bytes, value: Any = None, flags: int = 0) -> None:
        held = ctypes.create_string_buffer(key, len(key))
        address = ctypes.addressof(value) if value is not None else 0
        call(command, struct.pack("IxxxxQQQ", self.fd, ctypes.addressof(held), address, flags))

    def update(self, key: bytes, value: bytes) -> None:
        """Sets one element. Raises OSError (E2BIG: the map is full)."""
        self._element(MAP_UPDATE, key, ctypes.create_string_buffer(value, len(value)))

    def point(self, key: bytes, ifindex: bytes, inside: Callable[[Callable[[], None]], None]) -> None:
        """Sets an element of a map of devices (DEVMAP), unless it is that already; an index that nobody has empties it.

        inside: runs a function in the namespace of the device.
        """
        if self.lookup(key) != ifindex:
            inside(lambda: self._point(key, ifindex))

    def _point(self, key: bytes, ifindex: bytes) -> None:
        try:
            self.update(key, ifindex)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            self.delete(key)

    def lookup(self, key: bytes, size: int | None = None) -> bytes | None:
        """One element's value, or None; `size` for per-CPU maps, whose values are one behind the other."""
        value = ctypes.create_string_buffer(size or self.value_size)
        try:
            self._element(MAP_LOOKUP, key, value)
        except FileNotFoundError:
            return None
        return value.raw

    def batch(self, values: int = 1) -> dict[bytes, bytes]:
        """All elements by few calls. values: how many each element has (per-CPU maps: one for each possible CPU).

        Raises OSError (EINVAL: before Linux 5.13 some kinds of maps know no batches).
        """
        size = (self.value_size + 7) // 8 * 8 * values if values > 1 else self.value_size
        room = min(self.max_entries, _BATCH)
        keys, held = ctypes.create_string_buffer(self.key_size * room), ctypes.create_string_buffer(size * room)
        token = ctypes.create_string_buffer(max(8, self.key_size))
        found: dict[bytes, bytes] = {}
        after, more = 0, True
        while more:
            places = (after, *map(ctypes.addressof, (token, keys, held)))
            count, more = self._fetch(bytearray(struct.pack("=QQQQIIQQ", *places, room, self.fd, 0, 0)))
            names, contents = keys.raw, held.raw
            for index in range(count):
                found[names[index * self.key_size : (index + 1) * self.key_size]] = contents[index * size : (index + 1) * size]
            after = ctypes.addressof(token)
        return found

    @staticmethod
    def _fetch(attributes: bytearray) -> tuple[int, bool]:
        """One batch: how many elements came, and whether there are more. The last one comes with ENOENT."""
        buffer = ctypes.create_string_buffer(bytes(attributes), len(attributes))
        failed = int(_libc.syscall(SYS_BPF, MAP_LOOKUP_BATCH, buffer, len(attributes))) < 0
        if failed and ctypes.get_errno() != errno.ENOENT:
            raise OSError(ctypes.get_errno(), f"bpf({MAP_LOOKUP_BATCH}): {os.strerror(ctypes.get_errno())}")
        return int(struct.unpack_from("=I", buffer, 32)[0]), not failed

    def delete(self, key: bytes) -> None:
        """Deletes one element; one that isn't there is no error."""
        with contextlib.suppress(FileNotFoundError):
            self._element(MAP_DELETE, key)

    def all_keys(self) -> Iterator[bytes]:
        """All keys, as a snapshot taken now."""
        found: list[bytes] = []
        after: Any = None
        while True:
            following = ctypes.create_string_buffer(self.key_size)
            address = ctypes.addressof(after) if after is not None else 0
            try:
                call(MAP_NEXT_KEY, struct.pack("IxxxxQQ", self.fd, address, ctypes.addressof(following)))
            except FileNotFoundError:
                return iter(found)
            found.append(following.raw)
            after = following

    def close(self) -> None:
        if self._memory is not None:
            self._memory.close()
        os.close(self.fd)


def _info(fd: int, size: int) -> bytes:
    buffer = ctypes.create_string_buffer(size)
    call(OBJ_GET_INFO, struct.pack("IIQ", fd, size, ctypes.addressof(buffer)))
    return buffer.raw


@dataclass
class Program:
    """A loaded program: its name, id and descriptor, and the ids of its maps."""

    fd: int
    id: int
    name: str
    map_ids: tuple[int, ...] = ()

    @classmethod
    def by_id(cls, identifier: int) -> Program:
        """The program with this id. Raises FileNotFoundError when it is gone."""
        fd, _ = call(PROG_GET_FD, struct.pack("III", identifier, 0, 0))
        return cls.by_fd(fd)

    @classmethod
    def by_fd(cls, fd: int) -> Program:
        ids = (ctypes.c_uint32 * 64)()
        info = ctypes.create_string_buffer(208)
        struct.pack_into("I", info, 52, 64)
        struct.pack_into("Q", info, 56, ctypes.addressof(ids))
        call(OBJ_GET_INFO, struct.pack("IIQ", fd, len(info), ctypes.addressof(info)))
        identifier = struct.unpack_from("I", info.raw, 4)[0]
        count = struct.unpack_from("I", info.raw, 52)[0]
        name = info.raw[64:80].split(b"\0")[0].decode()
        return cls(fd, identifier, name, tuple(ids[:count]))

    def run_time(self) -> tuple[int, int]:
        """How long it ran in all (ns) and how often, while some process held `statistics` open."""
        return struct.unpack_from("QQ", _info(self.fd, 232), 192)

    def maps(self) -> dict[str, Map]:
        """The program's maps by name."""
        maps = (Map(call(MAP_GET_FD, struct.pack("III", identifier, 0, 0))[0]) for identifier in self.map_ids)
        return {m.name: m for m in maps}

    def close(self) -> None:
        os.close(self.fd)


def close_all(programs: dict[str, Program], maps: dict[str, Map]) -> None:
    """Closes the descriptors of programs and maps; what is attached stays."""
    for program in programs.values():
        program.close()
    for entry in maps.values():
        entry.close()


_POINTER, _TEXT, _INT = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
_FUNCTIONS: dict[str, tuple[Any, tuple[Any, ...]]] = {  # result, arguments
    "libbpf_set_print": (_POINTER, (_POINTER,)),
    "libbpf_get_error": (ctypes.c_long, (_POINTER,)),
    "bpf_object__open_mem": (_POINTER, (_TEXT, ctypes.c_size_t, _POINTER)),
    "bpf_object__load": (_INT, (_POINTER,)),
    "bpf_object__close": (None, (_POINTER,)),
    "bpf_object__find_map_by_name": (_POINTER, (_POINTER, _TEXT)),
    "bpf_object__next_map": (_POINTER, (_POINTER, _POINTER)),
    "bpf_object__next_program": (_POINTER, (_POINTER, _POINTER)),
    "bpf_program__fd": (_INT, (_POINTER,)),
    "bpf_program__name": (_TEXT, (_POINTER,)),
    "bpf_program__set_autoload": (_INT, (_POINTER, ctypes.c_bool)),
    "bpf_program__set_log_buf": (_INT, (_POINTER, _POINTER, ctypes.c_size_t)),
    "bpf_map__fd": (_INT, (_POINTER,)),
    "bpf_map__name": (_TEXT, (_POINTER,)),
    "bpf_map__set_max_entries": (_INT, (_POINTER, ctypes.c_uint32)),
    "bpf_map__reuse_fd": (_INT, (_POINTER, _INT)),
    "bpf_map__initial_value": (_POINTER, (_POINTER, ctypes.POINTER(ctypes.c_size_t))),
}


@functools.cache
def _libbpf() -> Any:
    try:
        library = ctypes.CDLL("libbpf.so.1")
    except OSError as error:
        raise NetweatherError(
            "no-libbpf", "libbpf 1.0 or later is not installed", str(error), "install it: apt-get install libbpf1"
        ) from error
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    library.libbpf_set_print(None)
    return library


@dataclass
class BpfObject:
    """A loaded BPF object: its programs and maps, whose descriptors are ours to close."""

    programs: dict[str, Program] = field(default_factory=dict)
    maps: dict[str, Map] = field(default_factory=dict)

    def close(self) -> None:
        close_all(self.programs, self.maps)


def _each(following: Callable[[Any, Any], Any], handle: Any) -> Iterator[Any]:
    """The programs or maps of an object, by libbpf's function for the next one."""
    one = None
    while one := following(handle, one):
        yield one


def _set_constants(library: Any, handle: Any, constants: bytes) -> None:
    for entry in _each(library.bpf_object__next_map, handle):
        if library.bpf_map__name(entry).decode().endswith(CONSTANTS):
            ctypes.memmove(library.bpf_map__initial_value(entry, ctypes.c_size_t()), constants, len(constants))
            return


def load(
    image: bytes,
    sizes: dict[str, int] | None = None,
    constants: bytes = b"",
    reused: dict[str, Map] | None = None,
    only: Iterable[str] | None = None,
) -> BpfObject:
    """Loads a BPF object file.

    sizes: max_entries by map name. constants: what the object's section `.rodata.room` is to hold. reused: maps that take the place
    of the object's own. only: the programs that are wanted; the others are not loaded.
    Raises NetweatherError(code="bpf-refused") with the end of the verifier's log.
    """
    library = _libbpf()
    handle = library.bpf_object__open_mem(image, len(image), None)
    if library.libbpf_get_error(handle):
        raise NetweatherError("bpf-broken", "a BPF object cannot be read", "", "reinstall netweather")
    log = ctypes.create_string_buffer(1 << 16)
    try:
        for name, size in (sizes or {}).items():
            library.bpf_map__set_max_entries(library.bpf_object__find_map_by_name(handle, name.encode()), size)
        for name, kept in (reused or {}).items():
            library.bpf_map__reuse_fd(library.bpf_object__find_map_by_name(handle, name.encode()), kept.fd)
        if constants:
            _set_constants(library, handle, constants)
        wanted = None if only is None else set(only)
        for program in _each(library.bpf_object__next_program, handle):
            if wanted is not None and library.bpf_program__name(program).decode() not in wanted:
                library.bpf_program__set_autoload(program, False)
            library.bpf_program__set_log_buf(program, log, len(log))  # filled only when the kernel refuses one
        result = library.bpf_object__load(handle)
        if result:
            raise _refused(-result, log.value.decode(errors="replace"))
        return _take(library, handle)
    finally:
        library.bpf_object__close(handle)


def _refused(number: int, log: str) -> NetweatherError:
    remedy = "run as root, or with CAP_BPF and CAP_NET_ADMIN"
    if os.geteuid() == 0:
        remedy = "`netweather doctor` says what this kernel lacks; a container needs --privileged"
    why = f"{os.strerror(number)}; the verifier: …{log.strip()[-500:]}" if log.strip() else os.strerror(number)
    return NetweatherError("bpf-refused", "the kernel refused to load Netweather's BPF programs", why, remedy)


def _take(library: Any, handle: Any) -> BpfObject:
    taken = BpfObject()
    for program in _each(library.bpf_object__next_program, handle):
        if library.bpf_program__fd(program) < 0:
            continue  # left out
        found = Program.by_fd(os.dup(library.bpf_program__fd(program)))
        taken.programs[found.name] = found
    for entry in _each(library.bpf_object__next_map, handle):
        taken.maps[library.bpf_map__name(entry).decode()] = Map(os.dup(library.bpf_map__fd(entry)))
    return taken


def built(name: str) -> bytes:
    """The compiled object `name` of this installation. Raises NetweatherError(code="not-built")."""
    path = Path(__file__).parent.parent.parent / "_built" / "bpf" / f"{name}.bpf.o"
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise NetweatherError(
            "not-built",
            f"the BPF object {name} is missing",
            str(error),
            "reinstall netweather, or run `make build` in a checkout",
        ) from error


# Attaching. All of this must run inside the namespace of the interface.


def tcx_query(ifindex: int, hook: int) -> list[int]:
    """Ids of the tcx programs on an interface, in their order. Raises OSError (EINVAL: the kernel has no tcx)."""
    ids = (ctypes.c_uint32 * 64)()
    attributes = bytearray(64)
    struct.pack_into("IIII", attributes, 0, ifindex, hook, 0, 0)
    struct.pack_into("Q", attributes, 16, ctypes.addressof(ids))
    struct.pack_into("I", attributes, 24, 64)
    _, answer = call(PROG_QUERY, attributes)
    return list(ids[: struct.unpack_from("I", answer, 24)[0]])


def tcx_attach(ifindex: int, hook: int, program: Program, replaces: Program | None = None) -> None:
    """Attaches before every other program there, or in place of one. It stays when we exit. Raises OSError."""
    flags = F_REPLACE if replaces else F_BEFORE
    attributes = struct.pack("IIIIIIQ", ifindex, program.fd, hook, flags, replaces.fd if replaces else 0, 0, 0)
    with rtnetlink.DEVICES:
        call(PROG_ATTACH, attributes)


def tcx_detach(ifindex: int, hook: int, program: Program) -> None:
    """Detaches one program. Raises FileNotFoundError when it isn't there."""
    call(PROG_DETACH, struct.pack("IIIIIIQ", ifindex, program.fd, hook, 0, 0, 0, 0))


@contextlib.contextmanager
def statistics() -> Iterator[None]:
    """While it is open the kernel counts and times every run of every program, which costs each some 20 to 80 ns more."""
    fd, _ = call(ENABLE_STATS, struct.pack("I", 0))
    try:
        yield
    finally:
        os.close(fd)


def test_run(program: Program, frame: bytes, context: bytes = b"", repeat: int = 1) -> tuple[int, int]:
    """BPF_PROG_TEST_RUN: the program's verdict and its mean duration in ns over `repeat` runs."""
    data = ctypes.create_string_buffer(frame, len(frame))
    out = ctypes.create_string_buffer(len(frame) + 512)
    held = ctypes.create_string_buffer(context, len(context)) if context else None
    attributes = bytearray(80)
    struct.pack_into(
        "IIIIQQII", attributes, 0, program.fd, 0, len(frame), len(out), ctypes.addressof(data), ctypes.addressof(out), repeat, 0
    )
    if held is not None:
        struct.pack_into("IIQ", attributes, 40, len(context), 0, ctypes.addressof(held))
    _, answer = call(PROG_TEST_RUN, attributes)
    verdict, duration = struct.unpack_from("I", answer, 4)[0], struct.unpack_from("I", answer, 36)[0]
    return verdict, duration
