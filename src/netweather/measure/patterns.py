"""What is seen in patterns rather than in single packets: slots, the largest packet, a queue's room, the rate over a trace. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from netweather.conditions.model import Slot
from netweather.kernel.traffic.probe_packets import ProbeResult
from netweather.measure import statistics
from netweather.measure.evidence import Figure, Series, Verdict
from netweather.measure.expectation import Expected
from netweather.measure.judging import CLOCK, LATE, RATE_SLACK, excused, figure, over_time
from netweather.measure.statistics import Interval

SHORTEST_SLOT: Final = 0.004
"""Between shorter ones than this the machine's own scheduling can't be told from a slot."""


def judge_mtu(direction: str, mtu: int, fitting: ProbeResult, larger: ProbeResult) -> Figure:
    """Packets of the MTU arrive, and those that are one byte larger never do."""
    count = len(fitting.sent) + len(larger.sent)
    if fitting.refused or larger.refused:
        why = "the path's own MTU is smaller: packets of that size are refused"
        return figure("MTU", direction, "bytes", mtu, None, None, Verdict.CANT_TELL, count, why)
    if larger.seen:
        why = f"{len(larger.seen)} of {len(larger.sent)} packets of {mtu + 1} bytes arrived"
        return figure("MTU", direction, "bytes", mtu, mtu + 1, None, Verdict.FAIL, count, why)
    if not fitting.seen:
        why = f"none of {len(fitting.sent)} packets of {mtu} bytes arrived"
        return figure("MTU", direction, "bytes", mtu, None, None, Verdict.FAIL, count, why)
    return figure("MTU", direction, "bytes", mtu, mtu, None, Verdict.PASS, count, "")


def judge_listed(direction: str, expected: Expected, decided: Sequence[tuple[int, int]], arrivals: ProbeResult) -> Figure:
    """Just the packets of a list are lost. decided: of each line that it may be, the number of the latest packet before and after."""
    count, sent = len(expected.listed), len(arrivals.sent)
    moved = [(before, after - before) for before, after in decided if after != before]

    def told(verdict: Verdict, why: str, asked: float | None = None, seen: float | None = None) -> Figure:
        return figure("loss", direction, "packets", asked, seen, None, verdict, sent, why)

    if expected.corrupt.high or expected.duplicate or expected.timeline is not None:
        return told(Verdict.CANT_TELL, "corruption, duplicates or a trace hide which packets were lost")
    if len(moved) != 1 or moved[0][1] != sent:
        return told(
            Verdict.CANT_TELL, "the rule matched other packets meanwhile, so the numbers of the probe packets are unknown"
        )
    before = moved[0][0]
    asked = {number - before - 1 for number in expected.listed if before < number <= before + sent}
    lost = set(range(sent)) - {number for number, _, _ in arrivals.seen}
    if lost != asked:
        what = "no packet" if not lost else f"number {', '.join(str(before + 1 + each) for each in sorted(lost)[:5])}"
        why = f"of the packets {before + 1} to {before + sent} {what} was lost, and the list has {len(asked)} of them"
        return told(Verdict.FAIL, why, len(asked), len(lost))
    if not asked:
        later = [number for number in expected.listed if number > before]
        remedy = f"--samples {later[0] - before}" if later else "set it again, and verify immediately"
        return told(Verdict.CANT_TELL, f"the probe contained none of the list's {count} packets: {remedy}", 0, 0)
    return told(Verdict.PASS, "", len(asked), len(lost))


def judge_slots(direction: str, slot: Slot, arrivals: ProbeResult, spacing: float, frame: int) -> list[Figure]:
    """Packets come in batches: the time from one to the next, and how large they are. spacing: between two sent, s; frame: bytes."""
    shortest, longest = slot.minimum.seconds, (slot.maximum or slot.minimum).seconds
    asked = (shortest + longest) / 2
    times = sorted(arrived for _, _, arrived in arrivals.seen)

    def cannot(why: str) -> list[Figure]:
        return [figure("slot", direction, "s", asked, None, None, Verdict.CANT_TELL, len(times), why)]

    if shortest < SHORTEST_SLOT:
        return cannot(f"slots closer than {SHORTEST_SLOT * 1000:g} ms cannot be distinguished from the machine's scheduling")
    batches = _batches(times, shortest / 2)
    gaps = sorted((two[0] - one[0]) / 1e9 for one, two in pairwise(batches))
    if len(gaps) < 10:
        return cannot(f"{len(gaps) + 1} slots are too few")
    interval, seen = statistics.quantile_interval(gaps, 0.5), statistics.quantile(gaps, 0.5)

    def judged(late: float) -> Verdict:
        allowed = Interval(shortest * (1 - 2 * CLOCK) - late, longest + spacing + late)
        astray = sum(not allowed.low <= gap <= allowed.high for gap in gaps)
        good = interval.touches(allowed) and statistics.share_interval(astray, len(gaps)).low < 0.1
        return Verdict.PASS if good else Verdict.FAIL

    tardy = arrivals.tardy if spacing else 0.0
    verdict, why = excused(judged(LATE), judged(LATE + tardy), "batches come sooner or later than that", tardy)
    found = [figure("slot", direction, "s", asked, seen, interval, verdict, len(gaps), why)]
    return found + _batch_sizes(direction, slot, [len(batch) for batch in batches], frame)


def _batch_sizes(direction: str, slot: Slot, sizes: list[int], frame: int) -> list[Figure]:
    """No more packets in a slot than may be; the probe's burst is large enough to fill each."""
    limits = [slot.packets.count] if slot.packets else []
    limits += [-(-slot.bytes.bytes // frame)] if slot.bytes else []
    if not limits:
        return []
    most, full = min(limits), sorted(sizes[:-1])  # the last has what is left
    seen = statistics.quantile(full, 0.5)
    verdict = Verdict.PASS if seen == most else Verdict.FAIL
    return [figure("slot size", direction, "packets", most, seen, None, verdict, len(full), "the slots are filled otherwise")]


def _batches(times: Sequence[int], apart: float) -> list[list[int]]:
    found: list[list[int]] = []
    for at in times:
        if not found or (at - found[-1][-1]) / 1e9 > apart:
            found.append([])
        found[-1].append(at)
    return found


def judge_limit(direction: str, limit: int, arrivals: ProbeResult, leaving: float) -> Figure:
    """How many of a sudden burst the queue had room for. leaving: packets a second that left it meanwhile."""
    seconds = (arrivals.sent[-1] - arrivals.sent[0]) / 1e9
    seen = len({number for number, _, _ in arrivals.seen})
    interval = Interval(max(0.0, seen - leaving * seconds - 1), seen)
    allowed = Interval(limit * 0.98 - 2, limit * 1.02 + 2)
    if interval.high - interval.low > 0.5 * limit:
        why = f"too many packets left the queue while the probe filled it ({seconds * 1000:.0f} ms)"
        return figure("limit", direction, "packets", limit, seen, interval, Verdict.CANT_TELL, len(arrivals.sent), why)
    verdict = Verdict.PASS if interval.touches(allowed) else Verdict.FAIL
    why = "the queue has more room" if interval.low > allowed.high else "the queue has less room"
    return figure("limit", direction, "packets", limit, seen, interval, verdict, len(arrivals.sent), why)


def judge_rate_over_time(direction: str, expected: Expected, arrivals: ProbeResult, size: int) -> tuple[Figure, Series]:
    """The mean rate over whole periods of a trace."""
    timeline = expected.timeline
    assert timeline is not None
    asked = timeline.mean_rate or 0.0
    times = sorted(arrived for _, _, arrived in arrivals.seen)
    whole = int((times[-1] - times[0]) / 1e9 / timeline.period + 0.02) if len(times) >= 10 else 0
    if not whole:
        why = f"less than one period of {timeline.period:.3g} s was measured"
        return figure("rate", direction, "bit/s", asked, None, None, Verdict.CANT_TELL, len(times), why), Series()
    bits, seconds = (size + expected.headers) * 8, whole * timeline.period
    within = [at for at in times if at <= times[0] + seconds * 1e9]
    seen = len(within) * bits / seconds
    slack = 2 / len(within) + 0.002 / seconds
    interval = Interval(seen * (1 - slack), seen * (1 + slack))
    allowed = Interval(asked * (1 - RATE_SLACK), asked * (1 + RATE_SLACK))
    verdict = Verdict.PASS if interval.touches(allowed) else Verdict.FAIL
    why = f"the mean over {whole} periods differs"
    series = Series(rates=over_time(times, bits), rate_asked=asked)
    return figure("rate", direction, "bit/s", asked, seen, interval, verdict, len(within), why), series
