"""What an application will see of a condition: RTT, connect, first byte, throughput, speech, order; and the traps.

Estimates for a healthy path with `base` round-trip time of its own. Round trips to the first byte, without resumption:
TCP 1, TLS 1.3 1 (RFC 8446), TLS 1.2 2 (RFC 5246), the request 1; QUIC 1 and the request 1 (RFC 9000). A rate adds the time that
each of their packets takes on the link (exchanges has the formula). Not here: measuring (measure/), what an engine can do (lines/).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from netweather.conditions.estimates.effects import (
    Effects,
    TraceEffects,
    bulk_throughput,
    effects_of,
    has_list,
    reordering,
    wire_time,
)  # fmt: skip
from netweather.conditions.estimates.exchanges import PING, REQUEST, SMALL_ANSWER, TRANSFER, Exchange, download, upload
from netweather.conditions.estimates.traps import Path, Trap, traps_of
from netweather.conditions.model import Condition, Rule
from netweather.conditions.profiles import Profile, directions
from netweather.conditions.queues import longest_wait
from netweather.units import Duration, Rate

BASE_RTT: Final = Duration(200_000)
"""A container's round trip to another on the same host or network, when nobody measured it."""
SPEECH_SPACING: Final = 0.02
"""Seconds between two packets of speech (RFC 3551's 20 ms)."""
PLAYOUT: Final = 0.06
"""Seconds that a receiver of speech waits for late packets."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What to expect. Times are None when they never come; rates are None when the condition sets no bound.

    rtt_added: by the condition, in the mean, to a ping of the usual size; rtt: with the path's own. Shares are 0 to 1.
    download, upload: of 100 kB, from the connection's beginning.
    queue_up, queue_down: how long a packet waits behind a full queue; None without a rate.
    speech_lost: packets of speech lost or too late, in the worse direction. reordered_bulk: of packets back to back.
    """

    rtt_added: Duration | None
    rtt_added_up: Duration | None
    rtt_added_down: Duration | None
    rtt: Duration | None
    connect: Duration | None
    first_byte_http: Duration | None
    first_byte_tls13: Duration | None
    first_byte_tls12: Duration | None
    first_byte_quic: Duration | None
    download: Duration | None
    upload: Duration | None
    throughput_up: Rate | None
    throughput_down: Rate | None
    loss_up: float
    loss_down: float
    speech_lost: float
    reordered_bulk: float
    reordered_speech: float
    connects_late: float
    trace_up: TraceEffects | None
    trace_down: TraceEffects | None
    traps: tuple[Trap, ...]
    queue_up: Duration | None = None
    queue_down: Duration | None = None

    def lines(self) -> list[tuple[str, str]]:
        """The figures in words: what, and how much."""
        return [
            ("round trip added", _added(self)),
            ("round trip", _time(self.rtt)),
            ("TCP connect", _time(self.connect)),
            ("first byte, HTTP", _time(self.first_byte_http)),
            ("first byte, TLS 1.3", _time(self.first_byte_tls13)),
            ("first byte, TLS 1.2", _time(self.first_byte_tls12)),
            ("first byte, QUIC", _time(self.first_byte_quic)),
            ("download of 100 kB", _time(self.download)),
            ("upload of 100 kB", _time(self.upload)),
            ("bulk TCP up", _speed(self.throughput_up)),
            ("bulk TCP down", _speed(self.throughput_down)),
            ("wait in a full queue up, down", f"{_wait(self.queue_up)}, {_wait(self.queue_down)}"),
            ("packets lost up, down", f"{_share(self.loss_up)}, {_share(self.loss_down)}"),
            ("speech lost or late", _share(self.speech_lost)),
            ("reordered, bulk", _share(self.reordered_bulk)),
            ("reordered, speech", _share(self.reordered_speech)),
            ("connects that wait 1 s or fail", _share(self.connects_late)),
            *_trace_lines("up", self.trace_up),
            *_trace_lines("down", self.trace_down),
        ]


Follow = Callable[[str, Effects], TraceEffects]
"""Reads a trace, and says what it does beside the effects of the condition without it: lines.traces.follow."""


def explain_rule(
    rule: Rule, own: Mapping[str, Profile] | None = None, base: Duration = BASE_RTT, follow: Follow | None = None
) -> Explanation:
    """What traffic that the rule matches will see; profiles are looked up. Raises UsageError unknown-profile, and what `follow` does."""
    up, down = directions(rule, own)
    return explain(up or Condition(), down or Condition(), base, follow)


