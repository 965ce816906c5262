"""One rule, probed: round trips, a stream in each direction, a burst for the rate; then what came of it.

Opens nothing itself (kernel.traffic.probe_packets does) and knows neither journal nor engine.
"""

from __future__ import annotations

import errno
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from netweather.conditions import Condition, Match
from netweather.kernel.datapath.spec import Datapath, RuleId
from netweather.kernel.namespaces import Namespace
from netweather.kernel.netlink.links import way_out
from netweather.kernel.traffic.bypass import echoes
from netweather.kernel.traffic.many_flows import Fan
from netweather.kernel.traffic.probe_packets import TCP, UDP, Ends, Flow, ProbeResult, ProbeStream
from netweather.kernel.traffic.round_trips import connect_times, echo_times
from netweather.measure import extra_probes, patterns
from netweather.measure.evidence import Figure, Measured, Null, Series, Verdict
from netweather.measure.expectation import ETHERNET, Expected, expect
from netweather.measure.judging import Judge, judge_rate, judge_rtt, judge_stream
from netweather.measure.null_measurement import ECHOES as NULL_ECHOES
from netweather.measure.null_measurement import null_count, of_times, with_errors
from netweather.measure.probe_flow import FLOWS, PROTOCOL_NAMES, Shared, candidates, fans_for, icmp_of, rule_met, untouched
from netweather.measure.statistics import Interval
from netweather.measure.unmeasured import ROUND_TRIP, unmeasured

ECHOES = 31
BURST_BYTES = 24_000_000
BURST_PACKETS = 20_000
LARGEST = 1472
_PATIENCE = 0.4


@dataclass
class SessionFindings:
    """What a session saw, before the counters are known. sent: packets that should have met the rule.

    nulls: the path without the condition; apart: by how much that moved the rule's counter.
    """

    figures: list[Figure] = field(default_factory=list)
    series: dict[str, Series] = field(default_factory=dict)
    probes: list[str] = field(default_factory=list)
    sent: int = 0
    nulls: list[Null] = field(default_factory=list)
    apart: int = 0


