"""What a test asks for, from Python's keywords to a network condition. Pure; not here: putting it in force (network)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from netweather.conditions import NetworkCondition
from netweather.conditions.language.flags import FLAGS, Flag, FlagValue, network_condition_from_flags
from netweather.errors import UsageError, unknown

Verify = Literal["kernel", "measure"]
OWN = ("target", "verify", "allow_unmatched", "shared")
_NOT_OURS = ("for", "engine", "reason", "name")
_ALIASES = {"ports": "port", "interfaces": "interface"}


@dataclass(frozen=True)
class NetworkRequest:
    """What a test needs. verify: what is asked of the evidence: the kernel's own word, or measurement too.

    allow_unmatched: no packet need have met it. shared: other tests may change the same targets at the same time.
    given: the flags it came from, so that a change keeps the match.
    """

    condition: NetworkCondition
    verify: Verify = "kernel"
    allow_unmatched: bool = False
    shared: bool = False
    given: tuple[tuple[str, FlagValue], ...] = ()

    def changed(self, profile: str | None, words: Mapping[str, Any]) -> NetworkRequest:
        """The same traffic with another condition. Raises UsageError."""
        group = {flag.name: flag.group for flag in FLAGS}
        kept = {name: value for name, value in self.given if group[name] != "condition"}
        flags = {**kept, **_flags(profile, words)}
        return replace(self, condition=_made(flags, self.condition), given=tuple(flags.items()))


def wish(
    profile: str | None, words: Mapping[str, Any], /, *, name: str, reason: str, lease: str, targets: tuple[str, ...] = ()
) -> NetworkRequest:
    """A wish from the words of a mark or of `degrade`: those of the command line's options with _ for -, and OWN.

    name, reason: of the network condition; lease: how long it holds unless it is renewed; targets: when the words name none.
    Raises UsageError: unknown-keyword with the nearest known one, missing-target, no-condition, and what the conditions say.
    """
    own = {key: words[key] for key in OWN if key in words}
    flags = _flags(profile, {key: value for key, value in words.items() if key not in OWN})
    targets = _texts(own.get("target")) or targets
    if not targets:
        what = "no target is given"
        raise UsageError("missing-target", what, "", 'write target="docker:shop", or give --network-target')
    verify = own.get("verify", "kernel")
    if verify not in get_args(Verify):
        raise unknown("unknown-verify", verify, get_args(Verify))
    settings = {**flags, "name": name, "reason": reason, "for": lease}
    made = network_condition_from_flags(settings, targets)
    given = tuple(flags.items())
    return NetworkRequest(made, verify, bool(own.get("allow_unmatched")), bool(own.get("shared")), given)


def has_condition(profile: str | None, words: Mapping[str, Any]) -> bool:
    """Whether these words say what is to be wrong, and not only with which traffic. Raises UsageError(code="unknown-keyword")."""
    for key in words:
        if key not in OWN:
            _known(key)
    conditions = {flag.name.replace("-", "_") for flag in FLAGS if flag.group == "condition"}
    return profile is not None or not conditions.isdisjoint(words)


def _made(flags: dict[str, FlagValue], old: NetworkCondition) -> NetworkCondition:
    common = {"name": old.name, "reason": old.reason, "for": str(old.lease)}
    return network_condition_from_flags({**flags, **common}, old.targets, old.owner)


def _flags(profile: str | None, words: Mapping[str, Any]) -> dict[str, FlagValue]:
    flags: dict[str, FlagValue] = {}
    for key, value in words.items():
        flag = _known(key)
        flags[flag.name] = value if isinstance(value, bool) else list(_texts(value)) if flag.kind == "list" else str(value)
    if profile is not None:
        if "profile" in flags:
            raise UsageError(
                "conflicting-flags", "the profile is given twice", "both set the same field", "leave one of them out"
            )
        flags["profile"] = profile
    if not any(flag.name in flags for flag in FLAGS if flag.group == "condition"):
        why = "no keyword says how to degrade the network"
        raise UsageError("no-condition", "no condition is given", why, 'add one, such as delay="100ms", loss="1%" or "3g"')
    return flags


def _known(key: str) -> Flag:
    known = {flag.name.replace("-", "_"): flag for flag in FLAGS if flag.name not in _NOT_OURS}
    flag = known.get(_ALIASES.get(key, key))
    if flag is None:
        raise unknown("unknown-keyword", key, [*known, *OWN])
    return flag


def _texts(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(str(each) for each in value) if isinstance(value, list | tuple) else (str(value),)
