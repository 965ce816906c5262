"""The probes of `features`: each tries one thing and returns what it saw. Nothing outlives the bench's namespace."""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import socket
import struct
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from netweather.errors import NetweatherError
from netweather.kernel.bpf import libbpf as bpf
from netweather.kernel.bpf.hooks import Clsact, add_clsact, remove_clsact
from netweather.kernel.datapath import netem_devices
from netweather.kernel.datapath.pump_process import binary
from netweather.kernel.netlink import links
from netweather.kernel.netlink.netem_attributes import Netem
from netweather.kernel.sockets import sockdiag
from netweather.kernel.tracing import tracepoints as points
from netweather.kernel.tracing.socket_counters import TCP_EVENTS, SocketStats, drop_reasons
from netweather.kernel.tracing.tracepoints import types_lacking

if TYPE_CHECKING:
    from netweather.kernel.features.features import ProbeEnvironment

_LOOPBACK: Final = 1
_CAPABILITIES: Final = {"CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21, "CAP_BPF": 39}
_PATIENCE_S: Final = 3.0
_TRACEPOINT: Final = b"inet_sock_set_state"
_SEED: Final = 0x6E65_7477_6561_7468


class NotSupported(Exception):
    """The feature is not there, and the probe knows why."""

    def __init__(self, why: str, remedy: str = "") -> None:
        super().__init__(why)
        self.remedy = remedy


def capabilities(bench: ProbeEnvironment) -> str:
    lines = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    effective = int(lines["CapEff"], 16)
    missing = [name for name, bit in _CAPABILITIES.items() if not effective >> bit & 1]
    # Before Linux 5.8 CAP_SYS_ADMIN was what CAP_BPF is.
    if "CAP_BPF" in missing and "CAP_SYS_ADMIN" not in missing:
        missing.remove("CAP_BPF")
    if missing:
        who = "root" if os.geteuid() == 0 else f"user {os.geteuid()}"
        raise NotSupported(f"{who} without {', '.join(missing)}")
    return "CAP_SYS_ADMIN, CAP_NET_ADMIN and CAP_BPF"


def namespace(bench: ProbeEnvironment) -> str:
    bench.run(links.devices)
    return "supported"


def libbpf(bench: ProbeEnvironment) -> str:
    try:
        library = ctypes.CDLL("libbpf.so.1")
    except OSError as error:
        raise NotSupported("libbpf.so.1 is not installed, or older than 1.0") from error
    version = library.libbpf_version_string
    version.restype = ctypes.c_char_p
    return f"libbpf {version().decode().lstrip('v')}"


def bpf_loads(bench: ProbeEnvironment) -> str:
    """Our own programs: what counts is that the verifier takes these."""
    names = []
    for name in ("classify", "steer", "return"):
        loaded = bpf.load(bpf.built(name))
        names += list(loaded.programs)
        loaded.close()
    return f"the kernel accepts all {len(names)} programs"


def redirect_peer(bench: ProbeEnvironment) -> str:
    bpf.load(bpf.built("steer")).close()
    return "supported"


def jit(bench: ProbeEnvironment) -> str:
    path = Path("/proc/sys/net/core/bpf_jit_enable")
    try:
        value = path.read_text().strip()
    except FileNotFoundError as error:
        # CONFIG_BPF_JIT_ALWAYS_ON hides nothing; no file at all means no JIT.
        raise NotSupported("this kernel has no BPF JIT") from error
    if value == "0":
        raise NotSupported("disabled")
    return "enabled"


def btf(bench: ProbeEnvironment) -> str:
    if (lacking := types_lacking(bench.host)) is not None:
        raise NotSupported(*lacking)
    return "supported"


def tracepoints(bench: ProbeEnvironment) -> str:
    """A program that does nothing, opened on the tracepoint that statistics begin with; it is gone with its descriptor."""
    code = ctypes.create_string_buffer(struct.pack("=BBhiBBhi", 0xB7, 0, 0, 0, 0x95, 0, 0, 0))  # r0 = 0; exit
    name, licence = ctypes.create_string_buffer(_TRACEPOINT), ctypes.create_string_buffer(b"GPL")
    where = (ctypes.addressof(code), ctypes.addressof(licence))
    program, _ = bpf.call(bpf.PROG_LOAD, struct.pack("=IIQQIIQII", bpf.RAW_TRACEPOINT, 2, *where, 0, 0, 0, 0, 0))
    try:
        opened, _ = bpf.call(bpf.RAW_TRACEPOINT_OPEN, struct.pack("=QI4x", ctypes.addressof(name), program))
        os.close(opened)
    finally:
        os.close(program)
    return "supported"


def tcx(bench: ProbeEnvironment) -> str:
    bench.run(lambda: bpf.tcx_query(_LOOPBACK, bpf.TCX_INGRESS))
    return "supported (used)"


def clsact(bench: ProbeEnvironment) -> str:
    def work() -> None:
        add_clsact(_LOOPBACK)
        remove_clsact(_LOOPBACK)

    bench.run(work)
    return "supported"


def cls_bpf(bench: ProbeEnvironment) -> str:
    def work() -> None:
        loaded = bpf.load(bpf.built("return"))
        program = next(iter(loaded.programs.values()))
        try:
            Clsact().attach(_LOOPBACK, "ingress", program)
            Clsact().detach(_LOOPBACK, "ingress", program)
        finally:
            loaded.close()

    bench.run(work)
    return "supported"


def boot_clock(bench: ProbeEnvironment) -> str:
    """The classifier reads it (bpf_ktime_get_boot_ns, Linux 5.8), so it is loaded for a test, as `bpf` does."""
    time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    bpf.load(bpf.built("classify")).close()
    return "supported"


def veth(bench: ProbeEnvironment) -> str:
    def work() -> None:
        links.make_veth("nwv0", "nwv1")
        links.delete(socket.if_nametoindex("nwv0"))

    bench.run(work)
    return "supported"


def tun(bench: ProbeEnvironment) -> str:
    if not Path("/dev/net/tun").exists():
        raise NotSupported("/dev/net/tun does not exist")

    def work() -> None:
        fd = links.open_tap("nwt0")
        try:
            device = links.device("nwt0")
            if device is not None:
                links.delete(device.ifindex)
        finally:
            os.close(fd)

    bench.run(work)
    return "supported"


def netem(bench: ProbeEnvironment) -> str:
    bench.run(lambda: _held_netem(Netem(latency_ns=10**6)))
    return "supported"


def netem_seed(bench: ProbeEnvironment) -> str:
    """Older kernels ignore the attribute, so it is read back."""
    if bench.run(lambda: _held_netem(Netem(seed=_SEED))).seed != _SEED:
        raise NotSupported(bench.host.why_missing("", "", "6.6") or "this kernel's netem has no seed")
    return "supported"


def _held_netem(asked: Netem) -> Netem:
    """A netem on the bench's own loopback, as the kernel tells it."""
    netem_devices.put(_LOOPBACK, asked.pack(), new=True)
    try:
        return netem_devices.read()[_LOOPBACK].netem
    finally:
        netem_devices.remove(_LOOPBACK)


def pump(bench: ProbeEnvironment) -> str:
    """It runs at all when it can say how it is called."""
    path = binary()
    try:
        done = subprocess.run([path], capture_output=True, timeout=_PATIENCE_S, check=False)
    except OSError as error:
        raise NotSupported(f"{path} does not run: {error.strerror}") from error
    if done.returncode != 2 or b"usage" not in done.stderr:
        raise NotSupported(f"{path} does not run: exit {done.returncode}")
    return "works"


def pidfd(bench: ProbeEnvironment) -> str:
    os.close(os.pidfd_open(os.getpid()))
    return "supported"


def state_directory(bench: ProbeEnvironment) -> str:
    """Writable, or to be made in a directory that is; it is not made here."""
    there = next(path for path in (bench.state, *bench.state.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise NotSupported(f"{there} cannot be written")
    return f"{bench.state}" if there == bench.state else f"{bench.state} (will be created)"


def memlock(bench: ProbeEnvironment) -> str:
    if bench.host.version >= (5, 11):
        return "not limited: accounted to the control group since Linux 5.11"
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if soft == resource.RLIM_INFINITY:
        return "not limited"
    raise NotSupported(f"limited to {soft} bytes")


def docker(bench: ProbeEnvironment) -> str:
    host = os.environ.get("DOCKER_HOST", "") or "unix:///var/run/docker.sock"
    if not host.startswith("unix://"):
        raise NotSupported(f"DOCKER_HOST={host} is not on this machine", "run netweather where the containers run")
    path = host.removeprefix("unix://")
    try:
        answer = _ask(path, b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
    except FileNotFoundError as error:
        raise NotSupported(f"{path} does not exist", "start Docker if you use it") from error
    except OSError as error:
        raise NotSupported(f"{path}: {error.strerror or error}", "see whether `docker ps` answers") from error
    if b" 200 " not in answer.partition(b"\r\n")[0]:
        raise NotSupported(f"{path} does not answer as Docker does", "point DOCKER_HOST at Docker's own socket")
    return f"{path} answers"


def _ask(path: str, request: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as made:
        made.settimeout(_PATIENCE_S)
        made.connect(path)
        made.sendall(request)
        return made.recv(4096)


def listing(bench: ProbeEnvironment) -> str:
    """Raises OSError where there is no sock_diag for TCP."""
    bench.run(lambda: list(sockdiag.sockets((sockdiag.TCP,), listening=True)))
    return "supported"


def destroying(bench: ProbeEnvironment) -> str:
    """Tried on a socket that only listens, on no address of anybody's. Raises Lacking."""

    def inside() -> None:
        with socket.socket() as made:
            made.listen()
            (own,) = sockdiag.sockets((sockdiag.TCP,), listening=True)
            sockdiag.destroy(own)

    try:
        bench.run(inside)
    except NetweatherError as error:
        raise NotSupported(error.why, f"without it: {error.remedy}") from error
    return "supported"


_ONE: Final = ("sendto",)
_FILTERED: Final = "in a container add --privileged: a filter of system calls may refuse fsopen"
_NOBODY: Final = 1  # no namespace has this number


def _need(bench: ProbeEnvironment) -> None:
    """What all of them stand on."""
    if (lacking := points.types_lacking(bench.host)) is not None:
        raise NotSupported(*lacking)
    try:
        points.exists(TCP_EVENTS["nw_state"])
    except OSError as error:
        if error.errno not in (errno.ENODEV, errno.ENOSYS):
            raise
        raise NotSupported(str(error.strerror), bench.host.remedy("TRACING", "", "") or _FILTERED) from error


def calls(bench: ProbeEnvironment) -> str:
    """One call stands for all: which there are is the same on every kernel that has any."""
    _need(bench)
    with SocketStats([_NOBODY], calls=_ONE, tcp=False) as stats:
        if stats.missing:
            raise NotSupported(
                bench.host.why_missing("FTRACE_SYSCALLS", "", "") or f"the kernel has no tracepoint {stats.missing[0]}"
            )
    return "supported"


def tcp(bench: ProbeEnvironment) -> str:
    _need(bench)
    with SocketStats([_NOBODY], calls=()) as stats:
        missing = [name for name in stats.missing if name != TCP_EVENTS["nw_drop"]]
    if missing:
        raise NotSupported(f"the kernel has no tracepoint {', '.join(missing)}")
    return "supported"


def reasons(bench: ProbeEnvironment) -> str:
    _need(bench)
    names = drop_reasons()
    if not names:
        missing = "" if points.exists(TCP_EVENTS["nw_drop"]) else f"the kernel has no tracepoint {TCP_EVENTS['nw_drop']}"
        raise NotSupported(missing or bench.host.why_missing("", "", "5.17") or "packets are dropped without a reason")
    return f"supported ({len(names)})"
