"""The probes of what `stats` needs: its own programs on the kernel's tracepoints, loaded and attached for a moment."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

from netweather.kernel import tracepoints
from netweather.kernel.probes import Lacking
from netweather.kernel.socketstats import TCP_EVENTS, SocketStats, drop_reasons

if TYPE_CHECKING:
    from netweather.kernel.features import Bench

_ONE: Final = ("sendto",)
_FILTERED: Final = "in a container add --privileged: a filter of system calls may refuse fsopen"
_NOBODY: Final = 1  # no namespace has this number


def _need(bench: Bench) -> None:
    """What all of them stand on."""
    if (lacking := tracepoints.types_lacking(bench.host)) is not None:
        raise Lacking(*lacking)
    try:
        tracepoints.exists(TCP_EVENTS["nw_state"])
    except OSError as error:
        if error.errno not in (errno.ENODEV, errno.ENOSYS):
            raise
        raise Lacking(str(error.strerror), bench.host.remedy("TRACING", "", "") or _FILTERED) from error


def calls(bench: Bench) -> str:
    """One call stands for all: which there are is the same on every kernel that has any."""
    _need(bench)
    with SocketStats([_NOBODY], calls=_ONE, tcp=False) as stats:
        if stats.missing:
            raise Lacking(bench.host.why_missing("FTRACE_SYSCALLS", "", "") or f"the kernel has no tracepoint {stats.missing[0]}")
    return "supported"


def tcp(bench: Bench) -> str:
    _need(bench)
    with SocketStats([_NOBODY], calls=()) as stats:
        missing = [name for name in stats.missing if name != TCP_EVENTS["nw_drop"]]
    if missing:
        raise Lacking(f"the kernel has no tracepoint {', '.join(missing)}")
    return "supported"


def reasons(bench: Bench) -> str:
    _need(bench)
    names = drop_reasons()
    if not names:
        missing = "" if tracepoints.exists(TCP_EVENTS["nw_drop"]) else f"the kernel has no tracepoint {TCP_EVENTS['nw_drop']}"
        raise Lacking(missing or bench.host.why_missing("", "", "5.17") or "packets are dropped without a reason")
    return f"supported ({len(names)})"
