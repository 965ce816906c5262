"""Conditions, matches, round trips and times in words, for people. Pure; spelt as the condition language spells them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from netweather.conditions import FOREVER, Condition, Delay, Lease, LossRandom, Match, Rule
from netweather.conditions.contents import label_of
from netweather.units import Duration, Packets, Percent

if TYPE_CHECKING:
    from netweather.results import Experienced, RuleCounters

_NONE: Final = Percent(0)
_WAYS: Final = {"both": "both ways", "egress": "egress", "ingress": "ingress"}


def condition_words(condition: Condition) -> str:
    """'delay 100ms ± 20ms (normal), loss 1%, rate 10mbit'; 'nothing wrong' of an empty one."""
    parts = [f"profile {condition.profile}"] if condition.profile else []
    parts += [_delay(condition.delay)] if condition.delay else []
    parts += _faults(condition)
    if condition.rate:
        overhead = f" (overhead {condition.rate.overhead})" if condition.rate.overhead else ""
        parts.append(f"rate {condition.rate.bitrate}{overhead}")
    if condition.limit is not None:
        parts.append(f"queue of {condition.limit}{' packets' if isinstance(condition.limit, Packets) else ''}")
    if condition.queue:
        parts.append(f"queue {condition.queue}")
    if condition.slot:
        upper = f" to {condition.slot.maximum}" if condition.slot.maximum else ""
        parts.append(f"slots of {condition.slot.minimum}{upper}")
    parts += ["ecn"] if condition.ecn else []
    parts += [f"block ({condition.block})"] if condition.block else []
    parts += [f"mtu {condition.mtu}"] if condition.mtu is not None else []
    parts += [f"trace {label_of(condition.trace)}"] if condition.trace else []
    parts += [f"seed {condition.seed}"] if condition.seed is not None else []
    return ", ".join(parts) or "nothing wrong"


def _delay(delay: Delay) -> str:
    if not delay.jitter.ns:
        return f"delay {delay.time}"
    details = [label_of(delay.distribution)] if delay.distribution != "uniform" else []
    details += [f"correlation {delay.correlation}"] if delay.correlation != _NONE else []
    details += ["order kept"] if delay.keep_order else []
    return f"delay {delay.time} ± {delay.jitter}" + (f" ({', '.join(details)})" if details else "")


def _faults(condition: Condition) -> list[str]:
    found: list[str] = []
    loss = condition.loss
    if isinstance(loss, LossRandom):
        found.append(_share("loss", loss.percent, loss.correlation))
    elif loss is not None:
        from netweather.conditions.language.codec import write
        from netweather.conditions.language.shortform import short_of_plain

        found.append(f"loss {short_of_plain(write(loss))}")
    if condition.duplicate:
        found.append(_share("duplicate", condition.duplicate.percent, condition.duplicate.correlation))
    if condition.corrupt:
        found.append(_share("corrupt", condition.corrupt.percent, condition.corrupt.correlation))
    if condition.reorder:
        gap = f" (gap {condition.reorder.gap})" if condition.reorder.gap != 1 else ""
        found.append(_share("reorder", condition.reorder.percent, condition.reorder.correlation) + gap)
    return found


def _share(word: str, percent: Percent, correlation: Percent) -> str:
    return f"{word} {percent}" + (f" (correlation {correlation})" if correlation != _NONE else "")


def match_words(match: Match, *, direction: bool = True) -> str:
    """'tcp port 5432 to docker:shop-db, egress'; 'all traffic, both ways' of an empty one."""
    what = [word for word in (match.family and match.family.replace("ip", "IP"), _protocol(match)) if word]
    if match.ports:
        what.append(f"port{'s' if len(match.ports) > 1 else ''} {', '.join(map(str, match.ports))}")
    if match.connection is not None:
        what.append(f"connection {match.connection}")
    if match.to:
        way = {"both": "to and from", "egress": "to", "ingress": "from"}[match.direction]
        what.append(f"{'' if what else 'traffic '}{way} {', '.join(match.to)}")
    parts = [" ".join(what) or "all traffic"]
    parts += [f"{match.share} of the connections"] if match.share is not None else []
    parts += [f"flags {match.tcp_flags}"] if match.tcp_flags is not None else []
    parts += [f"on {', '.join(match.interfaces)}"] if match.interfaces else []
    parts += [f"VLAN {match.vlan}"] if match.vlan is not None else []
    parts += [_WAYS[match.direction]] if direction else []
    return ", ".join(parts)


def meanings(peers: Mapping[str, tuple[str, ...]]) -> list[str]:
    """'docker:shop-db = 198.51.100.3, 2001:db8::3' for each word that is not an address or a prefix itself."""
    found = {word: ", ".join(p.removesuffix("/32").removesuffix("/128") for p in prefixes) for word, prefixes in peers.items()}
    return [f"{word} = {text or 'nothing now'}" for word, text in found.items() if word not in (text, *peers[word])]


def _protocol(match: Match) -> str:
    if match.protocol is None:
        return ""
    return match.protocol if isinstance(match.protocol, str) else f"protocol {match.protocol}"


def round_trips(rules: Iterable[Rule]) -> list[str]:
    """What rules with a delay add to a round trip, one sentence for each kind of traffic; [] when none delays.

    'adds 200 ms to each round trip: 100 ms out, 100 ms back', with the traffic in front when there are several kinds.
    """
    rules = tuple(rules)
    several = len({replace(rule.match, direction="both") for rule in rules}) > 1
    out: dict[Match, Duration] = {}
    back: dict[Match, Duration] = {}
    for rule in rules:
        traffic = replace(rule.match, direction="both")
        for ways, place in ((("both", "egress"), out), (("both", "ingress"), back)):
            if rule.match.direction in ways and rule.condition.delay is not None:
                place.setdefault(traffic, rule.condition.delay.time)
    kinds = list(dict.fromkeys([*out, *back]))
    nothing = Duration(0)
    found = []
    for traffic in kinds:
        there, home = out.get(traffic, nothing), back.get(traffic, nothing)
        whose = f"{match_words(traffic, direction=False)}: " if several else ""
        found.append(f"{whose}adds {spaced(there + home)} to each round trip: {spaced(there)} out, {spaced(home)} back")
    return found


def queue_waits(rules: Iterable[Rule]) -> list[str]:
    """How long packets wait behind a full queue, one sentence for each kind of traffic; [] when no rate makes any wait."""
    from netweather.conditions.estimates.explanation import explain_rule

    rules = tuple(rules)
    several = len({replace(rule.match, direction="both") for rule in rules}) > 1
    found = []
    for rule in rules:
        expected = explain_rule(rule)
        ways = [
            f"{seconds_of(wait)} {way}"
            for way, named, wait in (("out", "egress", expected.queue_up), ("back", "ingress", expected.queue_down))
            if wait is not None and rule.match.direction in (named, "both")
        ]
        whose = f"{match_words(replace(rule.match, direction='both'), direction=False)}: " if several else ""
        found += [f"{whose}a full queue delays packets by up to {', '.join(ways)}"] if ways else []
    return list(dict.fromkeys(found))


def seconds_of(duration: Duration) -> str:
    """'12.6 s', '500 ms': three digits are enough."""
    seconds = duration.seconds
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"


def spaced(duration: Duration) -> str:
    """'100 ms': for sentences; the language itself has no space there."""
    text = str(duration)
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    return "nothing" if not duration.ns else f"{number} {text[len(number) :]}"


def remaining(ns: int | None) -> str:
    """'9m 58s': two units of what is left of a lease; 'forever' of None."""
    if ns is None:
        return "forever"
    seconds = -(-ns // 10**9)
    units = [(count, unit) for count, unit in _split(seconds) if count]
    return " ".join(f"{count}{unit}" for count, unit in units[:2]) or "0s"


def _split(seconds: int) -> tuple[tuple[int, str], ...]:
    minutes, hours = seconds // 60, seconds // 3600
    return (hours // 24, "d"), (hours % 24, "h"), (minutes % 60, "m"), (seconds % 60, "s")


def until(lease: Lease, now: datetime) -> str:
    """'for 10m, until 14:32:10'; with the date when that is another day."""
    if lease is FOREVER or not isinstance(lease, Duration):
        return "until it is cleared"
    end = now + timedelta(seconds=lease.seconds)
    return f"for {lease}, until {end:%H:%M:%S}" if end.date() == now.date() else f"for {lease}, until {end:%Y-%m-%d %H:%M}"


def count(number: int) -> str:
    """'12,345'."""
    return f"{number:,}"


def outcome_words(counters: RuleCounters, *, unknown: bool) -> list[str]:
    """What became of a rule's packets besides their number: '95 by loss', '3 duplicated'. unknown: '? duplicated' where nobody tells."""
    found = {_OUTCOMES[name]: number for name, number in (counters.causes | counters.effects).items()}
    return [f"{'?' if n is None else count(n)} {words}" for words, n in found.items() if n or (n is None and unknown)]


