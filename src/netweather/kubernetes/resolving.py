"""What each node is to do, of what the cluster is like: a pure function, the same for the same snapshot.

    resolve(snapshot) -> Resolution     nodes: the spec of each node's NodeConditions; conditions: what became of each NetworkCondition
A rule whose peers have no address yet is left out: without peers it would match everything.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from netweather.conditions.dumping import dump
from netweather.conditions.match import Match
from netweather.conditions.model import NetworkCondition
from netweather.errors import UsageError
from netweather.kubernetes.choosing import Policy, choose, some
from netweather.kubernetes.model import UNTIL_DELETED, PodCondition, PodPeer
from netweather.kubernetes.profiles import written_out
from netweather.kubernetes.snapshot import Invalid, Pod, Snapshot, Space, text_of, time_of

ROLL_S: Final = 300
"""How often the end of what holds until it is deleted moves on. It is always at least as far away, and at most twice."""


@dataclass(frozen=True)
class Resolved:
    """What became of a NetworkCondition. ends: None while it was refused, or holds until it is deleted. over: its lease is."""

    key: str
    generation: int
    uid: str = ""
    pods: tuple[Pod, ...] = ()
    warnings: tuple[str, ...] = ()
    error: UsageError | None = None
    started: datetime | None = None
    ends: datetime | None = None
    over: bool = False
    verify: bool = False


@dataclass(frozen=True)
class Resolution:
    """nodes: by name, for those with something to do. again: when time alone changes it, None when it doesn't."""

    nodes: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    conditions: Mapping[str, Resolved] = field(default_factory=dict)
    again: datetime | None = None


def resolve(snapshot: Snapshot, policy: Policy | None = None) -> Resolution:
    """What is to be done by whom, now."""
    spaces = snapshot.by_namespace()
    nodes: dict[str, list[dict[str, Any]]] = {}
    done: dict[str, Resolved] = {}
    having: dict[str, list[str]] = {}
    changes: list[datetime] = []
    for each in sorted(snapshot.conditions, key=_order):
        if isinstance(each, Invalid):
            done[each.key] = Resolved(each.key, each.generation, error=each.error)
            continue
        resolved, plain = _resolve_one(each, snapshot, spaces, policy or Policy())
        done[each.key] = resolved
        if plain is None:
            continue
        for node, pods in _by_node(resolved.pods).items():
            end = resolved.ends or _rolling_end(snapshot.now, node)
            changes.append(resolved.ends or end - timedelta(seconds=ROLL_S))
            nodes.setdefault(node, []).append({**plain, "endsAt": text_of(end), "pods": [_pod(pod) for pod in pods]})
        for pod in resolved.pods:
            having.setdefault(pod.key, []).append(each.key)
    done = {key: _with_overlaps(each, having) for key, each in done.items()}
    return Resolution({name: {"conditions": found} for name, found in sorted(nodes.items())}, done, min(changes, default=None))


def _order(condition: PodCondition | Invalid) -> tuple[str, str]:
    return (getattr(condition, "created", ""), condition.key)


