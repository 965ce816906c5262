"""What the TCP connections that meet a rule have lived through: how they fared before it was set, and how they fare now.

When a condition is set that wasn't there, the kernel's own books of the target's connections are put beside the journal, as they are
(sock_diag); they are read only when somebody asks. Not here: which rule a connection meets (connections).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from netweather.errors import NetweatherError
from netweather.kernel import namespaces
from netweather.kernel.datapath.spec import RuleId
from netweather.kernel.namespaces import Namespace
from netweather.kernel.sockets import sockdiag
from netweather.kernel.sockets.sockdiag import Socket, TcpInfo
from netweather.results import Before, Experienced
from netweather.targets import Target

if TYPE_CHECKING:
    from netweather.engine.views.connections import SocketInfo

MOST_BYTES: Final = 1 << 20
"""Some 2,500 connections. With more of them nothing is remembered: reading that would make every look a slow one."""
_AT: Final = struct.Struct("=Q")


def look(target: Target) -> bytes:
    """A target's connections as they are now, for `remember`. Empty where the kernel doesn't tell: nothing is worse for it."""
    with suppress(NetweatherError, OSError), Namespace(target.netns_fd) as namespace:
        seen = namespace.run(sockdiag.tcp_dump)
        return _AT.pack(namespaces.boot_ns()) + seen if len(seen) <= MOST_BYTES else b""
    return b""


def remember(directory: Path, name: str, seen: bytes) -> None:
    """Puts what was seen beside the journal of a target, until all of it is forgotten; what an earlier one of that name saw goes."""
    with suppress(OSError):  # its lease may have ended already
        if seen:
            _file(directory, name).write_bytes(seen)
        else:
            _file(directory, name).unlink(missing_ok=True)


def _file(directory: Path, name: str) -> Path:
    return directory / f"connections-before-{name}"


class Remembered:
    """What is remembered of one target."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._of: dict[str, dict[bytes, Before]] = {}

    def of(self, one: Socket, met: RuleId | None) -> Before | None:
        """How this connection fared when the condition that it meets was set."""
        if met is None or one.info is None:
            return None
        if met.condition not in self._of:
            self._of[met.condition] = self._read(met.condition)
        return self._of[met.condition].get(one.key)

    def _read(self, name: str) -> dict[bytes, Before]:
        try:
            data = _file(self._directory, name).read_bytes()
        except OSError:
            return {}
        ago = (namespaces.boot_ns() - _AT.unpack_from(data)[0]) / 1e9
        known = ((each.key, each.info) for each in sockdiag.decoded(data[_AT.size :]))
        return {key: Before(i.rtt, i.total_retransmits, _bytes(i), _rate(i), ago) for key, i in known if i is not None}


def experienced(connections: Iterable[SocketInfo]) -> dict[RuleId, Experienced]:
    """Of each rule that one of these connections meets, on its way out or in. UDP has no such books."""
    of: dict[RuleId, list[tuple[TcpInfo, Before | None]]] = {}
    for each in connections:
        if each.socket.info is not None:
            for met in {each.egress, each.ingress} - {None}:
                assert met is not None
                of.setdefault(met, []).append((each.socket.info, each.before))
    return {met: _together(found) for met, found in of.items()}


def _together(found: list[tuple[TcpInfo, Before | None]]) -> Experienced:
    known = [(now, before) for now, before in found if before is not None]
    moved = [8 * (_bytes(now) - before.bytes) / max(before.seconds_ago, 1e-6) for now, before in known]
    return Experienced(
        connections=len(found),
        known=len(known),
        rtt_before=_middle(before.rtt for _, before in known),
        rtt=_middle(now.rtt for now, _ in found),
        retransmits=sum(now.total_retransmits - (before.retransmits if before else 0) for now, before in found),
        rate_before=_middle(before.rate and 8 * before.rate for _, before in known),
        rate=_middle((rate := _rate(now)) and 8 * rate for now, _ in found),
        goodput=sum(moved) if known else None,
    )


def _middle(values: Iterable[int | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _rate(info: TcpInfo) -> int | None:
    """Bytes a second, as TCP itself estimates the rate at which its data arrives; None while it had too little to send to tell."""
    return None if info.application_limited or not info.delivery_rate else info.delivery_rate


def _bytes(info: TcpInfo) -> int:
    return info.bytes_acked + info.bytes_received