def explain(up: Condition, down: Condition, base: Duration = BASE_RTT, follow: Follow | None = None) -> Explanation:
    """What an application sees whose egress has the condition `up` and whose ingress has `down` (profiles replaced).

    follow: reads traces; without it what they do is left out, and a note says so.
    """
    ways = _effects(up, follow), _effects(down, follow)
    stopped = any(way.loss >= 1 for way in ways)
    added = [way.mean_delay + wire_time(way, PING) for way in ways]
    times = _Times(*ways, base.seconds)
    speeds = [0.0 if stopped else bulk_throughput(way, times.rtt) for way in ways]
    path = Path(up, down, *ways, math.inf if stopped else times.rtt, times.connect, times.answered)
    return Explanation(
        rtt_added=None if stopped else _duration(sum(added)),
        rtt_added_up=None if ways[0].loss >= 1 else _duration(added[0]),
        rtt_added_down=None if ways[1].loss >= 1 else _duration(added[1]),
        **{name: None if stopped else _duration(value) for name, value in times.told(speeds).items()},
        throughput_up=_rate(speeds[0]),
        throughput_down=_rate(speeds[1]),
        loss_up=ways[0].loss,
        loss_down=ways[1].loss,
        speech_lost=max(map(_speech, ways)),
        reordered_bulk=max(way.reordered for way in ways),
        reordered_speech=max(reordering(condition, SPEECH_SPACING) for condition in (up, down)),
        connects_late=1 - (1 - ways[0].loss) * (1 - ways[1].loss),
        trace_up=ways[0].trace,
        trace_down=ways[1].trace,
        traps=traps_of(path) + _list_trap(up, down),
        queue_up=_queue(up, ways[0]),
        queue_down=_queue(down, ways[1]),
    )


def _effects(condition: Condition, follow: Follow | None) -> Effects:
    usual = effects_of(condition)
    return usual if follow is None or condition.trace is None else usual.following(follow(condition.trace, usual))


class _Times:
    """What exchanges over both directions take, s."""

    def __init__(self, up: Effects, down: Effects, base: float) -> None:
        self._path = up, down, base
        self.rtt = self._begun().ping()
        self.connect = self._begun().connect()
        connected = self._begun()
        connected.connect()
        self.answered = connected.ask(REQUEST, SMALL_ANSWER)

    def _begun(self) -> Exchange:
        return Exchange.over(*self._path)

    def told(self, speeds: list[float]) -> dict[str, float]:
        """By the explanation's names. speeds: of bulk TCP up and down, which losses slow down."""
        http, tls13, tls12 = self._begun(), self._begun(), self._begun()
        for each in (http, tls13, tls12):
            each.connect()
        tls13.tls13()
        tls12.tls12()
        slow = [TRANSFER * 8 / speed if speed else math.inf for speed in speeds]
        return {
            "rtt": self.rtt,
            "connect": self.connect,
            "first_byte_http": http.first_byte(),
            "first_byte_tls13": tls13.first_byte(),
            "first_byte_tls12": tls12.first_byte(),
            "first_byte_quic": self._begun().quic(),
            "download": max(download(*self._path), slow[1]),
            "upload": max(upload(*self._path), slow[0]),
        }


def _speech(way: Effects) -> float:
    """Lost, or later than the playout buffer waits, counted from the earliest packets."""
    late = sum(delay > way.delays[0] + PLAYOUT for delay in way.delays) / len(way.delays)
    return 1 - (1 - way.loss) * (1 - late)


def _list_trap(up: Condition, down: Condition) -> tuple[Trap, ...]:
    if not (has_list(up) or has_list(down)):
        return ()
    return (Trap("list-not-explained", "the losses are a list, which the shares above leave out", "count them after the run"),)


def _duration(seconds: float) -> Duration | None:
    return None if math.isinf(seconds) else Duration(min(round(seconds * 1e9), 2**63 - 1))


def _rate(bits: float) -> Rate | None:
    return None if math.isinf(bits) else Rate(round(bits))


def _trace_lines(way: str, trace: TraceEffects | None) -> list[tuple[str, str]]:
    if trace is None:
        return []
    rate, delay, loss = trace.rate, trace.delay, trace.loss
    words = [
        f"{_bits(rate.least)} to {_bits(rate.most)}, {_bits(rate.mean)} in the mean"
        if rate.least < rate.most
        else _bits(rate.mean)
    ]
    if delay.most:
        words.append(f"delay {_seconds(delay.least)} to {_seconds(delay.most)}")
    if loss.most:
        words.append(f"loss {_share(loss.least)} to {_share(loss.most)}")
    return [(f"trace {way}, every {_seconds(trace.period)}", "; ".join(words))]


def _added(explanation: Explanation) -> str:
    up, down = _time(explanation.rtt_added_up), _time(explanation.rtt_added_down)
    return f"{_time(explanation.rtt_added)} ({up} up, {down} down)"


def _time(value: Duration | None) -> str:
    return "never" if value is None else _seconds(value.seconds)


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1e3:.1f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f} µs"


def _queue(condition: Condition, way: Effects) -> Duration | None:
    seconds = longest_wait(condition, way.rate)
    return None if seconds is None else _duration(seconds)


def _wait(value: Duration | None) -> str:
    return "no queue" if value is None else _seconds(value.seconds)


def _speed(value: Rate | None) -> str:
    return "not limited by this" if value is None else _bits(value.bits_per_second)


def _bits(value: float) -> str:
    if math.isinf(value):
        return "no limit"
    for size, unit in ((1e9, "Gbit/s"), (1e6, "Mbit/s"), (1e3, "kbit/s")):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.0f} bit/s"


def _share(value: float) -> str:
    return "0 %" if not value else f"{value * 100:.3g} %"


__all__ = ["BASE_RTT", "Explanation", "Trap", "explain", "explain_rule"]
