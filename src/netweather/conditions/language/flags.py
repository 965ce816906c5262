"""The command line's flags for conditions and matches, declared once as data, and their values to rules and back.

A front end makes its options from FLAGS and hands over what was given: {"delay": "100ms", "to": ["192.0.2.1"], "ecn": True}.
Names have no dashes in front. None, False and an empty list mean "not given".
One that fails: {"jitter": "20ms"} alone (missing-flag: --jitter needs --delay or --rtt).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

from netweather.conditions.declare import declared_field
from netweather.conditions.language.codec import read, write
from netweather.conditions.language.shortform import short_of_plain
from netweather.conditions.loss import Loss, LossRandom
from netweather.conditions.match import Match
from netweather.conditions.model import (
    Condition,
    Corrupt,
    Delay,
    Duplicate,
    NetworkCondition,
    RateLimit,
    Reorder,
    Rule,
)
from netweather.conditions.validation import validate, validate_rule
from netweather.errors import UsageError, unknown

FlagValue = str | bool | list[str] | tuple[str, ...] | None
FlagGroup = Literal["condition", "match", "common"]


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag as data. `path` is where its value stands in plain data; `needs` are flags of which one must be there."""

    name: str
    group: FlagGroup
    path: tuple[str, ...]
    hint: Any
    kind: Literal["value", "list", "switch"]
    metavar: str
    help: str
    unit: str
    minimum: int | None
    maximum: int | None
    example: str
    choices: tuple[str, ...]
    needs: tuple[str, ...]


def _flag(name: str, group: FlagGroup, path: str, owner: type, metavar: str, needs: str = "", **changed: Any) -> Flag:
    """The flag of a declared field: the last word of the path, in the class `owner`."""
    words = path.split(".")
    declared = declared_field(owner, words[-1])
    hint = changed.pop("hint", declared.hint)
    about = declared.about
    return Flag(
        name,
        group,
        tuple(words),
        hint,
        "switch" if hint is bool else "list" if get_origin(hint) is tuple else "value",
        metavar,
        changed.pop("help", about.doc),
        about.unit,
        about.minimum,
        about.maximum,
        changed.pop("example", about.example),
        _choices(hint),
        tuple(needs.split()),
    )


def _choices(hint: Any) -> tuple[str, ...]:
    if get_origin(hint) in (Union, UnionType):
        members = [member for member in get_args(hint) if member is not type(None)]
        return _choices(members[0]) if len(members) == 1 else ()
    return get_args(hint) if get_origin(hint) is Literal else ()


