"""What surprises people about a condition that is valid all the same, with what to do about it.

Each trap has a code, which stays, for tests and translations. Not here: errors (validation), figures (effects).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from netweather.conditions.estimates.effects import (
    FRAME,
    NETEM_LIMIT,
    Effects,
    TraceEffects,
    bulk_throughput,
    correlated_share,
    packets_needed,
    passes,
    queue_packets,
)
from netweather.conditions.loss import LossRandom
from netweather.conditions.model import Condition, Corrupt, Duplicate, Reorder
from netweather.units import Duration, Rate

PROBE_TIMEOUT: Final = 1.0
"""Seconds: the kubelet's default timeoutSeconds for liveness and readiness probes."""
PROBE_PERIOD, PROBE_FAILURES = 10, 3
"""The kubelet's default periodSeconds and failureThreshold."""
SYN_TIMEOUT: Final = 1.0
"""Seconds until TCP sends a lost SYN again (RFC 6298)."""
LEAST_RTO: Final = 0.2
"""Seconds that Linux waits at least, beyond the RTT, before it sends data again."""
MANY_TRIPS: Final = 0.05
"""An RTT, in seconds, from which a few round trips in a row are felt."""


@dataclass(frozen=True, slots=True)
class Trap:
    """A surprise: what happens, and the remedy."""

    code: str
    what: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Path:
    """Both directions of what is being explained, and what a round trip, a connect, and a connect with a short answer take (s)."""

    up: Condition
    down: Condition
    up_effects: Effects
    down_effects: Effects
    rtt: float
    connect: float
    answered: float

    @property
    def ways(self) -> tuple[tuple[str, Condition, Effects], ...]:
        """Egress and ingress, once when they are the same."""
        if self.up == self.down:
            return (("each direction", self.up, self.up_effects),)
        return (("egress", self.up, self.up_effects), ("ingress", self.down, self.down_effects))


def traps_of(path: Path) -> tuple[Trap, ...]:
    """All traps of this path, the worst first."""
    return tuple(trap for find in _FINDERS for trap in find(path))


def _blocked(path: Path) -> Iterator[Trap]:
    if "reject" in (path.up.block, path.down.block):
        yield Trap(
            "refused-at-once", "connections fail immediately, as if no process listened", "write --block drop to see timeouts"
        )
    elif path.up_effects.loss >= 1 or path.down_effects.loss >= 1:
        remedy = "give connections a deadline; exclude probes if the container must not be restarted"
        yield Trap("nothing-arrives", "new connections fail, and existing ones hang until they time out", remedy)


def probe_failure(path: Path) -> float:
    """The share of the kubelet's HTTP probes that fail: connect and answer in one second, with no SYN lost."""
    if path.answered >= PROBE_TIMEOUT or math.isinf(path.rtt):
        return 1.0
    arrives = (1 - path.up_effects.loss) * (1 - path.down_effects.loss)
    repeat = path.rtt + LEAST_RTO  # a lost request or answer comes again after that
    return 1 - arrives * (arrives if path.answered + repeat >= PROBE_TIMEOUT else 1)


def _probes(path: Path) -> Iterator[Trap]:
    failure = probe_failure(path)
    if failure < 0.01:
        return
    remedy = "exclude the probes' port, or give them a longer timeoutSeconds while you test"
    if failure >= 1:
        what = f"a liveness probe with 1 s timeout always fails: connect and answer take {path.answered:.2f} s"
        yield Trap(
            "liveness-probe", what if path.rtt and math.isfinite(path.answered) else "a liveness probe always fails", remedy
        )
        return
    in_a_row = failure**PROBE_FAILURES
    wait = PROBE_PERIOD * (1 - in_a_row) / (in_a_row * (1 - failure))
    what = f"{failure:.0%} of liveness probes with 1 s timeout fail; a restart after {_span(wait)} on average"
    yield Trap("liveness-probe", what, remedy)


