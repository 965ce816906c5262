"""How network namespaces fare as a whole: round trips of their connections, segments sent again, bytes in and out.

From the kernel's own books, read inside each namespace; nothing is attached, and no packet is touched. Not here: single connections
(sockdiag), and what a condition does to them (engine.views.before_after).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from netweather.kernel import namespaces
from netweather.kernel.namespace_search import Located
from netweather.kernel.netlink.links import PORT
from netweather.kernel.sockets import sockdiag
from netweather.kernel.sockets.sockdiag import Socket

_BOOKS: Final = Path("/proc/thread-self/net")
_NOT_OUTSIDE: Final = ("lo", PORT)


@dataclass(frozen=True)
class Faring:
    """How one namespace fares. connections: TCP's with somebody elsewhere; rtt: the median of their round trips, in µs, None of none.

    retransmits: segments sent again, received and sent: bytes of its interfaces; all since the namespace was made.
    """

    connections: int
    rtt: float | None
    retransmits: int
    received: int
    sent: int


def farings(located: Iterable[Located]) -> dict[tuple[int, int], Faring]:
    """By (dev, ino), each namespace once; without those that are gone or can't be entered. One thread goes through all of them."""
    return namespaces.in_new_thread(lambda: dict(_all({(each.dev, each.ino): each for each in located})))


def _all(located: dict[tuple[int, int], Located]) -> Iterator[tuple[tuple[int, int], Faring]]:
    for identity, each in located.items():
        path = f"/proc/{each.pid}/ns/net" if each.pid is not None else each.path or ""
        with suppress(OSError):
            namespaces.enter(path, identity)
            yield identity, here()


def here() -> Faring:
    """How the namespace of the calling thread fares. Raises OSError."""
    trips = [one.info.rtt for one in sockdiag.decoded(sockdiag.tcp_dump()) if one.info and not _stays_inside(one)]
    known = [trip for trip in trips if trip is not None]
    received, sent = _moved((_BOOKS / "dev").read_text())
    return Faring(len(trips), median(known) if known else None, _sent_again((_BOOKS / "snmp").read_text()), received, sent)


def _stays_inside(one: Socket) -> bool:
    return one.remote.startswith("127.") or one.remote in ("::1", one.local)


def _sent_again(snmp: str) -> int:
    """A line of names, and one of their values."""
    names, values = (line.split() for line in snmp.splitlines() if line.startswith("Tcp:"))
    return int(values[names.index("RetransSegs")])


def _moved(dev: str) -> tuple[int, int]:
    """Bytes received and sent: the first and the ninth of an interface's sixteen numbers."""
    received = sent = 0
    for line in dev.splitlines()[2:]:
        name, _, numbers = line.partition(":")
        if name.strip() not in _NOT_OUTSIDE:
            fields = numbers.split()
            received, sent = received + int(fields[0]), sent + int(fields[8])
    return received, sent
