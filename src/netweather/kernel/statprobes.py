"""The probes of what `stats` needs: its own programs on the kernel's tracepoints, loaded and attached for a moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netweather.kernel import tracepoints
from netweather.kernel.probes import Lacking
from netweather.kernel.socketstats import TCP_EVENTS, SocketStats, drop_reasons

if TYPE_CHECKING:
    from netweather.kernel.features import Bench

_ONE: Final = ("sendto",)
_NOBODY: Final = 1  # no namespace has this number


def calls(bench: Bench) -> str:
    """One call stands for all: which there are is the same on every kernel that has any."""
    with SocketStats([_NOBODY], calls=_ONE, tcp=False) as stats:
        if stats.missing:
            raise Lacking(bench.host.why_missing("FTRACE_SYSCALLS", "", "") or f"there is no tracepoint {stats.missing[0]}")
    return "our programs run at calls' beginning and end"


def tcp(bench: Bench) -> str:
    with SocketStats([_NOBODY], calls=()) as stats:
        missing = [name for name in stats.missing if name != TCP_EVENTS["nw_drop"]]
    if missing:
        raise Lacking(f"there is no tracepoint {', '.join(missing)}")
    return "our programs run at TCP's tracepoints"


def reasons(bench: Bench) -> str:
    names = drop_reasons()
    if not names:
        missing = "" if tracepoints.exists(TCP_EVENTS["nw_drop"]) else f"there is no tracepoint {TCP_EVENTS['nw_drop']}"
        raise Lacking(missing or bench.host.why_missing("", "", "5.17") or "packets are dropped without a reason")
    return f"{len(names)} of them"
