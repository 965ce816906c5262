"""What this kernel and host can do: features, each with a probe that tries it, in a namespace that is gone afterwards.

Three answers: yes, no, and unknown when the probe itself was not allowed or failed in a way that says nothing of the feature.
Not here: what to do about it in words for a terminal (front ends), and how the features are used (the rest of the seam).
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeVar

from netweather.errors import NetweatherError
from netweather.kernel import probes
from netweather.kernel.hostinfo import Host
from netweather.kernel.namespaces import CLONE_NEWNET, Namespace

State = Literal["yes", "no", "unknown"]
Need = Literal["needed", "better", "extra"]
T = TypeVar("T")

_MISSING: Final = frozenset(
    {
        errno.ENOENT,
        errno.EOPNOTSUPP,
        errno.EINVAL,
        errno.ENODEV,
        errno.ENOSYS,
        errno.ENXIO,
        errno.EPROTONOSUPPORT,
        errno.EAFNOSUPPORT,
    }
)
"""With these errors the kernel says that it does not know a thing; with others that something was in the way."""


class Bench:
    """Where probes try things: the state directory that would be used, and a network namespace without a name.

    The namespace is kept by a descriptor alone, so that nothing is left of it whatever becomes of this process.
    """

    def __init__(self, state: Path, host: Host) -> None:
        self.state = state
        self.host = host
        self._namespace: Namespace | None = None

    def run(self, function: Callable[[], T]) -> T:
        """Runs a function in the namespace, which is made for the first. Raises OSError, NetweatherError."""
        return self.namespace.run(function)

    @property
    def namespace(self) -> Namespace:
        if self._namespace is None:
            self._namespace = _nameless()
        return self._namespace

    def close(self) -> None:
        if self._namespace is not None:
            self._namespace.close()


def _nameless() -> Namespace:
    def work() -> int:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"unshare: {os.strerror(number)}")
        return os.open(f"/proc/self/task/{threading.get_native_id()}/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    with ThreadPoolExecutor(1) as pool:
        fd = pool.submit(work).result()
    try:
        return Namespace(fd)
    finally:
        os.close(fd)


@dataclass(frozen=True)
class Feature:
    """Something that a kernel or a host has or lacks.

    need: "needed" or nothing works; "better": something else is used without it; "extra": only what `purpose` names needs it.
    probe: tries it, and returns a detail; raises OSError or NetweatherError when it is not there, `probes.Lacking` to say why.
    minimum: the first kernel that has it. option, module: what gives it to a kernel that lacks it. packages: what to install.
    instead: what is done without it.
    """

    name: str
    purpose: str
    need: Need
    probe: Callable[[Bench], str]
    minimum: str = ""
    option: str = ""
    module: str = ""
    package: str = ""
    remedy: str = ""
    instead: str = ""


@dataclass(frozen=True)
class Finding:
    """What a probe found. detail: what is there, or why not; remedy: what to do about a "no", "" when nothing needs doing."""

    feature: Feature
    state: State
    detail: str
    remedy: str = ""


_CONTAINER: Final = "run as root (sudo); in a container add --privileged --pid=host"
FEATURES: Final = (
    Feature("root", "entering and changing networks", "needed", probes.capabilities, remedy=_CONTAINER),
    Feature("namespaces", "a place of our own beside each target", "needed", probes.namespace, "3.0", "NET_NS", remedy=_CONTAINER),
    Feature("libbpf", "loading BPF programs", "needed", probes.libbpf, package="libbpf"),
    Feature("bpf", "choosing packets", "needed", probes.bpf_loads, "5.10", "BPF_SYSCALL", remedy=_CONTAINER),
    Feature("jit", "choosing packets without costing time", "better", probes.jit, option="BPF_JIT",
            remedy="sysctl net.core.bpf_jit_enable=1", instead="the kernel interprets them"),
    Feature("btf", "tracepoint statistics", "extra", probes.btf, "5.2", "DEBUG_INFO_BTF"),
    Feature("tcx", "attaching without losing a packet", "better", probes.tcx, "6.6", "NET_XGRESS", instead="clsact is used"),
    Feature("clsact", "attaching on kernels without tcx", "better", probes.clsact, "4.5", "NET_CLS_ACT", "sch_ingress",
            instead="tcx is used"),
    Feature("cls_bpf", "attaching on kernels without tcx", "better", probes.cls_bpf, "4.4", "NET_CLS_BPF", "cls_bpf",
            instead="tcx is used"),
    Feature("redirect-peer", "bringing packets back from a line", "needed", probes.redirect_peer, "5.10"),
    Feature("boot-clock", "leases that the kernel itself ends", "needed", probes.boot_clock, "5.8"),
    Feature("veth", "the way to a line", "needed", probes.veth, option="VETH", module="veth"),
    Feature("tun", "lines that delay", "needed", probes.tun, option="TUN", module="tun",
            remedy="in a container add --device /dev/net/tun"),
    Feature("pump", "lines that delay", "needed", probes.pump, remedy="reinstall netweather, or `make build` in a checkout"),
    Feature("pidfd", "ending our own processes, never others", "needed", probes.pidfd, "5.3"),
    Feature("state", "remembering what was made", "needed", probes.state_directory,
            remedy="run as root (sudo), or name another directory in NETWEATHER_STATE"),
    Feature("memlock", "memory for BPF maps", "needed", probes.memlock, remedy="ulimit -l unlimited"),
    Feature("netem", "lines made by the kernel", "extra", probes.netem, option="NET_SCH_NETEM", module="sch_netem",
            instead="not needed: the pump does it"),
    Feature("docker", "targets docker: and compose:", "extra", probes.docker),
)  # fmt: skip
"""In the order of telling: what everything needs first."""


def probe_all(state: Path) -> list[Finding]:
    """Probes every feature. Takes about a second, changes nothing and leaves nothing."""
    host = Host.here()
    with _bench(state, host) as bench:
        return [probe(feature, bench) for feature in FEATURES]


@functools.cache
def there(name: str) -> bool:
    """Whether this kernel is seen to have a feature; asked once a process."""
    feature = next(feature for feature in FEATURES if feature.name == name)
    with _bench(Path("/"), Host.here()) as bench:
        return probe(feature, bench).state == "yes"


@contextlib.contextmanager
def _bench(state: Path, host: Host) -> Iterator[Bench]:
    bench = Bench(state, host)
    try:
        yield bench
    finally:
        bench.close()


def probe(feature: Feature, bench: Bench) -> Finding:
    """Probes one feature; whatever goes wrong becomes the answer."""
    try:
        return Finding(feature, "yes", feature.probe(bench))
    except probes.Lacking as lacking:
        return Finding(feature, "no", str(lacking), lacking.remedy or _remedy(feature, bench.host))
    except Exception as error:  # pyroute2 has errors of its own, and doctor must answer whatever happens
        return _failed(feature, bench.host, error)


def _failed(feature: Feature, host: Host, error: Exception) -> Finding:
    known = isinstance(error, NetweatherError)
    text = ": ".join(part for part in (error.what, error.why) if part) if isinstance(error, NetweatherError) else str(error)
    number = getattr(error.__cause__ if known else error, "errno", None) or getattr(error, "code", None)
    if number in (errno.EPERM, errno.EACCES) or os.strerror(errno.EPERM) in text:
        return Finding(feature, "unknown", "not permitted to try")  # and `root` says what to do about it
    if number in _MISSING:
        why = host.why_missing(feature.option, feature.module, feature.minimum)
        return Finding(feature, "no", why or text, _remedy(feature, host))
    return Finding(feature, "no" if known else "unknown", text or type(error).__name__, _remedy(feature, host) if known else "")


def _remedy(feature: Feature, host: Host) -> str:
    """What to do, as far as it is worth doing: nothing when something else does as well."""
    if feature.instead and feature.need != "better":
        return ""
    options = [
        host.install(feature.package) if feature.package else "",
        host.load(feature.option, feature.module),
        feature.remedy,
    ]
    return next((option for option in options if option), f"use Linux {feature.minimum} or later" if feature.minimum else "")


def works(findings: list[Finding]) -> bool:
    """Whether Netweather can work here: all that is needed is there, and one of the two ways to attach."""
    states = {finding.feature.name: finding.state for finding in findings}
    attaches = states.get("tcx") == "yes" or (states.get("clsact"), states.get("cls_bpf")) == ("yes", "yes")
    return attaches and all(finding.state == "yes" for finding in findings if finding.feature.need == "needed")


__all__ = ["FEATURES", "Bench", "Feature", "Finding", "Need", "State", "probe", "probe_all", "there", "works"]
