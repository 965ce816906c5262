"""Documents about a machine: possible targets, profiles, what its kernel can do, the agent's health."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any, Final

from netweather.conditions import Profile, dump_condition, load_condition
from netweather.targets import Listing
from netweather.wire.condition_documents import CONDITION, PROBLEM
from netweather.wire.schema_types import (
    FLAG,
    NUMBER,
    TEXT,
    WHOLE,
    Components,
    ListOf,
    Nullable,
    ObjectType,
    Property,
    Scalar,
    Schema,
    choice,
    computed,
    group,
    items,
    of,
    reference,
)

LISTING: Final = ObjectType(
    "PossibleTarget",
    "Something that a reference can name, and whether it can be a target now.",
    Listing,
    {
        "reference": of("reference", TEXT),
        "runtime": of("runtime", TEXT),
        "name": of("name", TEXT),
        "state": of("state", TEXT, "in the runtime's word"),
        "id": of("id", TEXT),
        "image": of("image", TEXT),
        "compose": of("compose", TEXT, "PROJECT/SERVICE, or empty"),
        "addresses": of("addresses", ListOf(Scalar({"type": "string"}, str, ip_address))),
        "interfaces": of("interfaces", ListOf(TEXT)),
        "pid": of("pid", Nullable(WHOLE)),
        "identity": of("identity", Nullable(TEXT), "device and inode of the namespace"),
        "note": of("note", TEXT, "the reason why it cannot be a target, or which part is not known"),
    },
)
LISTINGS: Final[ObjectType[Any]] = ObjectType(
    "PossibleTargets",
    "Possible targets, and why runtimes could not be listed.",
    lambda listings, problems: (listings, problems),
    {
        "items": Property(ListOf(LISTING), lambda both: both[0], lambda read: {"listings": read}),
        "problems": Property(ListOf(PROBLEM), lambda both: both[1], lambda read: {"problems": read}),
    },
)
REFERENCE: Final[ObjectType[str]] = ObjectType(
    "Reference",
    "A reference with an id in full.",
    lambda text: text,
    {"reference": Property(TEXT, str, lambda read: {"text": read})},
)


class _OneWay:
    """The condition of one direction."""

    write = staticmethod(dump_condition)
    read = staticmethod(load_condition)

    def schema(self, components: Components) -> Schema:
        CONDITION.schema(components)
        return reference("Condition")


PROFILE: Final = ObjectType(
    "Profile",
    "A named condition for each direction, and where its figures come from.",
    Profile,
    {
        "name": of("name", TEXT),
        "title": of("title", TEXT),
        "aliases": of("aliases", ListOf(TEXT)),
        "up": of("up", _OneWay(), "packets that the target sends"),
        "down": of("down", _OneWay(), "packets that the target receives"),
        "source": of("source", TEXT),
        "notes": of("notes", TEXT),
        "file": of("file", TEXT, "of a user's own profile", default=""),
    },
)
PROFILES: Final = items(PROFILE, "Profiles", "The profiles that come with Netweather.")

_FEATURE: Final[ObjectType[Any]] = ObjectType(
    "KernelFeature",
    "Something that this kernel or host has, or has not.",
    dict,
    {
        "name": computed(TEXT, lambda finding: finding.feature.name),
        "answer": computed(TEXT, lambda finding: finding.state),
        "need": computed(choice("needed", "better", "extra"), lambda finding: finding.feature.need),
        "purpose": computed(TEXT, lambda finding: finding.feature.purpose),
        "minimumKernel": computed(TEXT, lambda finding: finding.feature.minimum),
        "option": computed(TEXT, lambda finding: f"CONFIG_{finding.feature.option}" if finding.feature.option else ""),
        "module": computed(TEXT, lambda finding: finding.feature.module),
        "detail": computed(TEXT, lambda finding: finding.detail),
        "instead": computed(TEXT, lambda finding: finding.feature.instead, "what Netweather does without it"),
        "remedy": computed(TEXT, lambda finding: finding.remedy),
    },
)
DOCTOR: Final[ObjectType[Any]] = ObjectType(
    "KernelReport",
    "What this kernel and host can do.",
    dict,
    {
        "works": computed(FLAG, lambda report: report.works, "Netweather works on this machine"),
        "kernel": computed(TEXT, lambda report: report.host.release),
        "machine": computed(TEXT, lambda report: report.host.machine),
        "system": computed(TEXT, lambda report: report.host.title),
        "engine": group({"auto": computed(TEXT, lambda report: report.engine), "why": computed(TEXT, lambda report: report.why)}),
        "features": computed(ListOf(_FEATURE), lambda report: report.findings),
    },
)
HEALTH: Final[ObjectType[Any]] = ObjectType(
    "Health",
    "The agent runs.",
    dict,
    {
        "status": computed(choice("ok"), lambda agent: "ok"),
        "version": computed(TEXT, lambda agent: agent.version),
        "targets": computed(WHOLE, lambda agent: agent.keeping.count, "that have conditions"),
        "uptimeSeconds": computed(NUMBER, lambda agent: round(agent.uptime_s, 3)),
    },
)