@dataclass
class Session:
    """namespace, peer: both ends, the peer's None when it is not ours to enter. expected: by direction. rule_id: the rule's.

    counted: reads the rule's counter, packets; decided: of each line of a direction, how many packets its losses have met.
    samples: packets in each direction, None for as many as are needed; seconds: about how long it may take.
    """

    namespace: Namespace
    peer: Namespace | None
    local: str
    remote: str
    match: Match
    expected: dict[str, Expected]
    datapath: Datapath
    rule_id: RuleId
    counted: Callable[[], int]
    decided: Callable[[str], tuple[int, ...]]
    samples: int | None
    seconds: float
    tell: Callable[[float, str], None]

    @property
    def slots(self) -> tuple[int, ...]:
        return tuple(interface.slot for interface in self.datapath.interfaces)

    @property
    def late(self) -> float:
        """How long the slowest packets take both ways together, s."""
        return sum(each.slowest + each.wire(each.size) for each in self.expected.values())

    @property
    def entered(self) -> bool:
        """Whether both ends can be looked at; the target itself is no other end."""
        return self.peer is not None and self.namespace.identity != self.peer.identity

    def run(self) -> SessionFindings:
        """Sends it all."""
        found = SessionFindings()
        self._fit(Flow(UDP, self.local, self.remote).headers)
        self.tell(0.02, "looking for a flow that the rule matches")
        base = self._round_trips(found)
        if self.peer is not None and self.entered:
            self._streams(found, self.peer, base)
        elif any(each.listed for each in self.expected.values()):
            why = "losses of a list can only be measured in each direction separately: name a peer with --peer"
            found.figures += [_untold("loss", way, "packets", why) for way, each in self.expected.items() if each.listed]
        if not any(null.direction == ROUND_TRIP for null in found.nulls):
            self._null_round_trip(found)
        for way, each in self.expected.items():
            if each.condition.block == "reject" and (way == "egress" or self.entered):
                extra_probes.refused(self, found, way)
        return found

    def _fit(self, headers: int, largest: int | None = None) -> None:
        self.expected = {way: each.fitted(headers, largest) for way, each in self.expected.items()}

    def meets(self, flow: Flow, direction: str) -> bool:
        rule = rule_met(self.datapath.rules, self.slots, flow, direction)
        return rule is not None and rule.rule_id == self.rule_id

    # round trips

    def _round_trips(self, found: SessionFindings) -> float | None:
        """Measures them when a kind of them meets the rule; returns the path's own, when something shows it."""
        blocked = any(each.blocked for each in self.expected.values())
        base = None if blocked and self.peer is not None else self._base()
        # Round trips would use up the first numbers of a list.
        untold = self.peer is not None and any("RTT" in each.unknown or each.listed for each in self.expected.values())
        ways = {} if untold or self.match.share is not None else self._round_trip_ways()
        if not ways or (blocked and self.peer is not None):
            if self.peer is None:
                self._no_round_trip(found)
            return base
        more = any(each.reorder or each.loss.high for each in ways.values())  # fewer come back, or two kinds of them
        count = ECHOES * (4 if more else 1) if self.peer is not None else max(ECHOES, self._echoes_needed())
        spacing = 0.02 if self.peer is not None and not more else 0.01
        spacing = max(spacing, *(4 * each.wire(64) for each in ways.values()), 0)
        spacing = max(spacing, *(each.memory for each in ways.values()))  # none waits behind the one before
        count = max(5, min(count, int(0.4 * self.seconds / spacing)))
        self.tell(0.05, "round trips")
        echo = Flow(icmp_of(self.remote), self.local, self.remote)
        if self._meets_any(echo):
            times, probe = echo_times(self.namespace, self.remote, count, spacing, self.late + _PATIENCE), "ICMP echoes"
        else:
            port = next(p.first for p in self.match.ports if p.first)
            patience = self.late + _PATIENCE
            times, probe = connect_times(self.namespace, self.remote, port, count, spacing, patience), f"TCP connects to {port}"
        found.sent += count * (len(self.expected) if times else 1)
        found.probes.append(f"{count} {probe}")
        if self.peer is None:
            null = self._null_round_trip(found)
            base = null.seen if base is None else base
        self._judge_round_trips(found, ways, times, count, base, probe)
        return base

    def check_passable(self) -> None:
        """Raises OSError unless the packets leave by an interface whose hooks the rule is at: no other ones are passed by."""
        index = self.namespace.run(lambda: way_out(self.remote))[0]
        found = next((each for each in self.datapath.interfaces if each.ifindex == index), None)
        if found is None or (found.upper and found.name not in self.match.interfaces):
            where = found.name if found else "an interface that carries no condition"
            raise OSError(errno.EOPNOTSUPP, f"packets leave by {where}, and the rule matches them on an interface below it")

    def _null_round_trip(self, found: SessionFindings) -> Null:
        """The path without the condition; and whether an ingress block stops the answers to echoes that no egress block stops."""
        before, number = self.counted(), null_count(self.expected.values(), NULL_ECHOES)
        try:
            self.check_passable()
            answers = echoes(self.namespace, self.local, self.remote, number, 0.002, max(_PATIENCE, 1.0))
        except OSError as error:
            null = Null(ROUND_TRIP, None, None, why=f"it can't be measured here: {error.strerror or error}")
        else:
            null = of_times(ROUND_TRIP, answers.times, number)
            echo = Flow(icmp_of(self.remote), self.local, self.remote)
            blocked = self.expected.get("ingress")
            if answers.times and self.peer is None and blocked and blocked.blocked and self.meets(echo, "ingress"):
                self._blocked_answers(found, len(answers.times), answers.received)
        found.nulls.append(null)
        found.apart += self.counted() - before
        return null

    def _blocked_answers(self, found: SessionFindings, answered: int, received: int) -> None:
        verdict = Verdict.FAIL if received else Verdict.PASS
        why = f"{received} of {answered} answers came through" if received else ""
        found.figures.append(Figure("block", "ingress", "share", 1.0, 1 - received / answered, None, verdict, answered, why))

    def _meets_any(self, flow: Flow) -> bool:
        return any(self.meets(flow, direction) for direction in self.expected)

    def _round_trip_ways(self) -> dict[str, Expected]:
        """What either direction does to round trips that meet the rule; nothing when another rule has a part in it."""
        flows = [Flow(icmp_of(self.remote), self.local, self.remote)]
        if self.match.protocol in (None, "tcp"):
            flows += [Flow(TCP, self.local, self.remote, 50_000, p.first) for p in self.match.ports if p.first]
        for flow in flows[:2]:
            ways: dict[str, Expected] = {}
            for direction in ("egress", "ingress"):
                rule = rule_met(self.datapath.rules, self.slots, flow, direction)
                if rule is None:
                    ways[direction] = expect(Condition())
                elif rule.rule_id == self.rule_id and direction in self.expected:
                    ways[direction] = self.expected[direction]
            if len(ways) == 2 and self._meets_any(flow):
                return ways
        return {}

    def _echoes_needed(self) -> int:
        shares = [e.loss.low for e in self.expected.values() if 0 < e.loss.low < 1]
        return int(min(2000, max([300 * (1 - s) / s for s in shares], default=0)))

    def _base(self) -> float | None:
        """The path's round trip beside all rules, or 0 where both ends are on this machine."""
        echo = Flow(icmp_of(self.remote), self.local, self.remote)
        if untouched(self.datapath.rules, self.slots, echo):
            times = echo_times(self.namespace, self.remote, 7, 0.01, 1.0)
            if times:
                return statistics.median(times)
        return None if self.peer is None else 0.0

    def _no_round_trip(self, found: SessionFindings) -> None:
        why = "this rule matches no ICMP echo or TCP connect, or another rule also matches their packets"
        if self.match.share is not None:
            why = "the rule matches only a share of the connections, and one round trip does not show which"
        why += "; name a peer that can be entered with --peer"
        found.figures.append(_untold("RTT", "round trip", "s", why))

    def _judge_round_trips(
        self, found: SessionFindings, ways: dict[str, Expected], times: list[float], count: int, base: float | None, probe: str
    ) -> None:
        up, down = ways["egress"], ways["ingress"]
        if any(each.condition.block == "reject" for each in ways.values()) and probe.startswith("TCP"):
            return  # a refusal is what was asked for; whose it is, the connection doesn't say
        if any(each.blocked for each in ways.values()):
            verdict = Verdict.FAIL if times else Verdict.PASS
            why = f"{len(times)} of {count} {probe} were answered" if times else ""
            if not times and self.peer is None and found.nulls and not found.nulls[-1].interval:
                verdict, why = Verdict.CANT_TELL, found.nulls[-1].why
            found.figures.append(Figure("block", "round trip", "share", 1.0, 1 - len(times) / count, None, verdict, count, why))
            return
        found.figures.append(judge_rtt(times, count, up, down, base, probe))
        if self.peer is None and (_missed(up)[1] or _missed(down)[1]) and not (up.marked or down.marked):
            arrivals = ProbeResult(tuple(range(count)), ())
            judge = Judge("round trip", up, arrivals)
            asked = Interval(*(1 - (1 - a) * (1 - b) for a, b in zip(_missed(up), _missed(down), strict=True)))
            judge.share("loss", count - len(times), count, asked, spread=max(up.spread, down.spread))
            found.figures += judge.figures

    # one way

    def _streams(self, found: SessionFindings, peer: Namespace, base: float | None) -> None:
        ends = self._open(peer) if self.match.share is None else self._open_shared(found, peer, self.match.share.fraction)
        if isinstance(ends, str):
            found.figures += [_untold("all", way, "", ends) for way in self.expected]
            return
        with ends:
            self._fit(ends.flow.headers, ends.largest)
            if any(each.condition.ecn for each in self.expected.values()):
                ends.capable()
            streams = {way: self._stream(each) for way, each in self.expected.items()}
            listed = {way: self.decided(way) for way, each in self.expected.items() if each.listed}
            self.tell(0.25, "a stream each way")
            seen = ends.exchange(streams, self.late + _PATIENCE, lambda share: self.tell(0.25 + 0.4 * share, "a stream each way"))
            flow = ends.flow
            words = PROTOCOL_NAMES.get(flow.protocol, f"protocol {flow.protocol}")
            ports = f" {flow.local_port} and {flow.remote_port}" if flow.local_port else ""
            for way, arrivals in seen.items():
                found.sent += len(arrivals.sent)
                found.probes.append(f"{len(arrivals.sent)} packets of {words}{ports}, {way}")
                figures, series = judge_stream(way, self.expected[way], arrivals, (base or 0.0) / 2)
                found.figures += figures
                found.series[way] = series
                if way in listed:
                    numbers = tuple(zip(listed[way], self.decided(way), strict=True))
                    found.figures.append(patterns.judge_listed(way, self.expected[way], numbers, arrivals))
            self._rates(found, ends)
            extra_probes.measure(self, found, ends)
            extra_probes.without(self, found, ends)

    def _open(self, peer: Namespace) -> Ends | str:
        """Both ends of a flow that meets the rule in each direction it has, or why there is none."""
        why = "this rule matches no packet that Netweather can send as a probe"
        for flow in candidates(self.match, self.local, self.remote):
            try:
                ends = Ends(self.namespace, peer, flow)
            except OSError as error:
                why = f"the probe's ports cannot be reserved: {error.strerror or error}"
                continue
            if all(self.meets(ends.flow, way) for way in self.expected):
                return ends
            ends.close()
            why = "another rule matches all possible probe packets"
        return why

    def _open_shared(self, found: SessionFindings, peer: Namespace, asked: float) -> Ends | str:
        """Both ends of one of the connections that are meant; on the way to it, which share of them is."""
        way, shared = next(iter(self.expected)), Shared()
        self.tell(0.1, "many connections")
        for flow in candidates(self.match, self.local, self.remote):
            if flow.local_port or flow.protocol not in (TCP, UDP):
                continue
            for _ in range(fans_for(asked)):
                try:
                    with Fan(self.namespace, peer, flow, FLOWS) as fan:
                        if not self.meets(replace(fan.flow, local_port=fan.ports[0]), way):
                            break
                        shared.add(fan, way, self.counted)
                except OSError as error:
                    return f"that many connections are not possible: {error.strerror or error}"
                if shared.enough():
                    break
            if shared.flows:
                break
        if shared.flows:
            found.sent += shared.met
            found.probes.append(f"{shared.flows} connections with a packet each")
            judge = Judge(way, expect(Condition()), ProbeResult((), ()))
            judge.share("share", shared.met, shared.flows, Interval(asked, asked))
            found.figures += judge.figures
        if shared.flow is None:
            return "no connection was found that certainly matches the rule"
        try:
            return Ends(self.namespace, peer, shared.flow)
        except OSError as error:
            return f"the probe's ports cannot be reserved: {error.strerror or error}"

    def _stream(self, expected: Expected) -> ProbeStream:
        pace = expected.pace()
        count = self.samples or expected.count(0.4 * self.seconds)
        return ProbeStream(count, pace, expected.size)

    def _rates(self, found: SessionFindings, ends: Ends) -> None:
        limited = {way: each for way, each in self.expected.items() if each.rate is not None}
        if not limited:
            return
        bursts = {way: burst(each, min(1.2, 0.15 * self.seconds), ends.largest) for way, each in limited.items()}
        self.tell(0.7, "a burst for the rate")
        seen = ends.exchange(bursts, self.late + _PATIENCE, lambda share: self.tell(0.7 + 0.2 * share, "a burst for the rate"))
        for way, arrivals in seen.items():
            found.sent += len(arrivals.sent)
            span = (arrivals.sent[-1] - arrivals.sent[0]) / 1e9 or 1e-9
            size = bursts[way].size
            offered = len(arrivals.sent) * (size + limited[way].headers) * 8 / span
            figure, series = judge_rate(way, limited[way], arrivals, size, offered)
            found.figures.append(figure)
            old = found.series.get(way, Series())
            found.series[way] = replace(old, rates=series.rates, rate_asked=series.rate_asked)

    # together

    def conclude(self, found: SessionFindings, number: int, moved: int, dropped: int) -> Measured:
        """The figures, unless the rule's counter says that the probe's packets didn't meet it."""
        probe = "; ".join(found.probes) or "nothing was sent"
        figures = tuple(with_errors(found.figures, found.nulls))
        if found.sent and moved - found.apart < 0.5 * found.sent and not (dropped and moved):
            why = f"the rule did not match the probe packets: its counter increased by {moved} for {found.sent} packets"
            figures = tuple(replace(figure, verdict=Verdict.CANT_TELL, why=why) for figure in figures)
        if not figures:
            figures = (_untold("all", "", "", "nothing could be sent"),)
        figures += tuple(unmeasured(self.expected, figures, entered=self.entered))
        return Measured(number, probe, figures, moved, found.series, tuple(found.nulls))


def _missed(expected: Expected) -> tuple[float, float]:
    """The share of echoes and connects that get no answer: what is corrupted fails its checksum, but where that isn't looked at."""
    low, high = expected.loss.low, expected.loss.high
    return low, 1 - (1 - high) * (1 - expected.corrupt.high)


def _untold(name: str, direction: str, unit: str, why: str) -> Figure:
    return Figure(name, direction, unit, None, None, None, Verdict.CANT_TELL, 0, why)


def burst(expected: Expected, seconds: float, largest: int = LARGEST) -> ProbeStream:
    """One and a half times the rate, for so long; packets as large as may be, and at least some 40 of them.

    largest: the payload that the path takes in one piece.
    """
    rate = expected.rate or 1.0
    most = min(largest, LARGEST, expected.condition.mtu - expected.framing + ETHERNET if expected.condition.mtu else LARGEST)
    size = int(max(28, min(most, rate * seconds / 8 / 40 - expected.headers)))
    bits = (size + expected.headers) * 8
    pps = 1.5 * rate / max(1, bits)
    count = int(min(pps * seconds, BURST_PACKETS, BURST_BYTES / size))
    return ProbeStream(max(20, count), pps, size)
