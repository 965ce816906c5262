"""Profiles: named conditions, with both directions and the source of their figures; ours and the user's own.

A profile is told from the side of who has the link: `down` is what the target receives, `up` what it sends. A server whose
clients have the link takes NAME/reversed. A user's own profiles stand in YAML files (embedding.own_profiles finds them):
    office: {title: the office, source: measured in May, down: {rate: 50mbit}, up: {rate: 10mbit}, both: {rtt: 20ms}}
`expand` replaces the profiles in a network condition: a field that the rule gives wins over the profile's.
One that fails: profile 3gg (unknown-profile: did you mean '3g'?).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from netweather.conditions.codec import bad_type, placed
from netweather.conditions.declare import declared_fields
from netweather.conditions.loading import load_condition
from netweather.conditions.model import Condition, NetworkCondition, Rule
from netweather.conditions.nearest import unknown
from netweather.conditions.profiledata import PROFILES
from netweather.conditions.validation import validate, validate_condition
from netweather.errors import UsageError

REVERSED: Final = "/reversed"
_KEYS: Final = ("title", "source", "notes", "aliases", "both", "down", "up")


@dataclass(frozen=True, slots=True)
class Profile:
    """A named condition. `up` is for what the target sends (egress), `down` for what it receives (ingress)."""

    name: str
    title: str
    up: Condition
    down: Condition
    source: str
    notes: str = ""
    aliases: tuple[str, ...] = ()
    file: str = ""
    """Where the user's own stands; empty: it comes with Netweather."""

    @property
    def reversed(self) -> Profile:
        """The same link seen from its other end."""
        return dataclasses.replace(self, name=self.name + REVERSED, title=f"{self.title}, far end", up=self.down, down=self.up)


@cache
def builtin_profiles() -> Mapping[str, Profile]:
    """The profiles that come with Netweather, by name, in the order to list them."""
    return {name: load_profile(name, data) for name, data in PROFILES.items()}


def find_profile(name: str, own: Mapping[str, Profile] | None = None) -> Profile:
    """The profile of that name or alias, the user's own before ours. Raises UsageError unknown-profile."""
    plain = name.removesuffix(REVERSED)
    known = {**builtin_profiles(), **(own or {})}
    by_alias = {alias: profile for profile in known.values() for alias in profile.aliases}
    found = known.get(plain) or by_alias.get(plain)
    if found is None:
        raise unknown("unknown-profile", plain, [*known, *by_alias])
    return found.reversed if name.endswith(REVERSED) else found


def load_profiles(text: str) -> dict[str, Profile]:
    """A user's own profiles from a YAML text: a mapping of names. Raises UsageError."""
    from netweather.conditions.documents import parse_yaml

    loaded: dict[str, Profile] = {}
    for document in parse_yaml(text):
        if not isinstance(document, Mapping):
            raise bad_type(document, "a mapping of names to profiles", "the top")
        for name, data in document.items():
            loaded[name] = load_profile(name, data)
    return loaded


def load_profile(name: str, data: Any) -> Profile:
    """One profile from plain data: a mapping of title, source, both, down, up …. Raises UsageError."""
    if not isinstance(data, Mapping):
        raise bad_type(data, "a profile", name, "write down: {…}, up: {…} or both: {…}")
    for key in data:
        if key not in _KEYS:
            raise unknown("unknown-key", key, _KEYS, name)
    if not any(key in data for key in ("both", "down", "up")):
        raise UsageError("missing-key", f"{name}: it has no condition", "", "add both, down or up")
    texts = {key: str(data.get(key, "")) for key in ("title", "source", "notes")}
    up, down = (_direction(data, key, f"{name}.{key}") for key in ("up", "down"))
    aliases = data.get("aliases", [])
    if not isinstance(aliases, list):
        raise bad_type(aliases, "a list", f"{name}.aliases")
    return Profile(
        name, texts["title"] or name, up, down, texts["source"], texts["notes"], tuple(str(alias) for alias in aliases)
    )


def _direction(data: Mapping[str, Any], key: str, where: str) -> Condition:
    """One direction: what both have, with what is this direction's own."""
    parts = [data.get("both") or {}, data.get(key) or {}]
    for part in parts:
        if not isinstance(part, Mapping):
            raise bad_type(part, "a condition", where)
        if "profile" in part:
            raise UsageError("unknown-key", f"{where}: a profile cannot name another profile", "", "write out its fields")
    merged = {**parts[0], **parts[1]}
    if "rtt" in parts[0] and "delay" in parts[1]:
        del merged["rtt"]
    try:
        return validate_condition(load_condition(merged), where)
    except UsageError as error:
        raise (error if error.what.startswith(where) else placed(error, where)) from error


def expand(condition: NetworkCondition, own: Mapping[str, Profile] | None = None) -> NetworkCondition:
    """The same with every profile replaced by what it says. Rules whose directions differ become two.

    Raises UsageError unknown-profile, or what `validate` raises when the whole no longer makes sense.
    """
    if not any(rule.condition.profile for rule in condition.rules):
        return condition
    rules = tuple(rule for old in condition.rules for rule in expand_rule(old, own))
    return validate(dataclasses.replace(condition, rules=rules))


def expand_rule(rule: Rule, own: Mapping[str, Profile] | None = None) -> tuple[Rule, ...]:
    """The rule without its profile: one rule, or one for egress and one for ingress where these differ."""
    return rules_of(rule, profile_of(rule, own))


def profile_of(rule: Rule, own: Mapping[str, Profile] | None = None) -> Profile | None:
    """The profile that a rule names, if it names one. Raises UsageError unknown-profile."""
    name = rule.condition.profile
    return find_profile(name, own) if name is not None else None


def rules_of(rule: Rule, profile: Profile | None) -> tuple[Rule, ...]:
    """As `expand_rule`, with the profile that the rule names."""
    up, down = _directions(rule, profile)
    if up is None or down is None or up == down:
        one = down if up is None else up
        return () if one is None else (dataclasses.replace(rule, condition=one),)
    egress = Rule(dataclasses.replace(rule.match, direction="egress"), up, rule.priority)
    ingress = Rule(dataclasses.replace(rule.match, direction="ingress"), down, rule.priority)
    return (egress, ingress)


def directions(rule: Rule, own: Mapping[str, Profile] | None = None) -> tuple[Condition | None, Condition | None]:
    """What the rule means for egress and for ingress, profiles replaced; None where it doesn't match that direction."""
    return _directions(rule, profile_of(rule, own))


def _directions(rule: Rule, profile: Profile | None) -> tuple[Condition | None, Condition | None]:
    given = rule.condition
    up, down = (given, given) if profile is None else (_over(given, profile.up), _over(given, profile.down))
    wanted = rule.match.direction
    return (up if wanted != "ingress" else None, down if wanted != "egress" else None)


def _over(given: Condition, base: Condition) -> Condition:
    """The profile's condition with the given fields in place of its own."""
    changed = {
        field.attribute: value
        for field in declared_fields(Condition)
        if field.attribute != "profile" and (value := getattr(given, field.attribute)) != field.default
    }
    for one, other in (("trace", "rate"), ("rate", "trace")):
        if one in changed:
            changed.setdefault(other, None)
    if changed and base.block is not None:
        changed["block"] = None
    return dataclasses.replace(base, **changed)


__all__ = [
    "REVERSED",
    "Profile",
    "builtin_profiles",
    "directions",
    "expand",
    "expand_rule",
    "find_profile",
    "load_profile",
    "load_profiles",
    "profile_of",
    "rules_of",
]
