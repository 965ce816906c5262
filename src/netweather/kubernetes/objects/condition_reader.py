"""A NetworkCondition object as the API server has it, to a PodCondition. Raises UsageError with the place in the object.

What the schema lets through is read once more here: the API server drops nothing of a spec, so that a key that is mistyped is
refused with the nearest known one and not forgotten.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from netweather.conditions.declare import declared_fields
from netweather.conditions.embedding import paths
from netweather.conditions.language.codec import bad_type, placed, read
from netweather.conditions.language.documents import opened
from netweather.conditions.language.loading import KIND, load
from netweather.conditions.model import DEFAULT_LEASE, NetworkCondition
from netweather.errors import UsageError, unknown
from netweather.kubernetes.objects.pod_conditions import UNTIL_DELETED, PodCondition, PodLease, PodPeer, PodTarget
from netweather.units import Duration

_OWN: Final = ("targets", "lease", "probes", "verify")
_TAKEN: Final = ("rules", "exclude", "reason", "engine")
PLACEHOLDER: Final = "peer-of"
ADDRESS: Final = re.compile(r"[0-9.]+(/[0-9]+)?|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*(/[0-9]+)?")
_HOST_NAME: Final = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_]([-A-Za-z0-9_.]*[A-Za-z_][-A-Za-z0-9_.]*)?")


def read_condition(found: Mapping[str, Any]) -> PodCondition:
    """The condition that an object spells. Raises UsageError."""
    metadata, spec, status = (parts := opened(found, KIND, of_server=True)).metadata, parts.spec, parts.status
    for key in spec:
        if key not in (*_OWN, *_TAKEN):
            raise unknown("unknown-key", key, (*_OWN, *_TAKEN), "spec")
    peers: dict[str, PodPeer] = {}
    plain = {key: spec[key] for key in _TAKEN if key in spec}
    for key in ("rules", "exclude"):
        if key in plain:
            plain[key] = [without_peers(each, f"{key}[{index}]", peers) for index, each in enumerate(listed(plain[key], key))]
    targets = read(tuple[PodTarget, ...], listed(spec.get("targets"), "targets"), "targets")
    if not targets:
        raise UsageError(
            "missing-key", "spec: targets is missing", "", "add targets: [{podSelector: {matchLabels: {app: shop}}}]"
        )
    return PodCondition(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        generation=metadata.get("generation", 1),
        created=metadata.get("creationTimestamp", ""),
        targets=targets,
        lease=lease_of(spec.get("lease")),
        condition=_rules(metadata["name"], plain),
        peers=peers,
        probes=read(bool, spec.get("probes", False), "probes"),
        verify=read(bool, spec.get("verify", False), "verify"),
        started=status.get("startedAt", "") if status.get("observedGeneration") == metadata.get("generation", 1) else "",
    )


def _rules(name: str, plain: dict[str, Any]) -> NetworkCondition:
    if not plain.get("rules"):
        raise UsageError("missing-key", "spec: rules is missing", "nothing would change", "add rules: [{condition: {…}}]")
    return without_paths(load({"name": name, **plain}))


def without_paths(condition: NetworkCondition) -> NetworkCondition:
    """The same, when it names no file. Raises UsageError path-refused."""
    if found := paths(condition):
        why = "a node opens no local files for requests of the cluster"
        raise UsageError("path-refused", f"{found[0][:60]!r} is a path", why, "write the text of the trace or table")
    return condition


def listed(data: object, where: str) -> list[Any]:
    """A list, or none given. Raises UsageError."""
    if data is None:
        return []
    if not isinstance(data, list):
        raise bad_type(data, "a list", where)
    return data


def lease_of(data: object) -> PodLease:
    """A lease as it is spelt; 10 minutes unless given. Raises UsageError."""
    if data is None:
        return DEFAULT_LEASE
    if data == UNTIL_DELETED:
        return UNTIL_DELETED
    if data == "forever":
        why = "without a renewal it would outlive the object"
        raise UsageError("bad-lease", "lease: it is forever", why, f"write {UNTIL_DELETED}: the operator renews it")
    lease: Duration = read(Duration, data, "lease")
    if lease.ns <= 0:
        raise UsageError("bad-lease", "lease: it must be greater than 0", "the condition would end immediately", "write 10m")
    return lease


def without_peers(rule: Any, where: str, peers: dict[str, PodPeer]) -> Any:
    """A rule or step with words of our own in place of peers that the cluster knows; addresses and host names stay as they are."""
    if not isinstance(rule, Mapping) or "to" not in rule:
        return rule
    words = []
    for index, data in enumerate(listed(rule["to"], f"{where}.to")):
        place = f"{where}.to[{index}]"
        peer = peer_of(data, place)
        word = peer.cidr or peer.dns
        if not word:
            word = f"{PLACEHOLDER}-{where}.{index}"
            peers[word] = peer
        words.append(word)
    if not words:
        raise UsageError("bad-peer", f"{where}.to: it is empty", "nothing would match", "name a peer, or leave `to` out")
    return {**rule, "to": words}


def peer_of(data: object, where: str) -> PodPeer:
    if isinstance(data, str):
        known = ", ".join(field.key for field in declared_fields(PodPeer))
        raise bad_type(data, f"a mapping of {known}", where, "write {service: db} or {cidr: 198.51.100.0/24}")
    try:
        peer: PodPeer = read(PodPeer, data, where)
    except UsageError as error:
        raise error if error.what.startswith(where) else placed(error, where) from error
    # Elsewhere in the language a word may name a container or a file of the machine: here it may not.
    if peer.cidr and not ADDRESS.fullmatch(peer.cidr):
        raise UsageError(
            "bad-peer", f"{where}.cidr: {peer.cidr[:60]!r} is neither an address nor a prefix", "", "write 198.51.100.0/24"
        )
    if peer.dns and (not _HOST_NAME.fullmatch(peer.dns) or peer.dns == "host"):
        raise UsageError("bad-peer", f"{where}.dns: {peer.dns[:60]!r} is not a host name", "", "write db.example.org, or a cidr")
    return peer
