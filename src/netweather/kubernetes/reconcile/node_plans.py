"""What each node is to do, of what the cluster is like: a pure function, the same for the same snapshot.

    resolve(snapshot) -> Resolution     nodes: the spec of each node's NodeConditions; conditions, scenarios: what became of each
A rule whose peers have no address yet is left out: without peers it would match everything.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from netweather.conditions.language.dumping import dump
from netweather.conditions.match import Match
from netweather.conditions.model import NetworkCondition
from netweather.conditions.profiles import find_profile
from netweather.errors import UsageError
from netweather.kubernetes.objects.pod_conditions import UNTIL_DELETED, PodCondition, PodPeer
from netweather.kubernetes.objects.pod_selection import PodPolicy, choose, pods_of, some
from netweather.kubernetes.objects.profile_objects import written_out
from netweather.kubernetes.objects.scenario_objects import PodScenario
from netweather.kubernetes.objects.snapshot import Invalid, Pod, Snapshot, Space, exact_text_of, text_of, time_of
from netweather.kubernetes.reconcile.scenario_state import Playing, first_moment, play

_SCENARIO: Final = "scenario "
ROLL_S: Final = 300
"""How often the end of what holds until it is deleted moves on. It is always at least as far away, and at most twice."""


@dataclass(frozen=True)
class Resolved:
    """What became of a NetworkCondition or NetworkScenario. ends: None while it was refused, or holds until it is deleted.

    over: its lease is. step, round: where a scenario is, the round from 1; "" and 0 before it begins, and of a condition.
    """

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
    step: str = ""
    round: int = 0


@dataclass(frozen=True)
class Resolution:
    """nodes: by name, for those with something to do. again: when time alone changes it, None when it doesn't."""

    nodes: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    conditions: Mapping[str, Resolved] = field(default_factory=dict)
    scenarios: Mapping[str, Resolved] = field(default_factory=dict)
    again: datetime | None = None


def resolve(snapshot: Snapshot, policy: PodPolicy | None = None) -> Resolution:
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
        resolved, plain = _resolve_one(each, snapshot, spaces, policy or PodPolicy())
        done[each.key] = resolved
        if plain is None:
            continue
        for node, pods in _by_node(resolved.pods).items():
            end = resolved.ends or _rolling_end(snapshot.now, node)
            changes.append(resolved.ends or end - timedelta(seconds=ROLL_S))
            nodes.setdefault(node, []).append({**plain, "endsAt": text_of(end), "pods": [_pod(pod) for pod in pods]})
        for pod in resolved.pods:
            having.setdefault(pod.key, []).append(each.key)
    played = _scenarios(snapshot, spaces, policy or PodPolicy(), nodes, having, changes)
    done = {key: _with_overlaps(each, key, having) for key, each in done.items()}
    played = {key: _with_overlaps(each, f"{_SCENARIO}{key}", having) for key, each in played.items()}
    specs = {name: {"conditions": found} for name, found in sorted(nodes.items())}
    return Resolution(specs, done, played, min(changes, default=None))


def _order(condition: PodCondition | PodScenario | Invalid) -> tuple[str, str]:
    return (getattr(condition, "created", ""), condition.key)


