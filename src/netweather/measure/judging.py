"""From arrivals to figures: each field of a direction beside what was asked, with its interval and a verdict. Pure.

PASS: the interval is within what the condition allows; FAIL: it lies outside; CAN'T TELL: neither, or nothing to judge by.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from netweather.kernel.traffic.probe_packets import ProbeResult
from netweather.measure import statistics
from netweather.measure.evidence import Figure, Series, Verdict
from netweather.measure.expectation import Expected
from netweather.measure.statistics import Draws, Interval

CLOCK: Final = 0.0005
"""A clock's rate may be corrected by so much while it runs (adjtimex's bound, 500 ppm)."""
LATE: Final = 0.0015
LATE_SHARE: Final = 0.02
"""What a packet may be late by besides the baseline: the machine's scheduling, and a share of the delay."""
ECHO: Final = 32
"""Bytes of an echo's payload; a SYN over TCP is as large as such an echo."""
COARSE: Final = 0.22
"""Where chance explains a larger distance between distributions than this, nothing is said of them."""
RATE_SLACK: Final = 0.05
VAGUE: Final = 5
"""A share is told when its interval excludes so many times less and more than what was asked, as odds."""
UNASKED: Final = 0.002
"""Losses that nobody asked for are noticed above this share."""


def figure(name: str, direction: str, unit: str, asked: float | None, seen: float | None, interval: Interval | None,
           verdict: Verdict, samples: int, why: str) -> Figure:  # fmt: skip
    """A figure; PASS needs no reason."""
    return Figure(name, direction, unit, asked, seen, interval, verdict, samples, "" if verdict is Verdict.PASS else why)


