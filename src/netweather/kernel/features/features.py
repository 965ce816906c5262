"""What this kernel and host can do: features, each with a probe that tries it, in a namespace that is gone afterwards.

Three answers: yes, no, and unknown when the probe itself was not allowed or failed in a way that says nothing of the feature.
Not here: what to do about it in words for a terminal (front ends), and how the features are used (the rest of the seam).
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal, TypeVar

from netweather.errors import NetweatherError, reason
from netweather.kernel import host_info
from netweather.kernel.bpf.hooks import CLSACT_COST
from netweather.kernel.features import probes
from netweather.kernel.host_info import HostInfo
from netweather.kernel.namespaces import Namespace, nameless

FeatureState = Literal["yes", "no", "unknown"]
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


class ProbeEnvironment:
    """Where probes try things: the state directory that would be used, and a network namespace without a name.

    The namespace is kept by a descriptor alone, so that nothing is left of it whatever becomes of this process.
    """

    def __init__(self, state: Path, host: HostInfo) -> None:
        self.state = state
        self.host = host
        self._namespace: Namespace | None = None

    def run(self, function: Callable[[], T]) -> T:
        """Runs a function in the namespace, which is made for the first. Raises OSError, NetweatherError."""
        return self.namespace.run(function)

    @property
    def namespace(self) -> Namespace:
        if self._namespace is None:
            self._namespace = nameless()
        return self._namespace

    def close(self) -> None:
        if self._namespace is not None:
            self._namespace.close()


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
    probe: Callable[[ProbeEnvironment], str]
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
    state: FeatureState
    detail: str
    remedy: str = ""


_CONTAINER: Final = "run as root (sudo); in a container add --privileged --pid=host"
FEATURES: Final = (
    Feature("root", "entering and changing networks", "needed", probes.capabilities, remedy=_CONTAINER),
    Feature("namespaces", "Netweather's own namespace for each target", "needed", probes.namespace, "3.0", "NET_NS", remedy=_CONTAINER),
    Feature("libbpf", "loading BPF programs", "needed", probes.libbpf, package="libbpf"),
    Feature("bpf", "classifying packets", "needed", probes.bpf_loads, "5.10", "BPF_SYSCALL", remedy=_CONTAINER),
    Feature("jit", "classifying packets fast", "better", probes.jit, option="BPF_JIT",
            remedy="sysctl net.core.bpf_jit_enable=1", instead="the kernel interprets BPF programs"),
    Feature("btf", "stats, record", "extra", probes.btf, "5.2", "DEBUG_INFO_BTF"),
    Feature("tracepoints", "stats", "extra", probes.tracepoints, "4.17", "BPF_EVENTS"),
    Feature("syscall-stats", "stats of system calls", "extra", probes.calls, "5.15", "FTRACE_SYSCALLS"),
    Feature("tcp-stats", "stats of connections and packets", "extra", probes.tcp, "5.15", "BPF_EVENTS"),
    Feature("drop-reasons", "why packets were dropped, in stats", "extra", probes.reasons, "5.17"),
    Feature("tcx", "attaching programs without packet loss", "better", probes.tcx, "6.6", "NET_XGRESS",
            instead=f"clsact is used: {CLSACT_COST}"),
    Feature("clsact", "attaching programs on kernels without tcx", "better", probes.clsact, "4.5", "NET_CLS_ACT", "sch_ingress",
            instead="tcx is used"),
    Feature("cls_bpf", "attaching programs on kernels without tcx", "better", probes.cls_bpf, "4.4", "NET_CLS_BPF", "cls_bpf",
            instead="tcx is used"),
    Feature("redirect-peer", "returning packets from an emulated link", "needed", probes.redirect_peer, "5.10"),
    Feature("boot-clock", "leases that the kernel enforces", "needed", probes.boot_clock, "5.8"),
    Feature("veth", "the path to an emulated link", "needed", probes.veth, option="VETH", module="veth"),
    Feature("tun", "emulated links by the pump", "needed", probes.tun, option="TUN", module="tun",
            remedy="in a container add --device /dev/net/tun"),
    Feature("pump", "emulated links without netem", "needed", probes.pump,
            remedy="reinstall netweather, or `make build` in a checkout"),
    Feature("pidfd", "ending Netweather's own processes safely", "needed", probes.pidfd, "5.3"),
    Feature("state", "the journal", "needed", probes.state_directory,
            remedy="run as root (sudo), or name another directory in NETWEATHER_STATE"),
    Feature("memlock", "memory for BPF maps", "needed", probes.memlock, remedy="ulimit -l unlimited"),
    Feature("netem", "emulated links by the kernel's netem", "better", probes.netem, "2.6", "NET_SCH_NETEM", "sch_netem",
            instead="not needed: Netweather's own pump makes all emulated links"),
    Feature("netem-seed", "repeatable netem (--seed)", "extra", probes.netem_seed, "6.6", "NET_SCH_NETEM",
            "sch_netem", instead="not needed: the pump makes emulated links with a seed"),
    Feature("sock-diag", "connections", "extra", probes.listing, "3.3", "INET_DIAG", "inet_diag"),
    Feature("sock-destroy", "reset", "extra", probes.destroying, "4.5", "INET_DIAG_DESTROY",
            instead="set --connection … --block reject makes a connection fail"),
    Feature("docker", "targets docker: and compose:", "extra", probes.docker),
)  # fmt: skip
"""In the order of telling: what everything needs first."""


def probe_all(state: Path, *, load: bool = False) -> list[Finding]:
    """Probes every feature. Takes about a second, changes nothing and leaves nothing.

    load: the modules of what is missing are loaded where this host has them; only when its owner said so.
    """
    host = HostInfo.here()
    with _bench(state, host) as bench:
        return [_with_module(feature, bench) if load else probe(feature, bench) for feature in FEATURES]


def _with_module(feature: Feature, bench: ProbeEnvironment) -> Finding:
    """Probes a feature, and once more when its module was missing and could be loaded."""
    found = probe(feature, bench)
    if found.state != "no" or not feature.module or not bench.host.has(feature.module):
        return found
    if (failed := host_info.load(feature.module)) is not None:
        return replace(found, detail=f"{found.detail}; {failed}")
    again = probe(feature, bench)
    return replace(again, detail=f"{again.detail}; the module {feature.module} was loaded")


_known: dict[str, Finding] = {}


def answer(name: str) -> Finding:
    """What is found of one feature here; a process asks once, and again only when it could not tell."""
    if name not in _known:
        feature = next(feature for feature in FEATURES if feature.name == name)
        with _bench(Path("/"), HostInfo.here()) as bench:
            found = probe(feature, bench)
        if found.state == "unknown":
            return found
        _known[name] = found
    return _known[name]


def there(name: str) -> bool:
    """Whether this kernel is seen to have a feature."""
    return answer(name).state == "yes"


@contextlib.contextmanager
def _bench(state: Path, host: HostInfo) -> Iterator[ProbeEnvironment]:
    bench = ProbeEnvironment(state, host)
    try:
        yield bench
    finally:
        bench.close()


def probe(feature: Feature, bench: ProbeEnvironment) -> Finding:
    """Probes one feature; whatever goes wrong becomes the answer."""
    try:
        return Finding(feature, "yes", feature.probe(bench))
    except probes.NotSupported as lacking:
        return Finding(feature, "no", str(lacking), lacking.remedy or _remedy(feature, bench.host))
    except Exception as error:  # doctor must answer whatever happens
        return _failed(feature, bench.host, error)


def _failed(feature: Feature, host: HostInfo, error: Exception) -> Finding:
    known = isinstance(error, NetweatherError)
    text = ": ".join(part for part in (error.what, error.why) if part) if isinstance(error, NetweatherError) else reason(error)
    number = getattr(error.__cause__ if known else error, "errno", None)
    if number in (errno.EPERM, errno.EACCES) or os.strerror(errno.EPERM) in text:
        return Finding(feature, "unknown", "not permitted to try")  # and `root` says what to do about it
    if number in _MISSING:
        why = host.why_missing(feature.option, feature.module, feature.minimum)
        return Finding(feature, "no", why or text, _remedy(feature, host))
    return Finding(feature, "no" if known else "unknown", text, _remedy(feature, host) if known else "")


def _remedy(feature: Feature, host: HostInfo) -> str:
    """What to do, as far as it is worth doing: nothing when something else does as well."""
    if feature.instead and feature.need != "better":
        return ""
    options = [
        host.install(feature.package) if feature.package else "",
        host.remedy(feature.option, feature.module, feature.minimum),
        feature.remedy,
    ]
    return next((option for option in options if option), "")


def works(findings: list[Finding]) -> bool:
    """Whether Netweather can work here: all that is needed is there, and one of the two ways to attach."""
    states = {finding.feature.name: finding.state for finding in findings}
    attaches = states.get("tcx") == "yes" or (states.get("clsact"), states.get("cls_bpf")) == ("yes", "yes")
    return attaches and all(finding.state == "yes" for finding in findings if finding.feature.need == "needed")


__all__ = [
    "FEATURES",
    "ProbeEnvironment",
    "Feature",
    "Finding",
    "Need",
    "FeatureState",
    "answer",
    "probe",
    "probe_all",
    "there",
    "works",
]
