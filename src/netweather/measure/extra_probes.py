"""What a steady stream does not show, by packets sent on purpose: sizes for an MTU, batches for slots, a burst for a queue's limit,
whole periods for the rate of a trace, connects that are refused; and what passes beside the condition.

Only between two ends that can be entered. Not here: the verdicts (patterns).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from netweather.conditions.estimates.effects import FRAME, queue_packets
from netweather.kernel.traffic.bypass import both_ways
from netweather.kernel.traffic.probe_packets import SMALLEST, TCP, UDP, Ends, ProbeStream
from netweather.kernel.traffic.round_trips import refusals
from netweather.measure import patterns
from netweather.measure.evidence import Figure, Null, Series, Verdict
from netweather.measure.expectation import Expected
from netweather.measure.null_measurement import PACKETS, PPS, null_count, of_arrivals
from netweather.measure.probe_flow import PROTOCOL_NAMES, candidates
from netweather.units import Size

if TYPE_CHECKING:
    from netweather.measure.session import Session, SessionFindings

SIZED: Final = 40
LONGEST_QUEUE: Final = 5000
AT_ONCE: Final = 200_000.0
"""Packets a second: more than can be sent."""
FASTEST: Final = 30_000
_PATIENCE: Final = 0.4
REFUSALS: Final = 5
DISCARD: Final = 9


def measure(session: Session, found: SessionFindings, ends: Ends) -> None:
    """All that a direction's condition asks for, one after the other."""
    for way, expected in session.expected.items():
        if expected.blocked:
            continue
        condition = expected.condition
        if condition.slot is not None:
            _slots(session, found, ends, way, expected)
        if condition.limit is not None:
            _limit(session, found, ends, way, expected)
        if expected.timeline is not None:
            _rate_over_time(session, found, ends, way, expected)
        if condition.mtu is not None:  # last: from now on packets are not fragmented
            _sizes(session, found, ends, way, expected)


def without(session: Session, found: SessionFindings, ends: Ends) -> None:
    """The same each direction by itsession."""
    before, number = session.counted(), null_count(session.expected.values(), PACKETS)
    size = min(each.size for each in session.expected.values())
    try:
        session.check_passable()
        with both_ways(ends, session.namespace) as past:
            seen = past.exchange({way: ProbeStream(number, PPS, size) for way in session.expected}, 0.2)
    except OSError as error:
        found.nulls += [
            Null(way, None, None, why=f"it can't be measured here: {error.strerror or error}") for way in session.expected
        ]
    else:
        found.nulls += [of_arrivals(way, arrivals) for way, arrivals in seen.items()]
    found.apart += session.counted() - before


def refused(session: Session, found: SessionFindings, way: str) -> None:
    """Whether who is blocked gets an answer. Who begins is the target, or the peer for what comes in."""
    begins, other = (session.namespace, session.remote) if way == "egress" else (session.peer, session.local)
    for flow in candidates(replace(session.match, tcp_flags=None), session.local, session.remote):
        mine, port = (flow.local_port, flow.remote_port) if way == "egress" else (flow.remote_port, flow.local_port)
        ends = (50_000, port or DISCARD) if way == "egress" else (port or DISCARD, 50_000)
        met = replace(flow, local_port=ends[0], remote_port=ends[1])
        if begins is None or mine or flow.protocol not in (TCP, UDP) or not session.meets(met, way):
            continue
        count = refusals(begins, other, port or DISCARD, REFUSALS, session.late + _PATIENCE, udp=flow.protocol == UDP)
        found.sent += REFUSALS
        found.probes.append(f"{REFUSALS} {PROTOCOL_NAMES[flow.protocol]} connects, {way}")
        verdict = Verdict.PASS if count == REFUSALS else Verdict.FAIL
        why = "" if count == REFUSALS else f"{count} of {REFUSALS} {PROTOCOL_NAMES[flow.protocol]} connects were refused"
        found.figures.append(Figure("reject", way, "share", 1.0, count / REFUSALS, None, verdict, REFUSALS, why))
        return


def _cannot(found: SessionFindings, name: str, way: str, unit: str, asked: float | None, why: str) -> None:
    found.figures.append(Figure(name, way, unit, asked, None, None, Verdict.CANT_TELL, 0, why))