@dataclass
class Judge:
    """One direction's figures. base: the delay without the condition, s."""

    direction: str
    expected: Expected
    arrivals: ProbeResult
    base: float = 0.0
    figures: list[Figure] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.count = len(self.arrivals.sent)
        self.first: dict[int, tuple[int, int]] = {}
        for number, sent, arrived in self.arrivals.seen:
            self.first.setdefault(number, (sent, arrived))
        self.copies = len(self.arrivals.seen) - len(self.first)
        self.lost = [number for number in range(self.count) if number not in self.first]
        self.delays = sorted((arrived - sent) / 1e9 for sent, arrived in self.first.values())

    def add(self, name: str, unit: str, asked: float | None, seen: float | None, interval: Interval | None, verdict: Verdict,
            why: str = "", samples: int = 0) -> None:  # fmt: skip
        self.figures.append(figure(name, self.direction, unit, asked, seen, interval, verdict, samples, why))

    def cannot(self, name: str, unit: str, asked: float | None, why: str) -> None:
        self.add(name, unit, asked, None, None, Verdict.CANT_TELL, why)

    # delays

    def delay(self) -> list[float]:
        """Median and distribution. Returns the model's delays."""
        expected = self.expected
        model = expected.model([(at - self.arrivals.sent[0]) / 1e9 for at in self.arrivals.sent])
        asked = statistics.quantile(model, 0.5)
        early = max(0.0001, CLOCK * model[-1])
        late = LATE + LATE_SHARE * asked
        if (why := self._no_delays("delay")) is not None:
            self.cannot("delay", "s", asked, why)
            return model
        seen = self._judged_delays(model)
        interval = statistics.quantile_interval(seen, 0.5)
        allowed = Interval(asked - early, asked + self.base + late)
        if expected.timeline is not None and expected.timeline.moments:
            self._over_time(early, late)
        elif expected.waiting:
            self._gathered(asked, early)
        elif expected.moves:  # the model is drawn, too
            around = statistics.quantile_interval(model, 0.5)
            allowed = Interval(around.low - early, around.high + self.base + late)
            self._within(asked, seen, interval, allowed, _overlapping)
            self._jitter(seen, model, early, late)
        else:
            self._within(asked, seen, interval, allowed, _verdict)
        return model

    def _within(self, asked: float, seen: Sequence[float], interval: Interval, allowed: Interval,
                judged: Callable[[Interval, Interval], Verdict]) -> None:  # fmt: skip
        """The delay's figure."""
        later = replace(allowed, high=allowed.high + self.arrivals.tardy)
        verdict, why = excused(judged(interval, allowed), judged(interval, later), _off(interval, allowed), self.arrivals.tardy)
        self.add("delay", "s", asked, statistics.quantile(seen, 0.5), interval, verdict, why, len(seen))

    def _apart(self, name: str, seen: Sequence[float], model: Sequence[float], early: float, late: float, what: str) -> None:
        """The figure of how far two distributions are apart."""
        allowed = statistics.distribution_allowance(len(seen), len(model))
        found = statistics.distance(seen, model, early, late)
        again = statistics.distance(seen, model, early, late + self.arrivals.tardy)
        interval = Interval(max(0.0, found - allowed), found + allowed)
        strictly, tardily = (Verdict.PASS if each <= allowed else Verdict.FAIL for each in (found, again))
        verdict, why = excused(
            strictly, tardily, f"{what} differ by {found:.3f}, and chance explains {allowed:.3f}", self.arrivals.tardy
        )
        if allowed > COARSE and verdict is Verdict.PASS:
            verdict, why = Verdict.CANT_TELL, f"{len(seen)} independent packets are too few"
        self.add(name, "distance", 0.0, found, interval, verdict, why, len(seen))

    def _over_time(self, early: float, late: float) -> None:
        """All delays of whole periods of a trace, against those that it has then."""
        timeline = self.expected.timeline
        assert timeline is not None
        period = timeline.period
        sent = self.arrivals.sent
        whole = int((sent[-1] - sent[0]) / 1e9 / period + 0.02)
        if not whole:
            pace = self.expected.pace()
            why = f"the trace's period of {period:.3g} s is longer than the measurement: --samples {math.ceil(pace * period)}"
            self.cannot("delay", "distance", 0.0, why)
            return
        end = sent[0] + whole * period * 1e9
        seen = sorted((arrived - at) / 1e9 for at, arrived in self.first.values() if at < end)
        what = f"over {whole} periods the measured delays and the trace's"
        self._apart("delay", seen, self._over_period(), early, self.base + late, what)

    def _over_period(self) -> list[float]:
        """The delays of a trace's whole period, of packets as they are sent."""
        timeline, arrivals = self.expected.timeline, self.arrivals
        assert timeline is not None
        seconds = (arrivals.sent[-1] - arrivals.sent[0]) / 1e9 if len(arrivals.sent) > 1 else 0.0
        pace = (len(arrivals.sent) - 1) / seconds if seconds else self.expected.pace()
        return timeline.delays(pace, (self.expected.size + self.expected.headers) * 8)

    def _gathered(self, asked: float, early: float) -> None:
        """Delays of packets that wait for a slot or an opportunity: from none of that to all of it. The middle 80 % are judged."""
        low = statistics.quantile_interval(self.delays, 0.1).low
        high = statistics.quantile_interval(self.delays, 0.9).high
        slack = self.base + LATE + LATE_SHARE * self.expected.slowest
        allowed = Interval(self.expected.delays[0] - early, self.expected.slowest + slack)
        self._within(asked + self.expected.waiting / 2, self.delays, Interval(low, high), allowed, _verdict)

    def _no_delays(self, name: str) -> str | None:
        if name in self.expected.unknown:
            return self.expected.unknown[name]
        if self.arrivals.stepped:
            return "the clock was set meanwhile"
        return None if len(self.delays) >= 10 else f"{len(self.delays)} packets arrived"

    def _judged_delays(self, model: Sequence[float]) -> list[float]:
        """Independent ones, and without those that were sent at once, when packets overtake by choice."""
        step = self.expected.step([at / 1e9 for at in self.arrivals.sent])
        delays = sorted((arrived - sent) / 1e9 for number, (sent, arrived) in self.first.items() if number % step == 0)
        if self.expected.reorder:
            delays = [delay for delay in delays if delay > model[0] / 2]
        return delays or self.delays

    def _jitter(self, seen: list[float], model: list[float], early: float, late: float) -> None:
        if "jitter" in self.expected.unknown:
            self.cannot("jitter", "distance", 0.0, self.expected.unknown["jitter"])
            return
        self._apart("jitter", seen, model, early, min(late, self.base + LATE), "the distributions")

    # shares

    def share(self, name: str, hits: int, count: int, asked: Interval, *, spread: float = 1.0) -> None:
        """A share with its exact interval; what was asked may be an interval itself."""
        middle = (asked.low + asked.high) / 2
        if name in self.expected.unknown:
            self.cannot(name, "share", middle, self.expected.unknown[name])
            return
        interval = statistics.share_interval(hits / spread, count / spread)
        seen = hits / count if count else None
        if not count:
            verdict, why = Verdict.CANT_TELL, "no packet was sent"
        elif asked.high == 0:
            verdict = Verdict.FAIL if interval.low > UNASKED else Verdict.PASS
            why = "it was not requested" if verdict is Verdict.FAIL else ""
        elif not interval.touches(asked):
            verdict, why = Verdict.FAIL, _off(interval, asked)
        elif _vague(interval, asked):
            verdict = Verdict.CANT_TELL
            why = f"{count} packets are too few for this share: --samples {_packets_for(middle, spread)}"
        else:
            verdict, why = Verdict.PASS, ""
        self.add(name, "share", middle, seen, interval, verdict, why, count)

    def losses(self) -> None:
        """The share lost, and how many in a row; a list's are judged by their numbers (patterns)."""
        expected = self.expected
        if expected.listed:
            return
        lost = max(0, len(self.lost) - self.arrivals.corrupted)
        self.share("loss", lost, self.count, expected.loss, spread=expected.spread)
        if expected.run_length is None or "loss" in expected.unknown:
            return
        lengths = statistics.runs(self.lost)
        interval = statistics.mean_run_interval(lengths)
        seen = len(self.lost) / len(lengths) if lengths else None
        wanted = expected.run_length
        verdict = Verdict.PASS if interval.low <= wanted <= interval.high else Verdict.FAIL
        why = "" if verdict is Verdict.PASS else "the measured bursts have another length"
        if len(lengths) < 20 and verdict is Verdict.PASS:
            verdict, why = Verdict.CANT_TELL, f"{len(lengths)} bursts are too few"
        self.add("loss burst", "packets", wanted, seen, interval, verdict, why, len(lengths))

    def others(self, model: Sequence[float]) -> None:
        """Duplicates, corruption and reordering: where asked for, or seen although not."""
        expected, arrived = self.expected, len(self.first)
        self.share("duplicate", self.copies, self.count, Interval(expected.duplicate, expected.duplicate))
        wrong, whole = self.arrivals.corrupted, self.count - max(0, len(self.lost) - self.arrivals.corrupted)
        self.share("corrupt", wrong, whole, expected.corrupt)
        if expected.condition.ecn or self.arrivals.marked:
            asked = Interval(expected.marked, expected.marked)
            self.share("ECN mark", self.arrivals.marked, max(1, arrived), asked, spread=expected.spread)
        if "queue" in expected.unknown:
            self.cannot("queue", "", None, expected.unknown["queue"])
        delay = expected.condition.delay
        if expected.reorder and arrived:
            early = sum(delay < model[0] / 2 for delay in self.delays)
            self.share("reorder", early, arrived, Interval(expected.reorder, expected.reorder))
        elif expected.condition.trace is None and (not expected.moves or (delay and delay.keep_order)):
            self.share("reorder", self._overtaken(), max(1, arrived - 1), Interval(0.0, 0.0))

    def _overtaken(self) -> int:
        """Packets that arrived after one that was sent later."""
        latest, found = -1, 0
        for number, _, _ in self.arrivals.seen:
            found += number < latest
            latest = max(latest, number)
        return found

    def series(self, model: Sequence[float]) -> Series:
        if self.expected.timeline is not None and self.expected.timeline.moments:
            model = self._over_period()
        return Series(tuple(self.delays), tuple(model), tuple(statistics.runs(self.lost)), self.expected.run_length)