_DELAY, _LOSS = "condition.delay.", "condition.loss."
_CONDITION_FLAGS: Final = (
    _flag("profile", "condition", "condition.profile", Condition, "NAME"),
    _flag("delay", "condition", _DELAY + "time", Delay, "TIME"),
    _flag(
        "rtt",
        "condition",
        "condition.rtt.time",
        Delay,
        "TIME",
        help="added round-trip time; each direction gets half",
        example="200ms",
    ),
    _flag("jitter", "condition", _DELAY + "jitter", Delay, "TIME", "delay rtt"),
    _flag("delay-correlation", "condition", _DELAY + "correlation", Delay, "PERCENT", "jitter"),
    _flag("distribution", "condition", _DELAY + "distribution", Delay, "NAME|FILE", "jitter"),
    _flag("keep-order", "condition", _DELAY + "keep_order", Delay, "", "delay rtt"),
    _flag("loss", "condition", _LOSS + "percent", LossRandom, "PERCENT"),
    _flag("loss-correlation", "condition", _LOSS + "correlation", LossRandom, "PERCENT", "loss"),
    _flag(
        "loss-model",
        "condition",
        "condition.loss",
        Condition,
        "MODEL",
        hint=Loss,
        help="loss model: gemodel:p=,r=[,1-h=][,1-k=], state:p13=,…, burst:mean=,share=, every:N or list:N,N",
        example="gemodel:p=1%,r=10%",
    ),
    _flag("duplicate", "condition", "condition.duplicate.percent", Duplicate, "PERCENT"),
    _flag("duplicate-correlation", "condition", "condition.duplicate.correlation", Duplicate, "PERCENT", "duplicate"),
    _flag("corrupt", "condition", "condition.corrupt.percent", Corrupt, "PERCENT"),
    _flag("corrupt-correlation", "condition", "condition.corrupt.correlation", Corrupt, "PERCENT", "corrupt"),
    _flag("reorder", "condition", "condition.reorder.percent", Reorder, "PERCENT"),
    _flag("reorder-correlation", "condition", "condition.reorder.correlation", Reorder, "PERCENT", "reorder"),
    _flag("gap", "condition", "condition.reorder.gap", Reorder, "N"),
    _flag("rate", "condition", "condition.rate.bitrate", RateLimit, "RATE"),
    _flag("overhead", "condition", "condition.rate.overhead", RateLimit, "BYTES", "rate"),
    _flag("limit", "condition", "condition.limit", Condition, "PACKETS|SIZE|TIME"),
    _flag("queue", "condition", "condition.queue", Condition, "NAME"),
    _flag(
        "slot",
        "condition",
        "condition.slot",
        Condition,
        "TIME",
        help="packets arrive in batches, one every TIME, or min=,max=[,packets=][,bytes=]",
    ),
    _flag("ecn", "condition", "condition.ecn", Condition, ""),
    _flag("block", "condition", "condition.block", Condition, "HOW"),
    _flag("mtu", "condition", "condition.mtu", Condition, "BYTES"),
    _flag("trace", "condition", "condition.trace", Condition, "FILE"),
    _flag("seed", "condition", "condition.seed", Condition, "N"),
)
_MATCH_FLAGS: Final = (
    _flag("to", "match", "to", Match, "PEER"),
    _flag("port", "match", "ports", Match, "PORT|RANGE"),
    _flag("protocol", "match", "protocol", Match, "NAME|NUMBER"),
    _flag("direction", "match", "direction", Match, "WHICH"),
    _flag("family", "match", "family", Match, "WHICH"),
    _flag("connection", "match", "connection", Match, "ADDR:PORT-ADDR:PORT"),
    _flag("share", "match", "share", Match, "PERCENT"),
    _flag("tcp-flags", "match", "tcp_flags", Match, "FLAGS"),
    _flag("interface", "match", "interfaces", Match, "NAME"),
    _flag("vlan", "match", "vlan", Match, "N"),
    _flag("priority", "match", "priority", Rule, "N"),
)
_COMMON_FLAGS: Final = (
    _flag(
        "exclude",
        "common",
        "exclude",
        NetworkCondition,
        "MATCH",
        help="traffic that no rule affects: dns, ssh, probes (health checks from the host), a peer, or KEY=VALUE,… where KEY is an option "
        "that selects traffic",
    ),
    _flag("name", "common", "name", NetworkCondition, "NAME"),
    _flag("for", "common", "lease", NetworkCondition, "TIME|forever"),
    _flag("engine", "common", "engine", NetworkCondition, "NAME"),
    _flag("reason", "common", "reason", NetworkCondition, "TEXT"),
)
FLAGS: Final[tuple[Flag, ...]] = _CONDITION_FLAGS + _MATCH_FLAGS + _COMMON_FLAGS
_BY_NAME: Final = {flag.name: flag for flag in FLAGS}


def rule_from_flags(values: Mapping[str, FlagValue]) -> Rule:
    """The rule that the flags tell; flags of the group common are looked over. Raises UsageError."""
    given = _given(values)
    plain = _plain({name: value for name, value in given.items() if _BY_NAME[name].group != "common"})
    rule: Rule = read(Rule, plain, "")
    return validate_rule(rule, "")


def network_condition_from_flags(
    values: Mapping[str, FlagValue], targets: tuple[str, ...] = (), owner: str = ""
) -> NetworkCondition:
    """The network condition, of one rule, that the flags tell. Raises UsageError."""
    common = _plain({name: value for name, value in _given(values).items() if _BY_NAME[name].group == "common"})
    plain = {**common, "targets": targets, "owner": owner, "rules": [rule_from_flags(values)]}
    loaded: NetworkCondition = read(NetworkCondition, plain, "")
    return validate(loaded)


def _given(values: Mapping[str, FlagValue]) -> dict[str, Any]:
    """The flags that were given, as objects. Raises UsageError that names the flag."""
    given: dict[str, Any] = {}
    for name, value in values.items():
        flag = _BY_NAME.get(name)
        if flag is None:
            raise unknown("unknown-flag", name, _BY_NAME)
        if value is None or value is False or (isinstance(value, list | tuple) and not value):
            continue
        given[name] = _value(flag, value)
    for name in given:
        needs = _BY_NAME[name].needs
        if needs and not any(need in given for need in needs):
            wanted = " or ".join(f"--{need}" for need in needs)
            example = f"--{needs[0]} {_BY_NAME[needs[0]].example}"
            raise UsageError("missing-flag", f"--{name} needs {wanted}", f"it only refines {wanted}", f"add {example}")
    for one, other in (("delay", "rtt"), ("loss", "loss-model")):
        if one in given and other in given:
            why = "both set the same field"
            raise UsageError("conflicting-flags", f"--{one} and --{other} are given", why, "leave one of them out")
    return given


