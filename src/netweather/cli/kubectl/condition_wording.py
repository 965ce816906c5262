"""Words of the plugin's command line to the spec of a NetworkCondition, and back to words for people. Pure.

TARGET  shop-5d9f | pod/shop-5d9f | deployment/shop (statefulset, daemonset, replicaset, job), or labels by -l app=shop
PEER    service/db | service/payments/db | app=db | namespace/payments | 198.51.100.0/24 | db.example.org
One that fails: `--to db` (bad-peer: it may be a Service or a host name).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from netweather.conditions.embedding import embedded_rule, own_profiles, with_profile_files
from netweather.conditions.language.dumping import dump
from netweather.conditions.language.flags import FlagValue, network_condition_from_flags
from netweather.conditions.language.loading import API_VERSION
from netweather.conditions.model import Rule
from netweather.conditions.profiles import Profile
from netweather.errors import UsageError
from netweather.kubernetes.objects.condition_reader import ADDRESS, PLACEHOLDER
from netweather.kubernetes.objects.pod_conditions import UNTIL_DELETED
from netweather.kubernetes.objects.pod_selection import KINDS, workload
from netweather.settings import Settings

Plain = dict[str, Any]
_LONGEST_NAME: Final = 60
_SERVICES: Final = ("service", "services", "svc")
_SPACES: Final = ("namespace", "namespaces", "ns")
_FOR_EVER: Final = ("forever", UNTIL_DELETED)


def targets(words: Sequence[str], selectors: Sequence[str] = (), pods: str = "") -> list[Plain]:
    """Whose network. pods: only so many of each, as a number or a share. Raises UsageError."""
    found = [_target(word) for word in words]
    found += [{"podSelector": {"matchLabels": _labels(text)}} for text in selectors]
    return [{**each, **_part(pods)} for each in found]


def _target(word: str) -> Plain:
    kind, slash, name = word.partition("/")
    if not slash:
        return {"pod": word}
    if kind.lower() in ("pod", "pods", "po") and name:
        return {"pod": name}
    if kind.lower().removesuffix("s") in KINDS:
        kind = kind.lower().removesuffix("s") if kind.lower() not in KINDS else kind
    return {"workload": workload(f"{kind}/{name}")}


def _labels(text: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in text.split(",") if part]
    if not pairs or any(not key or not equals for key, equals, _ in pairs):
        raise UsageError(
            "bad-selector",
            f"{text[:60]!r} is not a label selector",
            "the plugin accepts only KEY=VALUE",
            "write -l app=shop,tier=web",
        )
    return {key.strip(): value.strip().removeprefix("=") for key, _, value in pairs}


def _part(pods: str) -> Plain:
    if not pods:
        return {}
    if pods.endswith("%"):
        return {"share": pods}
    if not pods.isascii() or not pods.isdigit() or not int(pods):
        raise UsageError(
            "bad-pods", f"--pods: {pods[:40]!r} is neither a number nor a percentage", "", "write --pods 1 or --pods 50%"
        )
    return {"count": int(pods)}


def peer(word: str) -> Plain:
    """The other end. Raises UsageError bad-peer."""
    kind, slash, name = word.partition("/")
    if slash and name and kind.lower() in _SERVICES:
        return {"service": name}
    if slash and name and kind.lower() in _SPACES:
        return {"namespace": name}
    if "=" in word:
        return {"podSelector": {"matchLabels": _labels(word)}}
    if ADDRESS.fullmatch(word):
        return {"cidr": word}
    if "." in word and not slash:
        return {"dns": word}
    why = "it may be a Service, a label or a host name"
    raise UsageError(
        "bad-peer", f"--to: {word[:60]!r} is not a peer in a cluster", why, f"write service/{name or word} or app={name or word}"
    )


def condition(flags: Mapping[str, FlagValue], whose: Sequence[Plain], names: Sequence[str]) -> Plain:
    """The NetworkCondition object that is to be written; names: the words of the targets, for its name. Raises UsageError."""
    given = dict(flags)
    lease = str(given.pop("for", "") or "")
    if lease and lease not in _FOR_EVER:
        given["for"] = lease
    peers: dict[str, Plain] = {}
    made = network_condition_from_flags({**given, "to": _stand_ins(given.get("to"), peers)})
    own = own_profiles(Settings.load().profiles)
    made = replace(made, rules=tuple(part for rule in with_profile_files(made).rules for part in _embedded(rule, own)))
    spec = dump(made)["spec"]
    for rule in (*spec["rules"], *spec.get("exclude", ())):
        if "to" in rule:
            rule["to"] = [peers.get(word) or peer(word) for word in rule["to"]]
    for key in ("targets", "owner", "lease"):
        spec.pop(key, None)
    spec = {"targets": list(whose), **({"lease": UNTIL_DELETED if lease in _FOR_EVER else lease} if lease else {}), **spec}
    name = str(given.get("name") or "") or name_of(names)
    return {"apiVersion": API_VERSION, "kind": "NetworkCondition", "metadata": {"name": name}, "spec": spec}


def _embedded(rule: Rule, own: Mapping[str, Profile]) -> tuple[Rule, ...]:
    """As conditions.embedding does it; a profile that nobody knows here may be a NetworkProfile, and is the operator's to refuse."""
    try:
        return embedded_rule(rule, own)
    except UsageError as error:
        if error.code != "unknown-profile":
            raise
        return (rule,)


def _stand_ins(words: FlagValue, peers: dict[str, Plain]) -> list[str]:
    """A word in place of each peer, which the condition language lets through as a host name."""
    listed = [words] if isinstance(words, str) else list(words) if isinstance(words, list | tuple) else []
    for word in (part.strip() for each in listed for part in each.split(",") if part.strip()):
        peers[f"{PLACEHOLDER}-{len(peers)}"] = peer(word)
    return list(peers)


def name_of(words: Iterable[str]) -> str:
    """An object's name that tells the targets: 'deployment-shop', 'app-shop'. The same words give the same name."""
    text = "-".join(words)
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[: _LONGEST_NAME - 9].rstrip('-')}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


# for people


def target_words(target: Mapping[str, Any]) -> str:
    """'deployment/shop', 'pod/shop-0', 'app=shop (1 of them)'."""
    labels = (target.get("podSelector") or {}).get("matchLabels") or {}
    text = target.get("workload") or (f"pod/{target['pod']}" if target.get("pod") else "")
    text = text or ",".join(f"{key}={value}" for key, value in labels.items()) or "all pods"
    part = target.get("count") or target.get("share")
    return f"{text} ({part} of them)" if part else text


def peer_words(found: Mapping[str, Any]) -> str:
    """As it is written after --to."""
    if found.get("service"):
        return f"service/{found['service']}"
    labels = (found.get("podSelector") or {}).get("matchLabels") or {}
    if found.get("namespace") and not labels:
        return f"namespace/{found['namespace']}"
    return found.get("cidr") or found.get("dns") or ",".join(f"{key}={value}" for key, value in labels.items()) or "all pods"


def rule_words(rule: Mapping[str, Any]) -> str:
    """'delay 100ms to service/db port 5432, egress'."""
    from netweather.cli.wording import condition_words, match_words
    from netweather.conditions.language.codec import read

    to = [peer_words(each) for each in rule.get("to") or ()]
    parsed: Rule = read(Rule, {**{key: value for key, value in rule.items() if key != "to"}, **({"to": to} if to else {})}, "")
    return f"{condition_words(parsed.condition)}: {match_words(parsed.match)}"