def _span(seconds: float) -> str:
    for size, word in ((86400 * 365, "years"), (86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {word}"
    return f"{seconds:.0f} s"


def _jitter(path: Path) -> Iterator[Trap]:
    for way, condition, effects in path.ways:
        delay = condition.delay
        if delay is None:
            continue
        if effects.reordered > 0 and not (condition.reorder and not delay.jitter.ns):
            what = f"{way}: jitter reorders packets; of two sent back to back the second comes first in {effects.reordered:.0%}"
            yield Trap("jitter-reorders", what, "add --keep-order, or a --rate, unless that is what you test")
        if effects.clamped > 0:
            what = f"{way}: the jitter is larger than the delay; {effects.clamped:.0%} of the packets get no delay, so the mean rises"
            yield Trap("jitter-clamped", what, "make the delay larger than the jitter")
        if not delay.jitter.ns and (delay.distribution != "uniform" or delay.correlation.ppb):
            what = f"{way}: distribution and correlation do nothing while the jitter is 0"
            yield Trap("jitter-missing", what, "add --jitter")


def _limits(path: Path) -> Iterator[Trap]:
    for way, condition, effects in path.ways:
        queue = queue_packets(condition)
        if queue is None:
            continue
        if queue == 0:
            yield Trap("limit-too-small", f"{way}: a limit of 0 loses everything", f"write --limit {NETEM_LIMIT}")
            continue
        speed = effects.rate or bulk_throughput(effects, path.rtt)
        needed = packets_needed(condition, speed) if math.isfinite(speed) else 0
        if needed > queue:
            what = f"{way}: {needed} packets wait at the full rate, but the queue has room for {queue}; the others are lost"
            yield Trap("limit-too-small", what, f"write --limit {2 * needed}, or leave it to Netweather")


def _round_trips(path: Path) -> Iterator[Trap]:
    if MANY_TRIPS <= path.rtt < math.inf:
        what = f"each round trip takes {path.rtt * 1000:.0f} ms: ten queries one after the other take {path.rtt * 10:.1f} s"
        yield Trap("delay-multiplies", what, "count the round trips of what you test before you call it slow")
    if path.connect >= SYN_TIMEOUT and path.rtt < math.inf:
        what = "a connect takes longer than TCP's first timeout of 1 s: every SYN is sent twice"
        yield Trap("syn-twice", what, "expect duplicate SYNs in captures")


def _losses(path: Path) -> Iterator[Trap]:
    lost = 1 - (1 - path.up_effects.loss) * (1 - path.down_effects.loss)
    if 0 < lost < 1:
        what = f"{lost:.1%} of DNS lookups over UDP wait for the resolver's next try, 5 s with glibc"
        yield Trap("dns-waits", what, "exclude port 53 unless you test that")
    for way, condition, effects in path.ways:
        if condition.corrupt and condition.corrupt.percent.ppb:
            what = f"{way}: a corrupted packet fails its checksum, so that TCP and UDP see it as lost"
            yield Trap("corruption-is-loss", what, "read it as loss, unless checksums are off")
        if condition.ecn and effects.loss_events:
            what = f"{way}: connections without ECN lose what those with ECN have marked"
            yield Trap("ecn-needs-both", what, "switch on net.ipv4.tcp_ecn at both ends")


def _correlations(path: Path) -> Iterator[Trap]:
    for way, condition, _ in path.ways:
        asked = {
            "loss": condition.loss,
            "duplicate": condition.duplicate,
            "corrupt": condition.corrupt,
            "reorder": condition.reorder,
        }
        for key, part in asked.items():
            if isinstance(part, LossRandom | Duplicate | Corrupt | Reorder) and part.correlation.ppb:
                share = correlated_share(part.percent.fraction, part.correlation.fraction)
                if abs(share - part.percent.fraction) > part.percent.fraction / 10:
                    what = f"{way}: netem's correlation changes the share: {key} {part.percent} becomes about {share * 100:.2g}%"
                    yield Trap(
                        "correlation-changes-share", what, "leave it out, or take --loss-model burst or gemodel for losses"
                    )


def _rates(path: Path) -> Iterator[Trap]:
    if any(effects.rate for _, _, effects in path.ways):
        what = "a rate is per interface and direction: a target with two interfaces gets it twice"
        yield Trap("rate-per-interface", what, "name one interface with --interface, if the target has several")


def _others(path: Path) -> Iterator[Trap]:
    for way, condition, effects in path.ways:
        if condition.rate and not condition.rate.bitrate.bits_per_second:
            yield Trap("rate-zero", f"{way}: a rate of 0 is no limit, as to netem", "write --block drop to let nothing through")
        if condition.mtu is not None and not passes(effects, FRAME):
            what = f"{way}: full TCP segments (1500 bytes) are dropped silently: connects succeed, transfers hang"
            yield Trap("mtu-black-hole", what, "that is what --mtu tests; `sysctl net.ipv4.tcp_mtu_probing=1` lets TCP recover")
        if condition.mtu is not None and condition.mtu < 1280:
            yield Trap("mtu-below-ipv6", f"{way}: IPv6 does not work with an MTU below 1280", "write --mtu 1280 or more")
        if (trace := effects.trace) is not None:
            yield Trap(
                "trace-varies", f"{way}: a trace changes the link over time; the figures are of its means", _worst_of(trace)
            )
        elif condition.trace is not None:
            yield Trap("trace-not-explained", f"{way}: what the trace does is not counted here", "use `netweather explain`")


def _worst_of(trace: TraceEffects) -> str:
    """What to explain for the worst moment of a trace."""
    if trace.pause >= 1:
        return f"allow for {trace.pause:.3g} s in which nothing passes"
    words = [f"--rate {Rate(round(trace.rate.least))}"] if trace.rate.least < math.inf else []
    words += [f"--delay {Duration(round(trace.delay.most * 1e9))}"] if trace.delay.most else []
    words += [f"--loss {trace.loss.most * 100:.4g}%"] if trace.loss.most else []
    return f"its worst moment: `netweather explain {' '.join(words)}`"


_FINDERS: Final[tuple[Callable[[Path], Iterator[Trap]], ...]] = (
    _blocked,
    _probes,
    _limits,
    _jitter,
    _round_trips,
    _losses,
    _correlations,
    _rates,
    _others,
)
