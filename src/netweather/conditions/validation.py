"""What makes no sense, refused with the reason before anything is tried: types, ranges, and fields that contradict.

Zero is a value everywhere: a jitter of 0 with a correlation passes (only fields that weren't given at all are missed, by
the loaders). Not here: what a kernel or an engine can't do (lines/), and what surprises but holds (explain).
Codes: bad-type, out-of-range, conflicting-fields, missing-key, bad-loss-model, bad-name, bad-text, bad-lease, bad-peer,
bad-interface, bad-distribution, too-many-rules, repeated-match.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from types import UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

from netweather.conditions.declare import Declared, declared_fields, is_declared
from netweather.conditions.loss import LossBurst, LossGemodel, LossList, LossState
from netweather.conditions.match import Match
from netweather.conditions.model import DISTRIBUTIONS, Condition, NetworkCondition, Rule
from netweather.conditions.peer_kinds import is_address
from netweather.errors import UsageError, unknown
from netweather.units import Duration

MOST_RULES: Final = 1000
MOST_LISTED: Final = 10_000
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?")
_INTERFACE: Final = re.compile(r"[^\s/:,]{1,15}")
_WITH_PORTS: Final = (None, "tcp", "udp", "sctp", 33, 136)


def validate(condition: NetworkCondition) -> NetworkCondition:
    """The same network condition, when it makes sense. Raises UsageError."""
    check_types(condition, "")
    _check_names(condition)
    if isinstance(condition.lease, Duration) and condition.lease.ns == 0:
        why = "the condition would end immediately"
        raise UsageError("bad-lease", "lease: it must be greater than 0", why, "write 10m, or forever")
    refuse_many({"rules": condition.rules, "exclude": condition.exclude})
    for index, match in enumerate(condition.exclude):
        _check_match(match, f"exclude[{index}]")
    _check_rules(condition.rules)
    return condition


def validate_rules(rules: tuple[Rule, ...]) -> None:
    """Rules that were made of validated ones and of profiles, whose types are right. Raises UsageError."""
    refuse_many({"rules": rules})
    _check_rules(rules)


def _check_rules(rules: tuple[Rule, ...]) -> None:
    seen: dict[Match, int] = {}
    for index, rule in enumerate(rules):
        _check_rule(rule, f"rules[{index}]")
        if rule.match in seen:
            why = f"rules[{seen[rule.match]}] has the same match, and the first that matches wins"
            raise UsageError("repeated-match", f"rules[{index}] would never apply", why, "merge the two rules")
        seen[rule.match] = index


def validate_rule(rule: Rule, where: str = "rule") -> Rule:
    """The same rule, when it makes sense. Raises UsageError."""
    check_types(rule, where)
    _check_rule(rule, where)
    return rule


def _check_rule(rule: Rule, where: str) -> None:
    """The same of a rule whose types were checked."""
    _check_match(rule.match, where)
    _check_condition(rule.condition, _at(where, "condition"))
    mtu = rule.condition.mtu
    if mtu is not None and mtu < 1280 and rule.match.family == "ipv6":
        why = "IPv6 has no links of less than 1280 bytes"
        raise UsageError("out-of-range", f"{_at(where, 'condition.mtu')}: {mtu} is too small for IPv6", why, "write 1280 or more")


def validate_condition(condition: Condition, where: str = "condition") -> Condition:
    """The same condition, when it makes sense. Raises UsageError."""
    check_types(condition, where)
    _check_condition(condition, where)
    return condition


def _check_condition(condition: Condition, where: str) -> None:
    """The same of a condition whose types were checked."""
    _check_company(condition, where)
    _check_loss(condition.loss, f"{where}.loss")
    delay, slot = condition.delay, condition.slot
    if delay is not None:
        _check_distribution(delay.distribution, f"{where}.delay.distribution")
        if delay.keep_order and condition.reorder is not None:
            raise _conflict(f"{_here(where)}keepOrder and reorder are given", "one forbids what the other requests")
    if slot is not None and slot.maximum is not None and slot.maximum < slot.minimum:
        raise _conflict(f"{where}.slot: the maximum {slot.maximum} is below the minimum {slot.minimum}", "", "swap them")


def _at(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _here(where: str) -> str:
    return f"{where}: " if where else ""


def _conflict(what: str, why: str, remedy: str = "leave one of them out") -> UsageError:
    return UsageError("conflicting-fields", what, why, remedy)


def _check_company(condition: Condition, where: str) -> None:
    """Fields that need others, and fields that exclude others. A profile may give what is needed."""
    given = {field.key for field in declared_fields(Condition) if getattr(condition, field.attribute) != field.default}
    others = sorted(given - {"block"})
    if "block" in given and others:
        raise _conflict(f"{_here(where)}block and {others[0]} are given", "nothing arrives that could be changed")
    if "trace" in given and "rate" in given:
        raise _conflict(f"{_here(where)}trace and rate are given", "the trace contains the rate")
    if "profile" in given:
        return
    for key, needed, why in (
        ("reorder", {"delay"}, "packets overtake those that wait for the delay"),
        ("ecn", {"loss"}, "it marks the packets that would be lost"),
        ("queue", {"rate", "trace"}, "without a rate nothing waits in a queue"),
        *(
            [("limit", {"rate", "trace"}, "a queue's time is its length at the rate")]
            if isinstance(condition.limit, Duration)
            else ()
        ),
    ):
        if key in given and not needed & given:
            word = min(needed)
            raise UsageError("missing-key", f"{where}: {key} needs {word}", why, f"add {word}")


def _check_loss(loss: object, where: str) -> None:
    if isinstance(loss, LossGemodel) and loss.loss_in_good > loss.loss_in_bad:
        what = f"{where}: the good state loses {loss.loss_in_good} and the bad one {loss.loss_in_bad}"
        raise UsageError("bad-loss-model", what, "the bad state is the one that loses more", "swap lossInGood and lossInBad")
    if isinstance(loss, LossState):
        for one, other in (("p13", "p14"), ("p31", "p32")):
            if getattr(loss, one).ppb + getattr(loss, other).ppb > 10**9:
                why = "they are ways out of the same state"
                raise UsageError("bad-loss-model", f"{where}: {one} and {other} are more than 100%", why, "lower one of them")
    if isinstance(loss, LossBurst):
        length, share = loss.mean_length.thousandths, loss.share.ppb
        if share * (length + 1000) > length * 10**9:
            why = f"between two bursts of {loss.mean_length} at least one packet arrives"
            raise UsageError("bad-loss-model", f"{where}: a share of {loss.share} is not possible", why, "use longer bursts")
    if isinstance(loss, LossList):
        listed = loss.indices
        if not 0 < len(listed) <= MOST_LISTED or any(a >= b for a, b in pairwise(listed)):
            why = f"one to {MOST_LISTED} numbers are needed, each larger than the one before"
            raise UsageError("bad-loss-model", f"{where}.indices: they are not a rising list", why, "write list:3,7,9")


def _check_distribution(distribution: str, where: str) -> None:
    if distribution not in DISTRIBUTIONS and not re.search(r"[/.\n]", distribution):
        raise unknown("unknown-distribution", distribution, [*DISTRIBUTIONS, "a path with a /"], where)


def _check_match(match: Match, where: str) -> None:
    if match.ports and match.protocol not in _WITH_PORTS:
        raise _conflict(f"{_here(where)}ports and protocol {match.protocol} are given", f"{match.protocol} has no ports")
    if match.tcp_flags is not None and match.protocol not in (None, "tcp"):
        raise _conflict(f"{_here(where)}tcpFlags and protocol {match.protocol} are given", "only TCP has these flags")
    if match.connection is not None:
        _check_connection(match, where)
    for interface in match.interfaces:
        if interface == "lo" or not _INTERFACE.fullmatch(interface) or interface in (".", ".."):
            why = "loopback traffic is never affected" if interface == "lo" else "1 to 15 characters, and no / : , or space"
            raise UsageError("bad-interface", f"{_at(where, 'interfaces')}: {interface[:40]!r} is not valid", why, "write eth0")
    families = {family for peer in match.to if (family := _check_peer(peer, _at(where, "to")))}
    if match.family and families and match.family not in families and all(_check_peer(peer, "") for peer in match.to):
        raise _conflict(f"{_here(where)}family {match.family} is given, but no peer has an address of it", "nothing would match")


def _check_connection(match: Match, where: str) -> None:
    connection = match.connection
    assert connection is not None
    for key, extra in (("to", match.to), ("ports", match.ports), ("share", match.share)):
        if extra:
            raise _conflict(f"{_here(where)}connection and {key} are given", "a connection already contains addresses and ports")
    if match.family is not None and match.family != connection.family:
        raise _conflict(f"{_here(where)}the connection {connection} is not {match.family}", "nothing would match")
    if match.protocol not in _WITH_PORTS:
        raise _conflict(f"{_here(where)}connection and protocol {match.protocol} are given", f"{match.protocol} has no ports")


def _check_peer(peer: str, where: str) -> str | None:
    """The family of an address or prefix; None for names and references."""
    from ipaddress import ip_network

    if not peer or re.search(r"[\s,]", peer) or not peer.isprintable():
        raise UsageError("bad-peer", f"{where}: {peer[:60]!r} is not a peer", "", "write an address, prefix, host name or target")
    if not is_address(peer):
        return None
    try:
        return f"ipv{ip_network(peer).version}"
    except ValueError as error:
        remedy = _without_host_bits(peer) or "write 192.0.2.1, 198.51.100.0/24 or 2001:db8::/32"
        raise UsageError("bad-peer", f"{where}: {peer[:60]!r} is not an address or prefix", str(error)[:120], remedy) from error


def _without_host_bits(peer: str) -> str:
    from ipaddress import ip_network

    try:
        return f"write {ip_network(peer, strict=False)}"
    except ValueError:
        return ""


def _check_names(condition: NetworkCondition) -> None:
    if not _NAME.fullmatch(condition.name):
        why = "1 to 63 small letters, digits, hyphens and dots are allowed, and a letter or digit at both ends"
        raise UsageError(
            "bad-name", f"metadata.name: {condition.name[:80]!r} is not a valid name", why, "write it as slow-database"
        )
    texts = [("targets", target) for target in condition.targets]
    texts += [("owner", condition.owner), ("reason", condition.reason)]
    for key, text in texts:
        if len(text) > 1000 or not text.isprintable() or (key == "targets" and not text.strip()):
            why = "it is empty, longer than 1000 characters or has control characters"
            raise UsageError("bad-text", f"{key}: {text[:60]!r} is not valid", why, "write it on one line")
    if len(set(condition.targets)) != len(condition.targets):
        raise UsageError("repeated-target", "targets: one appears twice", "", "remove one")


def refuse_many(lists: Mapping[str, object]) -> None:
    """Of rules and exclude; also before anything of them is read. Raises UsageError too-many-rules."""
    for key in ("rules", "exclude"):
        items = lists.get(key)
        if isinstance(items, list | tuple) and len(items) > MOST_RULES:
            why = f"the maximum is {MOST_RULES}"
            raise UsageError("too-many-rules", f"{key}: there are {len(items)}", why, "merge rules: each may name many peers")


def check_types(value: object, where: str) -> None:
    """Every declared field below `value` has its type and range. Raises UsageError bad-type or out-of-range."""
    for field in declared_fields(type(value)):
        content = getattr(value, field.attribute)
        if content is field.default:  # most are, and it is right by declaration
            continue
        place = where if field.about.flat else _at(where, field.key)
        if not _conforming(field.hint)(content):
            remedy = "parse it first, or use load()" if isinstance(content, str) else ""
            what = f"{place}: {content!r:.60} is not of the type {_type_name(field.hint)}"
            raise UsageError("bad-type", what, f"it is a {type(content).__name__}", remedy)
        for inner in _inner(content):
            _check_range(field, inner, place)
            if is_declared(type(inner)):
                check_types(inner, place)


def _inner(content: object) -> Iterator[object]:
    yield from content if isinstance(content, tuple) else (content,)


def _type_name(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint).replace("netweather.", "")


@functools.cache
def _conforming(hint: Any) -> Callable[[object], bool]:
    """What tells whether a value is of this type; made once for each, since reading the hint takes longer than the look."""
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        members = [_conforming(member) for member in get_args(hint)]
        return lambda value: any(member(value) for member in members)
    if origin is Literal:
        words = get_args(hint)
        return lambda value: isinstance(value, str) and value in words
    if origin is tuple:
        item = _conforming(get_args(hint)[0])
        return lambda value: isinstance(value, tuple) and all(map(item, value))
    return lambda value: type(value) is hint


def _check_range(field: Declared, value: object, where: str) -> None:
    if type(value) is not int:
        return
    low, high = field.about.minimum, field.about.maximum
    if (low is not None and value < low) or (high is not None and value > high):
        remedy = f"write {field.about.example}" if field.about.example else "choose a value in that range"
        raise UsageError("out-of-range", f"{where}: {value!s:.60} is out of range", f"it must be {low} to {high}", remedy)


__all__ = ["MOST_RULES", "check_types", "validate", "validate_condition", "validate_rule", "validate_rules"]
