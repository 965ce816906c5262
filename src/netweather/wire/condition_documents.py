"""Documents of `set`, `show` and `clear`: network conditions with a status, targets, counters, problems.

Imports little: a command line that sends one request to an agent needs these, and no engine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, Generic, TypeVar

from netweather.conditions.model import NetworkCondition
from netweather.errors import NetweatherError
from netweather.results import Cleared, ConditionStatus, Experienced, RuleCounters, SetOutcome, SetResult, TargetRef
from netweather.units import Duration
from netweather.wire.schema_types import (
    FLAG,
    MICROSECONDS,
    NUMBER,
    TEXT,
    TIME,
    WHOLE,
    Components,
    Deferred,
    ListOf,
    MapOf,
    Named,
    Nullable,
    ObjectType,
    Property,
    Scalar,
    Schema,
    WireType,
    choice,
    computed,
    group,
    items,
    of,
    reference,
)

T = TypeVar("T")
_ABSENT: Final = object()
_TEXTS: Final = ListOf(TEXT)
_SECONDS: Final = Scalar({"type": "number"}, lambda ns: round(ns / 1e9, 3), lambda seconds: round(seconds * 1e9))
"""Nanoseconds in Python, seconds on the wire."""


PROBLEM: Final = Named(
    "Problem",
    {
        "type": "object",
        "description": "An error, as RFC 9457 defines it; docs/errors.md explains each code.",
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string", "description": "what failed"},
            "code": {"type": "string", "description": "does not change between versions"},
            "detail": {"type": "string", "description": "the cause, if known"},
            "remedy": {"type": "string", "description": "what to do about it"},
            "status": {"type": "integer", "description": "of the HTTP response"},
        },
        "required": ["type", "title", "code", "detail", "remedy"],
    },
    NetweatherError.as_problem,
    NetweatherError.from_problem,
)


def _of_identity(text: str) -> dict[str, Any]:
    dev, _, ino = text.partition("-")
    return {"dev": int(dev), "ino": int(ino)}


TARGET: Final = ObjectType(
    "Target",
    "A network namespace, by the reference that led to it.",
    partial(TargetRef, pid=None, path=None),
    {
        "reference": of("reference", TEXT, "such as docker:shop-api"),
        "name": of("name", TEXT, "of the container, pod, process or namespace"),
        "identity": Property(TEXT, lambda target: target.identity, _of_identity, "device and inode of the namespace"),
        "runtime": of("runtime", TEXT),
    },
)

_MAYBE_WHOLE: Final = Nullable(WHOLE)
COUNTERS: Final = ObjectType(
    "RuleCounters",
    "What one rule has counted since it was set. null: the engine does not count it.",
    RuleCounters,
    {
        each.name: of(each.name, WHOLE if each.name in ("packets", "bytes", "dropped") else _MAYBE_WHOLE)
        for each in fields(RuleCounters)
    },
)

_RATE: Final = Nullable(NUMBER)
EXPERIENCED: Final = ObjectType(
    "TcpSummary",
    "The TCP connections that match a rule: before it was set, and now. Medians.",
    Experienced,
    {
        "connections": group(
            {"now": of("connections", WHOLE), "fromBefore": of("known", WHOLE, "older than the condition")}
        ),
        "rttSeconds": group({"before": of("rtt_before", Nullable(MICROSECONDS)), "now": of("rtt", Nullable(MICROSECONDS))}),
        "retransmits": of("retransmits", WHOLE, "since the condition was set"),
        "deliveryRateBitsPerSecond": group({"before": of("rate_before", _RATE), "now": of("rate", _RATE)}),
        "goodputBitsPerSecond": of("goodput", _RATE, "of connections that are older than the condition"),
    },
)  # fmt: skip

_RULE: Final = ObjectType(
    "RuleStatus",
    "One rule of a condition in force.",
    lambda counters, experienced: (counters, experienced),
    {
        "counters": Property(COUNTERS, lambda pair: pair[0], lambda read: {"counters": read}),
        "experienced": Property(
            Nullable(EXPERIENCED),
            lambda pair: pair[1],
            lambda read: {"experienced": read},
            "when requested (lived=true)",
            _ABSENT,
        ),
    },
)


def _rules(shown: ConditionStatus) -> Sequence[tuple[RuleCounters, Any]]:
    lived = shown.lived if shown.lived is not None else [_ABSENT] * len(shown.rules)
    return [*zip(shown.rules, lived, strict=False)]


def _of_rules(read: Sequence[tuple[RuleCounters, Any]]) -> dict[str, Any]:
    lived = tuple(each for _, each in read)
    return {"rules": tuple(counters for counters, _ in read), "lived": None if _ABSENT in lived else lived}


def expiry(remaining_ns: int | None, now: datetime) -> datetime | None:
    """When a lease ends, to the second: it is computed at each request, and must not change from one to the next."""
    if remaining_ns is None:
        return None
    end = now.astimezone(UTC) + timedelta(microseconds=remaining_ns // 1000)
    return (end + timedelta(microseconds=500_000)).replace(microsecond=0)


_UTC: Final = Nullable(Scalar(TIME.described, lambda time: time.isoformat().replace("+00:00", "Z"), datetime.fromisoformat))


def _lease(remaining: Callable[[Any], int | None], left: Property) -> dict[str, Property]:
    about = "null: it does not end"
    return {
        "expiresAt": computed(_UTC, lambda value: expiry(remaining(value), datetime.now(UTC)), about),
        "remainingSeconds": left,
    }


_IN_FORCE: Final[ObjectType[Any]] = ObjectType(
    "StatusCondition",
    "The same as `inForce`, for tools of Kubernetes.",
    dict,
    {
        "type": computed(choice("InForce"), lambda shown: "InForce"),
        "status": computed(choice("True", "False"), lambda shown: str(shown.in_force)),
        "reason": computed(choice("ReadBack", "NotInForce"), lambda shown: "ReadBack" if shown.in_force else "NotInForce"),
        "message": computed(TEXT, lambda shown: "; ".join(shown.problems)),
    },
)
_SHOWN_STATUS: Final = ObjectType(
    "ConditionStatus",
    "A condition on one target.",
    ConditionStatus,
    {
        "conditions": computed(ListOf(_IN_FORCE), lambda shown: [shown]),
        "inForce": of("in_force", FLAG, "the kernel has all of it"),
        "target": of("target", TARGET),
        "engine": of("engine", TEXT),
        "engines": of("engines", _TEXTS, "which engine makes which emulated link, and why"),
        "hook": of("hook", choice("tcx", "clsact"), "where the classifier is attached"),
        **_lease(lambda shown: shown.remaining_ns, of("remaining_ns", Nullable(_SECONDS))),
        "interfaces": of("interfaces", _TEXTS, "that it covers"),
        "peers": of("peers", MapOf(_TEXTS), "the addresses of each peer that a rule names"),
        "problems": of("problems", _TEXTS, "why it is not in force, or what else is wrong"),
        "notes": of("notes", _TEXTS, "what is not wrong, and yet to be known"),
        "unwantedDrops": of("unwanted_drops", WHOLE, "packets that devices of Netweather dropped, against the condition"),
        "queueDrops": of("queue_drops", WHOLE, "packets that a full queue dropped, since a rate or a limit is set"),
        "rules": Property(ListOf(_RULE), _rules, _of_rules, "in the order of spec.rules"),
    },
)

_RESULT: Final = ObjectType(
    "TargetOutcome",
    "What `set` did on one target.",
    partial(SetResult, condition=NetworkCondition(), operations=()),
    {
        "target": of("target", TARGET),
        "changed": of("changed", FLAG, "false: the same condition was in force"),
        "engines": of("engines", _TEXTS, "which engine makes which emulated link, and why"),
        "interfaces": of("interfaces", _TEXTS, "that it covers"),
        "peers": of("peers", MapOf(_TEXTS), "the addresses of each peer that a rule names"),
        "notes": of("notes", _TEXTS, "what the user should know"),
        "plan": of("plan", _TEXTS, "the operations in words; of a dry run", default=None),
    },
)


def _evidence() -> WireType:
    from netweather.wire.evidence_documents import EVIDENCE

    return EVIDENCE


def _lease_ns(done: SetOutcome) -> int | None:
    lease = done.condition.lease
    return lease.ns if isinstance(lease, Duration) else None


def _done(condition: NetworkCondition, results: Sequence[SetResult], **more: Any) -> SetOutcome:
    return SetOutcome(condition, tuple(replace(each, condition=condition) for each in results), **more)


_DONE_STATUS: Final = ObjectType(
    "SetOutcome",
    "What `set` did, on all targets of a condition.",
    _done,
    {
        "inForce": computed(FLAG, lambda done: not done.dry_run),
        "dryRun": of("dry_run", FLAG),
        **_lease(_lease_ns, computed(Nullable(_SECONDS), _lease_ns)),
        "targets": of("results", ListOf(_RESULT)),
        "evidence": of("evidence", ListOf(Deferred(_evidence)), "what was measured (verify=true)", default=()),
    },
)


class LanguageDocument:
    """A document of the condition language, which declares, writes and reads it. find: its class."""

    def __init__(self, name: str, find: Callable[[], type], write: Callable[[Any], Any], read: Callable[[Any], Any]) -> None:
        self.name, self.find, self.write, self.read = name, find, write, read

    def schema(self, components: Components) -> Schema:
        from netweather.conditions.language import schema

        components |= schema.components(self.find())
        return reference(self.name)


class WithStatus(Generic[T]):
    """A document of the language with a status of this type. attribute: where the value has it."""

    def __init__(self, name: str, document: LanguageDocument, attribute: str, status: ObjectType[T]) -> None:
        self.name, self.document, self.attribute, self.status = name, document, attribute, status

    def write(self, value: T) -> dict[str, Any]:
        return {**self.document.write(getattr(value, self.attribute)), "status": self.status.write(value)}

    def read(self, plain: Mapping[str, Any]) -> T:
        inner = self.document.read({key: value for key, value in plain.items() if key != "status"})
        return self.status.make(**{self.attribute: inner}, **self.status.arguments(plain["status"]))

    def schema(self, components: Components) -> Schema:
        self.document.schema(components)
        plain = components[self.document.name]
        components[self.name] = {
            **plain,
            "description": self.status.about,
            "properties": {**plain["properties"], "status": self.status.schema(components)},
            "required": [*plain["required"], "status"],
        }
        return reference(self.name)


def _dump(condition: NetworkCondition) -> dict[str, Any]:
    from netweather.conditions.language.dumping import dump

    return dump(condition)


def _load(plain: Any) -> NetworkCondition:
    from netweather.conditions.language.loading import load

    return load(plain)


CONDITION: Final = LanguageDocument("NetworkCondition", lambda: NetworkCondition, _dump, _load)
SHOWN: Final = WithStatus("ShownCondition", CONDITION, "condition", _SHOWN_STATUS)
DONE: Final = WithStatus("SetCondition", CONDITION, "condition", _DONE_STATUS)
CLEARED: Final = ObjectType(
    "ClearedTarget",
    "What `clear` did on one target.",
    Cleared,
    {
        "target": of("target", TEXT),
        "cleared": of("names", _TEXTS, "names of the conditions that ended"),
        "drainingPackets": of("draining", WHOLE, "held packets that still arrive, for at most 10 s", default=0),
        "droppedPackets": of("dropped", WHOLE, "held packets that were dropped", default=0),
        "problem": of("problem", PROBLEM, "why it failed; then nothing changed", default=None),
    },
)


class ListDocument:
    """Several documents as a Kubernetes List, which `set -f` reads."""

    def __init__(self, name: str, item: WireType) -> None:
        self.name, self.item = name, item

    def write(self, values: Sequence[Any]) -> dict[str, Any]:
        return {"apiVersion": "v1", "kind": "List", "items": [self.item.write(each) for each in values]}

    def read(self, plain: Any) -> list[Any]:
        return [self.item.read(each) for each in plain["items"]]

    def schema(self, components: Components) -> Schema:
        components[self.name] = {
            "type": "object",
            "properties": {
                "apiVersion": {"const": "v1"},
                "kind": {"const": "List"},
                "items": {"type": "array", "items": self.item.schema(components)},
            },
            "required": ["apiVersion", "kind", "items"],
        }
        return reference(self.name)


CONDITIONS: Final = ListDocument("NetworkConditionList", CONDITION)
SHOWN_LIST: Final = ListDocument("ShownConditionList", SHOWN)
DONE_LIST: Final = ListDocument("SetConditionList", DONE)
CLEARED_ITEMS: Final = items(CLEARED, "ClearedTargets", "What `clear` did, by target.")


def one_or_list(document: ListDocument, values: Sequence[Any]) -> dict[str, Any]:
    """The one document, or several as a List; `set -f` reads either."""
    whole = document.write(values)
    return dict(whole["items"][0]) if len(values) == 1 else whole