def _resolve_one(
    condition: PodCondition, snapshot: Snapshot, spaces: Mapping[str, Space], policy: Policy
) -> tuple[Resolved, dict[str, Any] | None]:
    """What became of it, and what its nodes are told of it; None when that is nothing."""
    started = time_of(condition.started) if condition.started else snapshot.now.astimezone(UTC).replace(microsecond=0)
    resolved = Resolved(condition.key, condition.generation, condition.uid, started=started, verify=condition.verify)
    if condition.lease != UNTIL_DELETED:
        resolved = replace(resolved, ends=started + timedelta(seconds=-(-condition.lease.ns // 10**9)))
        if resolved.ends is not None and resolved.ends <= snapshot.now:
            return replace(resolved, over=True, verify=False), None
    try:
        written_out(condition.condition, snapshot.profiles)  # also of rules that are not in force now
        chosen = choose(condition, spaces.get(condition.namespace, Space()), len(snapshot.pods), policy, snapshot.zones)
        peers = {word: _addresses(peer, condition.namespace, snapshot, spaces) for word, peer in condition.peers.items()}
        meant, notes = _with_addresses(condition.condition, peers, condition.peers)
        meant = written_out(meant, snapshot.profiles)
    except UsageError as error:
        return replace(resolved, error=error, started=None, ends=None), None
    resolved = replace(resolved, pods=chosen.pods, warnings=(*chosen.warnings, *notes))
    if not meant.rules:
        return resolved, None
    spec = dump(meant)["spec"]
    del spec["lease"]
    told = {"namespace": condition.namespace, "name": condition.name, "uid": condition.uid, "generation": condition.generation}
    asked = {"verify": True} if condition.verify else {}
    return resolved, {**told, "probes": condition.probes, **asked, "spec": spec}


def _by_node(pods: Iterable[Pod]) -> dict[str, list[Pod]]:
    found: dict[str, list[Pod]] = {}
    for pod in pods:
        found.setdefault(pod.node, []).append(pod)
    return found


def _pod(pod: Pod) -> dict[str, Any]:
    plain: dict[str, Any] = {"name": pod.name, "uid": pod.uid}
    return {**plain, "probePorts": list(pod.probe_ports)} if pod.probe_ports else plain


def _rolling_end(now: datetime, node: str) -> datetime:
    """Changes once in ROLL_S, for each node at another moment, so that not all are written at once."""
    shift = zlib.crc32(node.encode()) % ROLL_S
    turns = (int(now.timestamp()) - shift) // ROLL_S
    return datetime.fromtimestamp((turns + 2) * ROLL_S + shift, UTC)


def _with_overlaps(resolved: Resolved, having: Mapping[str, list[str]]) -> Resolved:
    others = {key for pod in resolved.pods for key in having.get(pod.key, ()) if key != resolved.key}
    if not others:
        return resolved
    note = f"pods have other conditions, too, and the first rule that matches wins: {some(sorted(others))}"
    return replace(resolved, warnings=(*resolved.warnings, note))


# peers


def _addresses(peer: PodPeer, own: str, snapshot: Snapshot, spaces: Mapping[str, Space]) -> tuple[str, ...]:
    """Every address that a peer means now, always in the same order."""
    if peer.service:
        name = peer.service if "/" in peer.service else f"{own}/{peer.service}"
        endpoints = sorted(set(snapshot.endpoints.get(name, ())))  # first: of these somebody answers, when it is verified
        return tuple(dict.fromkeys((*endpoints, *sorted(set(snapshot.services.get(name, ()))))))
    selected = _selected(peer, own, snapshot, spaces)
    return tuple(sorted({address for pod in selected if not pod.on_host for address in pod.addresses}))


def _selected(peer: PodPeer, own: str, snapshot: Snapshot, spaces: Mapping[str, Space]) -> Iterable[Pod]:
    if peer.zone and peer.pod_selector is None and not peer.namespace:
        return snapshot.by_zone.get(peer.zone, ())
    pods = spaces.get(peer.namespace or own, Space()).selected(peer.pod_selector)
    return [pod for pod in pods if snapshot.zones.get(pod.node) == peer.zone] if peer.zone else pods


def _with_addresses(
    condition: NetworkCondition, peers: Mapping[str, tuple[str, ...]], words: Mapping[str, PodPeer]
) -> tuple[NetworkCondition, list[str]]:
    """The condition with addresses in place of words, and what was left out."""
    rules, exclude, notes = [], [], []
    for index, rule in enumerate(condition.rules):
        match = _meant(rule.match, peers)
        if match is None:
            notes.append(f"rules[{index}] is not in force: {_named(rule.match, words)} has no address now")
        else:
            rules.append(replace(rule, match=match))
    for each in condition.exclude:
        match = _meant(each, peers)
        exclude += [match] if match is not None else []
    return replace(condition, rules=tuple(rules), exclude=tuple(exclude)), notes


def _meant(match: Match, peers: Mapping[str, tuple[str, ...]]) -> Match | None:
    """None when it named peers and none of them has an address."""
    if not match.to:
        return match
    to = tuple(dict.fromkeys(address for word in match.to for address in peers.get(word, (word,))))
    return replace(match, to=to) if to else None


def _named(match: Match, words: Mapping[str, PodPeer]) -> str:
    found = [words[word] for word in match.to if word in words]
    services = [f"the Service {peer.service}" for peer in found if peer.service]
    return " and ".join([*services, *(f"the zone {peer.zone}" for peer in found if peer.zone)]) or "none of its peers"