def _resolve_one(
    condition: PodCondition, snapshot: Snapshot, spaces: Mapping[str, Space], policy: PodPolicy
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
    told = {"namespace": condition.namespace, "name": condition.name, "uid": condition.uid, "generation": condition.generation}
    asked = {"verify": True} if condition.verify else {}
    return resolved, {**told, "probes": condition.probes, **asked, "spec": _spec(meant)}


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


def _with_overlaps(resolved: Resolved, own: str, having: Mapping[str, list[str]]) -> Resolved:
    others = {key for pod in resolved.pods for key in having.get(pod.key, ()) if key != own}
    if not others:
        return resolved
    note = f"pods also have other conditions, and the first matching rule applies: {some(sorted(others))}"
    return replace(resolved, warnings=(*resolved.warnings, note))


# scenarios


def _scenarios(  # long: what it adds to
    snapshot: Snapshot, spaces: Mapping[str, Space], policy: PodPolicy, nodes: dict[str, list[dict[str, Any]]],
    having: dict[str, list[str]], changes: list[datetime],
) -> dict[str, Resolved]:  # fmt: skip
    """What became of each; adds to what nodes are told, to which pods have what, and to when anything changes."""
    done: dict[str, Resolved] = {}
    for each in sorted(snapshot.scenarios, key=_order):
        if isinstance(each, Invalid):
            done[each.key] = Resolved(each.key, each.generation, error=each.error)
            continue
        try:
            resolved, playing = _chosen(each, snapshot, spaces, policy)
            told, notes = _told(each, playing, snapshot, spaces)
        except UsageError as error:
            done[each.key] = Resolved(each.key, each.generation, each.uid, error=error)
            continue
        done[each.key] = replace(resolved, warnings=(*resolved.warnings, *notes))
        for node, entry in told:
            nodes.setdefault(node, []).append(entry)
        for pod in resolved.pods:
            having.setdefault(pod.key, []).append(f"{_SCENARIO}{each.key}")
        changes += [playing.again] if playing.again is not None else []
    return done


def _chosen(
    scenario: PodScenario, snapshot: Snapshot, spaces: Mapping[str, Space], policy: PodPolicy
) -> tuple[Resolved, Playing]:
    """Its pods, and where it is. Raises UsageError."""
    now = snapshot.now.astimezone(UTC)
    playing = play(scenario, time_of(scenario.started) if scenario.started else first_moment(now), now)
    resolved = Resolved(
        scenario.key, scenario.generation, scenario.uid, started=playing.started, ends=playing.ends, over=playing.over,
        step=playing.step, round=playing.round,
    )  # fmt: skip
    if playing.over:
        return resolved, playing
    for name in scenario.profiles:
        find_profile(name, snapshot.profiles)
    chosen = choose(scenario, spaces.get(scenario.namespace, Space()), len(snapshot.pods), policy, snapshot.zones)
    return replace(resolved, pods=chosen.pods, warnings=chosen.warnings), playing


def _told(
    scenario: PodScenario, playing: Playing, snapshot: Snapshot, spaces: Mapping[str, Space]
) -> tuple[list[tuple[str, dict[str, Any]]], list[str]]:
    """What each node is told of the states that are there and to come, and what is not in force. Raises UsageError."""
    own = spaces.get(scenario.namespace, Space())
    pods = {word: pods_of(target, scenario.uid, own, snapshot.zones) for word, target in scenario.words.items()}
    peers = {word: _addresses(peer, scenario.namespace, snapshot, spaces) for word, peer in scenario.peers.items()}
    peers |= {word: tuple(sorted(address for pod in found for address in pod.addresses)) for word, found in pods.items()}
    whose = {"namespace": scenario.namespace, "uid": scenario.uid, "generation": scenario.generation, "probes": scenario.probes}
    found: list[tuple[str, dict[str, Any]]] = []
    notes: dict[str, None] = {}
    specs: dict[NetworkCondition, dict[str, Any]] = {}
    for since, until, stretch in playing.states:
        for condition in stretch.conditions:
            if condition not in specs:
                meant, missing = _with_addresses(condition, peers, scenario.peers)
                notes |= dict.fromkeys(f"{condition.name}: {each}" for each in missing)
                specs[condition] = _spec(written_out(meant, snapshot.profiles))
            if not specs[condition]["rules"]:
                continue
            times = {"startsAt": exact_text_of(since), "endsAt": exact_text_of(until)}
            entry = {**whose, "name": condition.name, **times, "spec": specs[condition]}
            meant_pods = {pod.uid: pod for word in condition.targets for pod in pods[word]}
            for node, some_pods in _by_node(sorted(meant_pods.values(), key=lambda pod: pod.key)).items():
                found.append((node, {**entry, "pods": [_pod(pod) for pod in some_pods]}))
    return found, list(notes)


def _spec(condition: NetworkCondition) -> dict[str, Any]:
    """As nodes are told of it: what for and until when stands beside it."""
    spec: dict[str, Any] = dump(condition)["spec"]
    return {key: value for key, value in spec.items() if key not in ("lease", "targets")}


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