def judge_stream(direction: str, expected: Expected, arrivals: ProbeResult, base: float = 0.0) -> tuple[list[Figure], Series]:
    """The figures of one direction. base: the median delay there without the condition (s)."""
    judge = Judge(direction, expected, arrivals, base)
    if arrivals.refused > len(arrivals.sent) // 100 and not expected.blocked:
        judge.cannot("loss", "share", None, f"this machine refused to send {arrivals.refused} of {len(arrivals.sent)} packets")
        return judge.figures, Series()
    if expected.blocked:
        judge.losses()
        return judge.figures, judge.series(())
    model = judge.delay()
    judge.losses()
    judge.others(model)
    return judge.figures, judge.series(model)


def judge_rate(direction: str, expected: Expected, arrivals: ProbeResult, size: int, offered: float) -> tuple[Figure, Series]:
    """The rate between the first arrival and the last of a burst. offered: bits a second that were sent."""
    asked = expected.rate or 0.0
    times = sorted(arrived for _, _, arrived in arrivals.seen)

    def told(verdict: Verdict, why: str, seen: float | None = None, interval: Interval | None = None) -> Figure:
        return figure("rate", direction, "bit/s", asked, seen, interval, verdict, len(times), why)

    if "rate" in expected.unknown:
        return told(Verdict.CANT_TELL, expected.unknown["rate"]), Series()
    if len(times) < 10 or times[-1] == times[0]:
        return told(Verdict.CANT_TELL, f"{len(times)} packets arrived"), Series()
    bits, seconds = (size + expected.headers) * 8, (times[-1] - times[0]) / 1e9
    seen = (len(times) - 1) * bits / seconds
    slack = 1 / len(times) + min(0.5, 0.001 / seconds)
    interval = Interval(seen * (1 - slack), seen * (1 + slack))
    allowed = Interval(asked * (1 - RATE_SLACK), asked * (1 + RATE_SLACK))
    series = Series(rates=over_time(times, bits), rate_asked=asked)
    if offered < asked * 1.1 and not interval.low > allowed.high:
        return told(Verdict.CANT_TELL, f"the probe could send {offered / 1e6:.3g} Mbit/s only", seen, interval), series
    kept_up = _kept_up(arrivals.sent, bits, asked) if arrivals.sent else asked
    verdict, why = _overlapping(interval, allowed), _off(interval, allowed)
    if verdict is Verdict.FAIL and interval.touches(Interval(kept_up * (1 - RATE_SLACK), asked)):
        verdict, why = Verdict.CANT_TELL, "this machine is too busy: it sent the burst with pauses"
    return told(verdict, why, seen, interval), series


