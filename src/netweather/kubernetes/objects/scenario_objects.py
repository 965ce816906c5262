"""NetworkScenario objects: the language's scenarios with pods in place of references. Raises UsageError with the place in the object.

    targets: [{podSelector: {matchLabels: {app: shop}}}]
    steps:
    - {at: 0s, condition: {profile: 4g}}
    - {at: 30s, for: 10s, to: [{service: db}], condition: {block: drop}}
    - {at: 60s, for: 10s, partition: [[{podSelector: {matchLabels: {app: shop}}}], [{service: db}]]}
One that fails: `steps: [{at: 0s, condition: {dealy: 1ms}}]` (unknown-key: did you mean 'delay'?).
Not here: what is in force when (playing).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from netweather.conditions.declare import declared_fields
from netweather.conditions.language.codec import read
from netweather.conditions.language.documents import opened
from netweather.conditions.scenario import load_scenario
from netweather.conditions.scenario_timeline import Stretch, stretches
from netweather.errors import unknown
from netweather.kubernetes.objects.condition_reader import PLACEHOLDER as PEERS
from netweather.kubernetes.objects.condition_reader import lease_of, listed, peer_of, without_paths, without_peers
from netweather.kubernetes.objects.pod_conditions import UNTIL_DELETED, PodLease, PodPeer, PodTarget

KIND: Final = "NetworkScenario"
_OWN: Final = ("targets", "steps", "lease", "probes")
_TAKEN: Final = ("length", "repeat", "reason")
_TARGET_WORDS: Final = frozenset(field.key for field in declared_fields(PodTarget))
PLACEHOLDER: Final = "pods-of"


@dataclass(frozen=True)
class PodScenario:
    """A NetworkScenario object, read. stretches: by their beginning; length: of a round, ns; lease: None, to its own end.

    words: the pods that stand in the stretches' targets and peers; peers: the others. profiles: those that it names.
    """

    namespace: str
    name: str
    uid: str
    generation: int
    created: str
    stretches: tuple[Stretch, ...]
    length: int
    repeat: int
    lease: PodLease | None
    words: Mapping[str, PodTarget]
    peers: Mapping[str, PodPeer]
    profiles: frozenset[str] = frozenset()
    probes: bool = False
    started: str = ""

    @property
    def key(self) -> str:
        """NAMESPACE/NAME."""
        return f"{self.namespace}/{self.name}"

    @property
    def targets(self) -> tuple[PodTarget, ...]:
        """All pods that any step is for."""
        used = {word for each in self.stretches for condition in each.conditions for word in condition.targets}
        return tuple(target for word, target in self.words.items() if word in used)

    @cached_property
    def spans(self) -> tuple[tuple[int, int, str], ...]:
        """(begin, end, name) of each step, by its beginning."""
        found: dict[int, tuple[int, int, str]] = {}
        for each in self.stretches:
            begin, end, name = found.get(each.number, (each.begin, each.end, each.step))
            found[each.number] = (min(begin, each.begin), max(end, each.end), name)
        return tuple(sorted(found.values()))


def read_scenario(found: Mapping[str, Any]) -> PodScenario:
    """The scenario that an object spells. Raises UsageError."""
    metadata, spec, status = (parts := opened(found, KIND, of_server=True)).metadata, parts.spec, parts.status
    for key in spec:
        if key not in (*_OWN, *_TAKEN):
            raise unknown("unknown-key", key, (*_OWN, *_TAKEN), "spec")
    words: dict[str, PodTarget] = {}
    peers: dict[str, PodPeer] = {}
    plain = {key: spec[key] for key in _TAKEN if key in spec}
    plain["targets"] = [_pods(each, f"targets[{n}]", words) for n, each in enumerate(listed(spec.get("targets"), "targets"))]
    plain["steps"] = [_step(each, f"steps[{n}]", words, peers) for n, each in enumerate(listed(spec.get("steps"), "steps"))]
    scenario = load_scenario({"name": metadata["name"], **plain})
    states, length = stretches(scenario, words.__contains__)
    conditions = {condition for each in states for condition in each.conditions}
    for each in conditions:
        without_paths(each)
    generation = metadata.get("generation", 1)
    return PodScenario(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        generation=generation,
        created=metadata.get("creationTimestamp", ""),
        stretches=tuple(sorted(states, key=lambda each: each.begin)),
        length=length,
        repeat=scenario.repeat,
        lease=None if spec.get("lease") is None else lease_of(spec["lease"]),
        words=words,
        peers=peers,
        profiles=frozenset(rule.condition.profile for each in conditions for rule in each.rules if rule.condition.profile),
        probes=read(bool, spec.get("probes", False), "probes"),
        started=status.get("startedAt", "") if status.get("observedGeneration") == generation else "",
    )


def _step(data: Any, where: str, words: dict[str, PodTarget], peers: dict[str, PodPeer]) -> Any:
    """A step with words of our own in place of pods and what else the cluster knows."""
    if not isinstance(data, Mapping):
        return data  # refused by the language itself
    step = dict(without_peers(data, where, peers))
    if "targets" in step:
        named = enumerate(listed(step["targets"], f"{where}.targets"))
        step["targets"] = [_pods(each, f"{where}.targets[{index}]", words) for index, each in named]
    if "partition" in step:
        step["partition"] = [
            [
                _member(each, f"{where}.partition[{n}][{m}]", words, peers)
                for m, each in enumerate(listed(group, f"{where}.partition[{n}]"))
            ]
            for n, group in enumerate(listed(step["partition"], f"{where}.partition"))
        ]
    return step


def _pods(data: Any, where: str, words: dict[str, PodTarget]) -> str:
    """The word for some pods: the same one for the same words."""
    target: PodTarget = read(PodTarget, data, where)
    word = _word(PLACEHOLDER, data)
    words[word] = target
    return word


def _member(data: Any, where: str, words: dict[str, PodTarget], peers: dict[str, PodPeer]) -> str:
    """Who stands in a group: pods of the namespace, at which packets can be lost, or another peer, only as the far side."""
    if isinstance(data, Mapping) and data and _TARGET_WORDS.issuperset(data) and not set(data) <= {"zone"}:
        return _pods(data, where, words)
    peer = peer_of(data, where)
    word = peer.cidr or peer.dns or _word(PEERS, data)
    if not (peer.cidr or peer.dns):
        peers[word] = peer
    return word


def _word(kind: str, data: Any) -> str:
    """A word that the language takes for a host name."""
    return f"{kind}-{hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]}"


def whole_ns(scenario: PodScenario) -> int | None:
    """How long all of it takes, ns; None of one that goes on until it is deleted. Its lease cuts it short."""
    if scenario.lease == UNTIL_DELETED:
        return None
    rounds = scenario.length * scenario.repeat
    return rounds if scenario.lease is None else min(rounds, scenario.lease.ns)