def _value(flag: Flag, value: FlagValue) -> Any:
    where = f"--{flag.name}"
    if flag.name == "loss-model" and isinstance(value, str) and ":" not in value:
        why = "a model and its values are needed"
        raise UsageError("bad-short-form", f"{where}: {value[:60]!r} is not a loss model", why, f"write {flag.example}")
    if flag.kind != "list":
        return read(flag.hint, value, where)
    items: list[Any] = [value] if isinstance(value, str) else list(value) if isinstance(value, list | tuple) else [value]
    if flag.name != "exclude":
        items = [part.strip() for item in items for part in str(item).split(",") if part.strip()]
        return read(flag.hint, items, where)
    return tuple(match_from_short(str(item), where) for item in items)


def match_from_short(text: str, where: str) -> Match:
    """A match on one line, such as `to=192.0.2.1,port=22`, as --exclude takes it. Raises UsageError."""
    match: Match = read(Match, text, where)
    return match


def match_to_short(match: Match) -> str:
    """The other way round; "" of one that is all traffic."""
    return "" if match == Match() else short_of_plain(write(match))


def _plain(given: Mapping[str, Any]) -> dict[str, Any]:
    """The values at their paths, the delay's fields moved beside an rtt when that was given."""
    plain: dict[str, Any] = {}
    for name, value in given.items():
        *parents, last = _BY_NAME[name].path
        place = plain
        for parent in parents:
            parent = "rtt" if parent == "delay" and "rtt" in given else parent
            place = place.setdefault(parent, {})
        place[last] = value
    return plain


def rule_to_flags(rule: Rule) -> dict[str, str | bool | list[str]]:
    """The flags that tell this rule: rule_from_flags(rule_to_flags(rule)) == rule."""
    plain = _by_attribute(rule)
    return _to_flags(plain, rule, _CONDITION_FLAGS + _MATCH_FLAGS)


def network_condition_to_flags(condition: NetworkCondition) -> dict[str, str | bool | list[str]]:
    """The flags of a network condition of one rule, without its targets and owner. Raises UsageError several-rules."""
    if len(condition.rules) != 1:
        what = f"{condition.name} has {len(condition.rules)} rules"
        raise UsageError("several-rules", what, "flags describe a single rule", "write it to a file, for set -f")
    return {**_to_flags(_by_attribute(condition), condition, _COMMON_FLAGS), **rule_to_flags(condition.rules[0])}


def _by_attribute(value: Rule | NetworkCondition) -> dict[str, Any]:
    return {**write(value)}


def _to_flags(plain: dict[str, Any], value: Any, flags: tuple[Flag, ...]) -> dict[str, str | bool | list[str]]:
    told: dict[str, str | bool | list[str]] = {}
    for flag in flags:
        if flag.name == "exclude":
            content: Any = [short_of_plain(match) for match in plain.get("exclude", [])]
        elif flag.name in ("loss", "loss-correlation", "loss-model", "slot"):
            content = _special(flag, plain.get("condition", {}))
        else:
            content = _at(plain, flag)
        if content is not None and content != [] and content is not False:
            told[flag.name] = _spelt(content)
    return told


def _special(flag: Flag, condition: dict[str, Any]) -> Any:
    if flag.name == "slot":
        return short_of_plain(condition["slot"]) if "slot" in condition else None
    loss = condition.get("loss")
    if loss is None or (loss["model"] == "random") == (flag.name == "loss-model"):
        return None
    return short_of_plain(loss) if flag.name == "loss-model" else loss.get(flag.path[-1])


def _at(plain: dict[str, Any], flag: Flag) -> Any:
    from netweather.conditions.declare import camel

    place: Any = plain
    for word in flag.path:
        place = place.get(camel(word)) if isinstance(place, dict) else None
    return place


def _spelt(content: Any) -> str | bool | list[str]:
    if isinstance(content, list):
        return [str(item) for item in content]
    return content if isinstance(content, bool) else str(content)


__all__ = [
    "FLAGS",
    "Flag",
    "FlagValue",
    "match_from_short",
    "match_to_short",
    "network_condition_from_flags",
    "network_condition_to_flags",
    "rule_from_flags",
    "rule_to_flags",
]
