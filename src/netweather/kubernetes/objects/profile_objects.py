"""NetworkProfile objects: profiles of one's own for the whole cluster, in the words of Netweather's profile files (conditions.profiles).

    metadata: {name: office}
    spec: {title: the office, down: {rate: {bitrate: 50mbit}}, up: {rate: {bitrate: 10mbit}}, both: {rtt: 20ms}}
One that fails: `spec: {down: {dealy: {time: 1ms}}}` (unknown-key: did you mean 'delay'?).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from netweather.conditions.embedding import embedded
from netweather.conditions.model import NetworkCondition, Rule
from netweather.conditions.profiles import Profile, builtin_profiles, load_profile
from netweather.errors import UsageError
from netweather.kubernetes.objects.condition_reader import without_paths
from netweather.kubernetes.objects.statuses import condition_of_status, refusal


@dataclass(frozen=True)
class OwnProfile:
    """A NetworkProfile object, read: the profile, or why it is none."""

    name: str
    generation: int
    profile: Profile | None = None
    error: UsageError | None = None


def profile_of(found: Mapping[str, Any]) -> OwnProfile:
    """A NetworkProfile object."""
    name, generation = found["metadata"]["name"], found["metadata"].get("generation", 1)
    try:
        profile = load_profile(name, found.get("spec"))
        without_paths(NetworkCondition(rules=(Rule(condition=profile.up), Rule(condition=profile.down))))
    except UsageError as error:
        return OwnProfile(name, generation, error=error)
    return OwnProfile(name, generation, replace(profile, file=f"networkprofile/{name}"))


def written_out(condition: NetworkCondition, own: Mapping[str, Profile]) -> NetworkCondition:
    """With what the cluster's own profiles say in place of their names. Raises UsageError unknown-profile."""
    if not any(rule.condition.profile for rule in condition.rules):
        return condition
    return embedded(condition, own).condition


def profile_status(own: OwnProfile, previous: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The status of a NetworkProfile: whether rules may name it."""
    if own.error is not None:
        told = ("False", *refusal(own.error))
    elif own.name in builtin_profiles():
        told = ("True", "TakesThePlace", "it takes the place of the profile of that name that comes with Netweather")
    else:
        told = ("True", "Valid", "")
    condition = condition_of_status("Accepted", told, previous, own.generation, now)
    return {"observedGeneration": own.generation, "conditions": [condition]}