def _slots(session: Session, found: SessionFindings, ends: Ends, way: str, expected: Expected) -> None:
    slot = expected.condition.slot
    assert slot is not None
    longest, frame = (slot.maximum or slot.minimum).seconds, expected.size + expected.framing
    seconds = min(0.2 * session.seconds, max(0.5, 30 * longest))
    pace = min(3000.0, max(50.0, 8 / max(slot.minimum.seconds, 0.001)))
    if (limited := slot.packets or slot.bytes) and expected.rate is not None:
        _cannot(found, "slot size", way, "packets", None, "the rate decides how slots are filled")
        slot, limited = replace(slot, packets=None, bytes=None), None
    if expected.rate is not None:
        pace = min(pace, 0.5 * expected.rate / frame / 8)
    stream = ProbeStream(max(20, int(pace * seconds)), pace, expected.size)
    if limited:
        most = slot.packets.count if slot.packets else -(-slot.bytes.bytes // frame) if slot.bytes else 1
        stream = ProbeStream(min(8000, int(most * seconds / longest)) or 1, AT_ONCE, expected.size)
    session.tell(0.8, "batches for the slots")
    seen = ends.exchange({way: stream}, session.late + longest + _PATIENCE)[way]
    found.sent += len(seen.sent)
    spacing = 0.0 if limited else 1 / pace
    found.figures += patterns.judge_slots(way, slot, seen, spacing, frame)


def _limit(session: Session, found: SessionFindings, ends: Ends, way: str, expected: Expected) -> None:
    """A burst of twice what the queue holds."""
    limit = expected.condition.limit
    frame = expected.size + expected.framing
    room = limit.bytes // frame if isinstance(limit, Size) else queue_packets(expected.condition) or 0
    delay, rate = expected.delays[0], expected.rate
    drained = room * expected.wire(expected.size)
    why = ""
    if expected.loss.high or expected.duplicate or expected.timeline is not None or expected.condition.slot is not None:
        why = "losses, duplicates, slots or a trace hide how many packets the queue holds; the limit was read back"
    elif room > LONGEST_QUEUE or drained > 0.3 * session.seconds:
        why = "the queue is too long for the probe to fill it; the limit was read back"
    elif not rate and not delay:
        why = "no packet waits without a delay or a rate; the limit was read back"
    if why:
        _cannot(found, "limit", way, "packets", room, why)
        return
    session.tell(0.85, "a burst for the queue")
    seen = ends.exchange({way: ProbeStream(2 * room + 50, AT_ONCE, expected.size)}, session.late + _PATIENCE)[way]
    found.sent += len(seen.sent)
    seconds = (seen.sent[-1] - seen.sent[0]) / 1e9
    leaving = 1 / expected.wire(expected.size) if expected.wire(expected.size) else 0.0
    if seconds > delay:
        leaving += room / delay if delay and not rate else 0.0
    found.figures.append(patterns.judge_limit(way, room, seen, leaving))


def _rate_over_time(session: Session, found: SessionFindings, ends: Ends, way: str, expected: Expected) -> None:
    timeline = expected.timeline
    assert timeline is not None
    asked = timeline.mean_rate
    if asked is None:
        if timeline.least_rate is not None:
            _cannot(found, "rate", way, "bit/s", None, "the trace has times without a rate")
        return
    size = min(FRAME - expected.framing, ends.largest)
    pps = 1.5 * timeline.most_rate / 8 / (size + expected.headers)
    seconds = timeline.period * 1.02 + timeline.slowest + 0.1
    if seconds > 0.35 * session.seconds or pps > FASTEST:
        why = f"a period of {timeline.period:.3g} s at {timeline.most_rate / 1e6:.3g} Mbit/s is more than the probe sends"
        _cannot(found, "rate", way, "bit/s", asked, why)
        return
    session.tell(0.9, "a period of the trace")
    stream = ProbeStream(max(20, int(pps * seconds)), pps, size)
    seen = ends.exchange({way: stream}, session.late + timeline.period + _PATIENCE)[way]
    found.sent += len(seen.sent)
    figure, series = patterns.judge_rate_over_time(way, expected, seen, size)
    found.figures.append(figure)
    old = found.series.get(way, Series())
    found.series[way] = replace(old, rates=series.rates, rate_asked=series.rate_asked)


def _sizes(session: Session, found: SessionFindings, ends: Ends, way: str, expected: Expected) -> None:
    mtu = expected.condition.mtu
    assert mtu is not None
    payload = mtu - ends.flow.headers
    if payload < SMALLEST:
        _cannot(found, "MTU", way, "bytes", mtu, "the probe's packets have more headers than that")
        return
    ends.in_one_piece()
    rate = expected.timeline.least_rate if expected.timeline else expected.rate
    pps = min(300.0, 0.5 * rate / 8 / (mtu + 14) if rate else 300.0)
    count = max(5, min(SIZED, int(0.05 * session.seconds * pps)))
    session.tell(0.95, "sizes for the MTU")
    patience = session.late + _PATIENCE
    fitting = ends.exchange({way: ProbeStream(count, pps, payload)}, patience)[way]
    larger = ends.exchange({way: ProbeStream(count, pps, payload + 1)}, patience)[way]
    found.sent += 2 * count - fitting.refused - larger.refused
    found.figures.append(patterns.judge_mtu(way, mtu, fitting, larger))