def _kept_up(sent: Sequence[int], bits: int, rate: float) -> float:
    """The rate that a link of this rate shows between the first and the last of packets that were sent at these times (ns)."""
    each, due, first = bits * 1e9 / rate, 0.0, 0.0
    for number, at in enumerate(sent):
        due = max(at, due) + each
        first = first if number else due
    return (len(sent) - 1) * bits * 1e9 / max(1.0, due - first)


def over_time(times: Sequence[int], bits: int) -> tuple[tuple[float, float], ...]:
    width = max(1, (times[-1] - times[0]) // 40)
    counts = [0] * 41
    for at in times:
        counts[min(40, (at - times[0]) // width)] += 1
    return tuple(((index + 0.5) * width / 1e9, count * bits * 1e9 / width) for index, count in enumerate(counts[:40]))


def judge_rtt(times: Sequence[float], sent: int, up: Expected, down: Expected, base: float | None, probe: str) -> Figure:
    """The median round trip. base: the path's own (s); None when it isn't known: then only too short a one is told."""
    draw = Draws(7)
    sums = sorted(_drawn(up, draw) + _drawn(down, draw) for _ in range(4000))
    serial = up.wire(ECHO) + down.wire(ECHO)
    asked = statistics.quantile(sums, 0.5) + serial

    def told(verdict: Verdict, why: str, seen: float | None = None, interval: Interval | None = None) -> Figure:
        return figure("RTT", "round trip", "s", asked, seen, interval, verdict, len(times), why)

    unknown = next((each.unknown[field] for each in (up, down) for field in ("RTT", "delay") if field in each.unknown), None)
    if unknown:
        return told(Verdict.CANT_TELL, unknown)
    if len(times) < 5:
        return told(Verdict.CANT_TELL, f"{len(times)} of {sent} {probe} were answered")
    ordered = sorted(times)
    interval, seen = statistics.quantile_interval(ordered, 0.5), statistics.quantile(ordered, 0.5)
    model = statistics.quantile_interval(sums, 0.5)
    early = 0.0002 + CLOCK * asked
    allowed = Interval(model.low + serial - early, model.high + serial + (base or 0.0) + 2 * LATE + LATE_SHARE * asked)
    verdict = _overlapping(interval, allowed)
    if base is None and interval.low > allowed.high:
        return told(Verdict.CANT_TELL, "the path's own round trip is not known", seen, interval)
    return told(verdict, _off(interval, allowed), seen, interval)


def _drawn(expected: Expected, draw: Draws) -> float:
    delay = expected.delays[int(draw() * 256)]
    return 0.0 if expected.reorder and draw() < expected.reorder else delay


def excused(strictly: Verdict, tardily: Verdict, why: str, tardy: float) -> tuple[Verdict, str]:
    """The verdict, with what it rests on: nothing passes only because this machine's own lateness (s) is allowed for, nor fails so."""
    if strictly is not Verdict.FAIL or tardily is Verdict.FAIL:
        return strictly, why
    return Verdict.CANT_TELL, f"this machine is too busy: the probe packets were sent {tardy * 1000:.1f} ms late"


def _verdict(interval: Interval, allowed: Interval) -> Verdict:
    if interval.within(allowed):
        return Verdict.PASS
    return Verdict.CANT_TELL if interval.touches(allowed) else Verdict.FAIL


def _overlapping(interval: Interval, allowed: Interval) -> Verdict:
    """For figures whose interval is honest already: it needs only meet what is allowed, when it isn't far wider."""
    if not interval.touches(allowed):
        return Verdict.FAIL
    wide = math.isinf(interval.high - interval.low) or interval.high - interval.low > 4 * (allowed.high - allowed.low)
    return Verdict.CANT_TELL if wide else Verdict.PASS


def _off(interval: Interval, allowed: Interval) -> str:
    if interval.within(allowed):
        return ""
    if interval.touches(allowed):
        return "the interval reaches beyond what is allowed"
    return "it is more than requested" if interval.low > allowed.high else "it is less than requested"


def _vague(interval: Interval, asked: Interval) -> bool:
    """Whether a share with this interval could as well be a fifth of what was asked, or five times as much, as odds; of all, half."""
    if asked.low >= 1:
        return interval.low < 0.5
    low, high, least, most = (
        each / (1 - each) if each < 1 else math.inf for each in (interval.low, interval.high, asked.low, asked.high)
    )
    return least > 0 and (low * VAGUE < least or high > VAGUE * most)


def _packets_for(share: float, spread: float) -> int:
    return math.ceil(max(20 / share, 20 / (1 - share)) * spread) if 0 < share < 1 else 0
