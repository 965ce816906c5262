"""The events of an agent: each kind with its data, declared once.

`Events.publish` refuses what is not declared. The OpenAPI and docs/reference/events.md are made of the declarations.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from operator import itemgetter
from typing import Any, Final

from netweather.wire.schema_types import (
    NUMBER,
    REQUIRED,
    TEXT,
    TIME,
    WHOLE,
    Components,
    ListOf,
    MapOf,
    Nullable,
    ObjectType,
    Scalar,
    Schema,
    WireType,
    computed,
    reference,
)

_COUNTERS: Final = Nullable(MapOf(Nullable(WHOLE)))
_TEXTS: Final = ListOf(TEXT)
_SCENARIO: Final[dict[str, WireType]] = {"scenario": TEXT, "owner": TEXT}
_CONDITION: Final[dict[str, WireType]] = {"name": TEXT, "target": TEXT}


def _kind(about: str, data: Mapping[str, WireType], **optional: WireType) -> ObjectType[Any]:
    """A kind of event. data: what each event of the kind has; optional: what it may have."""
    needed = {key: computed(what, itemgetter(key)) for key, what in data.items()}
    others = {key: computed(what, partial(_optional, key), default=None) for key, what in optional.items()}
    return ObjectType("", about, dict, {**needed, **others})


def _optional(key: str, data: Mapping[str, Any]) -> Any:
    return data.get(key)


EVENTS: Final[dict[str, ObjectType[Any]]] = {
    "condition-set": _kind("A condition was set on a target.", {**_CONDITION, "owner": TEXT, "by": TEXT}),
    "condition-cleared": _kind("Someone ended a condition.", {**_CONDITION, "by": TEXT, "counters": _COUNTERS}),
    "condition-ended": _kind("A condition expired, or its target stopped.", {**_CONDITION, "counters": _COUNTERS}),
    "condition-resumed": _kind("The agent took over a condition that was in force.", _CONDITION),
    "condition-failed": _kind(
        "A condition could not be set on a pod, or on a target that started later.", {**_CONDITION, "why": TEXT}, owner=TEXT
    ),
    "held-packets-dropped": _kind("Packets of a cleared condition were dropped.", {"target": TEXT, "packets": WHOLE}),
    "peers-changed": _kind("A peer of a rule has other addresses.", {"target": TEXT, "peers": MapOf(_TEXTS)}),
    "connections-reset": _kind("Connections of a target were reset.", {"target": TEXT, "connections": _TEXTS, "by": TEXT}),
    "scenario-started": _kind("A scenario started.", {**_SCENARIO, "rounds": WHOLE, "seconds": NUMBER}),
    "scenario-stepped": _kind(
        "A scenario set or cleared conditions.",
        {**_SCENARIO, "atSeconds": NUMBER, "round": WHOLE, "set": _TEXTS, "cleared": _TEXTS},
    ),
    "scenario-paused": _kind("The timeline was paused.", _SCENARIO),
    "scenario-resumed": _kind(
        "The timeline continues, also after a restart of the agent.", _SCENARIO, atSeconds=NUMBER, round=WHOLE, why=TEXT
    ),
    "scenario-ended": _kind("A scenario reached its end.", _SCENARIO, why=TEXT),
    "scenario-stopped": _kind("Someone stopped a scenario.", _SCENARIO, why=TEXT),
    "scenario-failed": _kind("A scenario failed.", _SCENARIO, why=TEXT),
}


def check_event(kind: str, data: Mapping[str, Any]) -> None:
    """Raises ValueError for a kind, or for data, that EVENTS does not declare: a mistake in our own code."""
    if kind not in EVENTS:
        raise ValueError(f"no event {kind!r} is declared")
    declared = EVENTS[kind].properties
    missing = {key for key, each in declared.items() if each.default is REQUIRED} - data.keys()
    if missing or data.keys() - declared.keys():
        raise ValueError(f"the event {kind} has {', '.join(declared)}, not {', '.join(data)}")


class _AnyEvent:
    """The data of an event, of any kind."""

    def write(self, event: Any) -> dict[str, Any]:
        return {"time": event.time, **event.data}

    def read(self, plain: Any) -> Any:
        return plain

    def schema(self, components: Components) -> Schema:
        kinds = []
        for kind, each in EVENTS.items():
            schema = each.schema(components)
            properties = {"time": TIME.schema(components), **schema["properties"]}
            kinds.append({"title": kind, **schema, "properties": properties, "required": ["time", *schema["required"]]})
        components["Event"] = {"description": "The data of a server-sent event; its kind is the event's name.", "anyOf": kinds}
        return reference("Event")


EVENT: Final = _AnyEvent()


class _EventStream(Scalar):
    """Server-sent events; each has an `Event` as its data."""

    def schema(self, components: Components) -> Schema:
        return {**self.described, "contentMediaType": "application/json", "contentSchema": EVENT.schema(components)}


EVENT_STREAM: Final = _EventStream({"type": "string"})
