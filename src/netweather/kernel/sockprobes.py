"""The probes of `features` for sockets: whether the kernel lists them, and ends one, tried on a pair of the bench's own."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from netweather.errors import NetweatherError
from netweather.kernel import sockdiag
from netweather.kernel.probes import Lacking

if TYPE_CHECKING:
    from netweather.kernel.features import Bench


def listing(bench: Bench) -> str:
    """Raises OSError where there is no sock_diag for TCP."""
    bench.run(lambda: list(sockdiag.sockets((sockdiag.TCP,), listening=True)))
    return "supported"


def destroying(bench: Bench) -> str:
    """Tried on a socket that only listens, on no address of anybody's. Raises Lacking."""

    def inside() -> None:
        with socket.socket() as made:
            made.listen()
            (own,) = sockdiag.sockets((sockdiag.TCP,), listening=True)
            sockdiag.destroy(own)

    try:
        bench.run(inside)
    except NetweatherError as error:
        raise Lacking(error.why, f"without it: {error.remedy}") from error
    return "supported"
