"""How much a line's queue holds, and how long a packet waits behind a full one.

A limit counts what is on its way (the delay) and what waits for the rate. Unless it is given, a second's worth waits, and at least
LEAST_PACKETS of full size. Not here: how an engine counts it (lines/): netem counts packets, the pump counts bytes, too.
"""

from __future__ import annotations

from typing import Final

from netweather.conditions.model import Condition
from netweather.units import Duration, Packets

FRAME: Final = 1514
"""Bytes of a full Ethernet packet."""
LEAST_PACKETS: Final = 10
WAIT_NS: Final = 10**9
MOST_BYTES: Final = 256 << 20


def room(rate_bps: int, in_flight_ns: int, limit: Duration | None = None) -> int:
    """Bytes of what is on its way and what waits for a rate: as long as `limit` says, or a second and LEAST_PACKETS."""
    if limit is not None:
        return max(rate_bps * (in_flight_ns + limit.ns) // (8 * 10**9), FRAME)
    return min(max(rate_bps * (in_flight_ns + WAIT_NS) // (8 * 10**9), LEAST_PACKETS * FRAME), MOST_BYTES)


def longest_wait(condition: Condition, rate_bps: float | None) -> float | None:
    """Seconds that a packet waits behind a full queue of full packets; None where no rate makes packets wait."""
    if not rate_bps:
        return None
    limit, delay = condition.limit, condition.delay
    in_flight = delay.time.ns if delay is not None else 0
    if isinstance(limit, Duration):
        return limit.seconds
    held = room(round(rate_bps), in_flight)
    if limit is not None:
        held = limit.count * FRAME if isinstance(limit, Packets) else limit.bytes
    return max(0.0, held * 8 / rate_bps - in_flight / 1e9)