_OUTCOMES: Final = {
    "blocked": "blocked", "loss": "by loss", "trace": "by the trace", "mtu": "too large", "queue": "at a full queue",
    "marked": "marked", "duplicated": "duplicated", "corrupted": "corrupted", "reordered": "reordered",
}  # fmt: skip


def microseconds(time: float) -> str:
    """'0.21 ms', '201 ms' or '1.5 s'."""
    return f"{time / 1000:.3g} ms" if time < 1_000_000 else f"{time / 1e6:.3g} s"


def bit_rate(bits: float) -> str:
    """'12.4 Mbit/s'; '' for none."""
    for size, unit in ((10**9, "Gbit/s"), (10**6, "Mbit/s"), (10**3, "kbit/s")):
        if bits >= size:
            return f"{bits / size:.3g} {unit}"
    return f"{bits:g} bit/s" if bits else ""


def lived_words(name: str, lived: Sequence[Experienced | None]) -> Iterator[str]:
    """A line for each rule of a condition that a connection meets: `'slow' rule 1: 3 connections, RTT 0.3 → 201 ms, …`."""
    for number, one in enumerate(lived, 1):
        if one is None:
            continue
        parts = [f"{one.connections} connection{'s' if one.connections > 1 else ''}"]
        if one.rtt is not None:
            parts.append(f"RTT {_change(one.rtt_before, one.rtt, microseconds)}")
        parts.append(f"{one.retransmits:,} segment{'s' if one.retransmits != 1 else ''} retransmitted")
        if one.rate is not None:
            parts.append(f"delivery rate {_change(one.rate_before, one.rate, bit_rate)}")
        if one.goodput is not None:
            parts.append(f"goodput since {bit_rate(one.goodput)}")
        yield f"{name!r} rule {number}: {', '.join(parts)}"


def _change(before: float | None, now: float, words: Callable[[float], str]) -> str:
    return words(now) if before is None else f"{words(before)} → {words(now)}"
