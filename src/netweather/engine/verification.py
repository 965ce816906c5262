"""Verify: what was asked, what the kernel holds, what probe packets through the very rule saw; and the verdict.

The only place that puts the parts together: journal and read-back (engine), peers (targets), probes (kernel.traffic.probe_packets),
figures (measure). Nothing is changed; the rule's counters go up by the probe's packets.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from netweather.conditions import Condition, Match, dump
from netweather.conditions.estimates.effects import effects_of
from netweather.conditions.peer_kinds import is_reference
from netweather.conditions.profiles import directions
from netweather.engine.core import Engine
from netweather.engine.views.readback import ReadBack, decided, read_back
from netweather.errors import NetweatherError, UsageError
from netweather.kernel.datapath.spec import RuleId
from netweather.kernel.namespaces import Namespace
from netweather.kernel.traffic.round_trips import source
from netweather.lines.traces import load_trace
from netweather.measure import ConditionEvidence, Expected, Figure, Measured, Verdict, expect
from netweather.measure.probe_flow import may_meet
from netweather.measure.session import Session
from netweather.measure.trace_timeline import TraceMoment, TraceTimeline
from netweather.results import ConditionStatus
from netweather.targets import Target, parse, resolve_peers
from netweather.targets.resolving import open_reference

ProgressCallback = Callable[[float, str], None]


def silent(share: float, text: str) -> None:
    """The progress that nobody looks at."""


@dataclass(frozen=True)
class VerifyOptions:
    """What to verify, and how. to: an address or host name; peer: a reference that can be entered; seconds: about how long.

    nearby: of addresses whose network can be entered, its reference; such a peer of a rule is taken before the others.
    anybody: who answers for the peer of a rule that names none: a reference.
    may_enter: whether these namespaces may be entered; where not, the peer is one that can't be entered.
    """

    name: str | None = None
    to: str | None = None
    peer: str | None = None
    samples: int | None = None
    seconds: float = 10.0
    nearby: Mapping[str, str] = field(default_factory=dict)
    anybody: str | None = None
    may_enter: Callable[[Sequence[Target]], bool] = field(default=lambda targets: True, compare=False)


@dataclass
class Other:
    """The other end. namespace: None when it is not ours to enter; addresses: those it may have."""

    addresses: tuple[str, ...]
    namespace: Namespace | None = None
    words: str = ""


def verify(
    engine: Engine, target: Target, wish: VerifyOptions | None = None, progress: ProgressCallback = silent
) -> list[ConditionEvidence]:
    """The evidence for a target's conditions, or for the one that is named.

    Raises NetweatherError no-such-condition when there is none, and what resolving a peer raises.
    """
    wish = wish or VerifyOptions()
    found = [each for each in engine.show(target) if wish.name in (None, each.condition.name)]
    if not found:
        what = f"no condition{f' {wish.name!r}' if wish.name else ''} is in force on {target.reference}"
        raise NetweatherError(
            "no-such-condition", what, "its lease has ended, or it was never set", "`netweather show` lists them"
        )
    rules = sum(len(each.condition.rules) for each in found) or 1
    done = 0
    evidence = []
    with contextlib.closing(Namespace(target.netns_fd)) as namespace:
        for each in found:
            held = read_back(engine, target)
            measured = []
            for number in range(len(each.condition.rules)):
                begin = done / rules

                def tell(share: float, text: str, begin: float = begin) -> None:
                    progress(begin + share / rules, text)

                measured.append(_measure(engine, target, namespace, held, each, number, wish, wish.seconds / rules, tell))
                done += 1
            evidence.append(_evidence(engine, target, each, held, tuple(measured)))
    progress(1.0, "")
    return evidence


def _evidence(
    engine: Engine, target: Target, shown: ConditionStatus, held: ReadBack, measured: tuple[Measured, ...]
) -> ConditionEvidence:
    expected = []
    for number, rule in enumerate(shown.condition.rules):
        for way, condition in zip(("egress", "ingress"), directions(rule), strict=True):
            if condition is not None:
                expected.append({"rule": number, "direction": way, **expect(condition, timeline(condition)).plain()})
    after = _one(engine, target, shown.condition.name)
    wrong = list(held.problems)
    if after is None:
        wrong.append("it ended while it was measured")
    elif not after.in_force:
        wrong += [problem for problem in after.problems if problem not in wrong]
    drops = after.unwanted_drops if after else 0
    if drops:
        wrong.append(f"{drops} packets were lost by Netweather's own devices, not by the condition")
    kernel = {
        **held.plain,
        "inForce": shown.in_force and not held.broken,
        "unwantedDrops": drops,
        "queueDrops": after.queue_drops if after else 0,
    }
    return ConditionEvidence(
        target.reference, shown.condition.name, dump(shown.condition), tuple(expected), kernel, tuple(wrong), measured
    )


def _one(engine: Engine, target: Target, name: str) -> ConditionStatus | None:
    return next((each for each in engine.show(target) if each.condition.name == name), None)


# on the wire


def _measure(  # long: the steps of one rule, in their order
    engine: Engine, target: Target, namespace: Namespace, held: ReadBack, shown: ConditionStatus, number: int, wish: VerifyOptions,
    seconds: float, tell: ProgressCallback,
) -> Measured:  # fmt: skip
    rule = shown.condition.rules[number]
    if held.broken:
        return Measured(number, "nothing was sent: it is not in force", ())
    up, down = directions(rule)
    expected = {way: expect(each, timeline(each)) for way, each in (("egress", up), ("ingress", down)) if each is not None}
    with _other(target, rule.match, wish) as other:
        if other is None:
            why = "the rule names no single peer: give --to HOST, or --peer TARGET for one that can be entered"
            return _cannot(number, expected, why)
        rule_id = RuleId(shown.condition.name, number)
        chosen = _addresses(namespace, rule.match, other, lambda *ends: may_meet(held.datapath, rule_id, rule.match, *ends))
        if chosen is None:
            return _cannot(number, expected, f"the target has no way to {', '.join(other.addresses[:3]) or other.words}")
        session = Session(
            namespace, other.namespace, *chosen, rule.match, expected, held.datapath, rule_id,
            lambda: _counted(engine, target, shown.condition.name, number),
            lambda way: decided(engine, target, _lines(held, rule_id, way)), wish.samples, seconds, tell,
        )  # fmt: skip
        before = _one(engine, target, shown.condition.name)
        result = session.run()
        after = _one(engine, target, shown.condition.name)
    moved = after.rules[number].packets - before.rules[number].packets if before and after else 0
    blocked = (after.rules[number].blocked or 0) - (before.rules[number].blocked or 0) if before and after else 0
    return session.conclude(result, number, moved, blocked)


def _counted(engine: Engine, target: Target, name: str, number: int) -> int:
    """Packets that one rule has met until now."""
    found = _one(engine, target, name)
    return found.rules[number].packets if found else 0


def timeline(condition: Condition) -> TraceTimeline | None:
    """What a condition's trace says of each moment; None without one, or when its file can't be read any more."""
    if condition.trace is None:
        return None
    try:
        trace = load_trace(condition.trace)
    except UsageError:
        return None
    usual = effects_of(condition)
    moments = tuple(
        TraceMoment(
            row.time_ns / 1e9,
            usual.median_delay if row.delay_ns is None else row.delay_ns / 1e9,
            usual.loss if row.loss is None else row.loss.fraction,
            usual.rate if row.rate is None else float(row.rate.bits_per_second),
        )
        for row in trace.rows
    )
    if moments:
        return TraceTimeline(trace.period_ns / 1e9, moments)
    ends = [*trace.opportunities[1:], trace.opportunities[0] + trace.period_ns]
    waiting = max(end - start for start, end in zip(trace.opportunities, ends, strict=True))
    return TraceTimeline(trace.period_ns / 1e9, (), float(trace.mean_rate_bps), waiting / 1e9)


def _lines(held: ReadBack, rule_id: RuleId, way: str) -> list[int]:
    """The lines of one rule in a direction, one for each interface."""
    return [line.index for line in held.datapath.lines if line.rule_id == rule_id and line.direction == way]


def _cannot(number: int, expected: dict[str, Expected], why: str) -> Measured:
    figures = [Figure("all", way, "", None, None, None, Verdict.CANT_TELL, 0, why) for way in expected]
    return Measured(number, "nothing was sent", tuple(figures))


@contextlib.contextmanager
def _other(target: Target, match: Match, wish: VerifyOptions) -> Iterator[Other | None]:
    """The peer to probe with: --peer, --to, or the first of the match that is one; open while it is used.

    A host name is what the target's own resolver makes of it, as it was when the condition was set.
    """
    words = [wish.peer, wish.to, *([] if wish.peer or wish.to else _peers(match, wish))]
    with contextlib.ExitStack() as stack:
        found: Other | None = None
        for word in [word for word in words if word]:
            reference = wish.nearby.get(word, word)
            entered = stack.enter_context(_entered(reference, wish)) if is_reference(reference) else None
            prefixes = [peer.prefix for peer in resolve_peers(word, target)]
            single = tuple(str(prefix.network_address) for prefix in prefixes if prefix.num_addresses == 1)
            if found is not None:  # --peer and --to: which of its addresses is meant
                found.addresses = single or found.addresses
            elif single:
                found = Other(single, entered, word)
            if found is not None and not (wish.peer and wish.to):
                break
        yield found


def _peers(match: Match, wish: VerifyOptions) -> list[str | None]:
    """Those of a rule, in the order in which they are tried."""
    if not match.to:
        return [wish.anybody]
    return sorted(match.to, key=lambda word: word not in wish.nearby)


@contextlib.contextmanager
def _entered(word: str, wish: VerifyOptions) -> Iterator[Namespace | None]:
    targets = open_reference(parse(word), as_peer=True)
    try:
        if not wish.may_enter(targets):
            yield None
            return
        with contextlib.closing(Namespace(targets[0].netns_fd)) as namespace:
            yield namespace
    finally:
        for target in targets:
            target.close()


def _addresses(
    namespace: Namespace, match: Match, other: Other, meant: Callable[[str, str], bool] = lambda *_: True
) -> tuple[str, str] | None:
    """Our address and the peer's, of a family that the match takes and that has a way; those that are meant come first."""
    ways = []
    for remote in other.addresses:
        if match.family not in (None, "ipv6" if ":" in remote else "ipv4"):
            continue
        local = source(namespace, remote)
        if local is not None and meant(local, remote):
            return local, remote
        ways += [(local, remote)] if local is not None else []
    return ways[0] if ways else None
