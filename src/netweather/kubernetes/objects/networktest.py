"""What a NetworkTest says: a Job on several networks. The words are those of `netweather matrix`, the Job's are CronJob's.

    targets: [{podSelector: {matchLabels: {app: api}}}]
    networks: [{name: perfect}, {name: 3g}, {name: slow-db, condition: {rules: [{to: [{service: db}], condition: {rtt: 200ms}}]}}]
    jobTemplate: {spec: {template: {spec: {containers: [{name: test, image: example/test}]}}}}
One that fails: `networks: [{name: perfect, condition: {…}}]` (bad-network: perfect is the unchanged network).
What a condition's rules mean is not read here: the NetworkCondition that is made of them says so in its status.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from netweather.conditions.declare import about, declared_fields
from netweather.conditions.language.codec import bad_type, read
from netweather.conditions.language.documents import API_VERSION, opened
from netweather.errors import UsageError, unknown
from netweather.kubernetes.objects.pod_conditions import PodTarget
from netweather.kubernetes.objects.pod_selection import workload
from netweather.units import Duration

KIND: Final = "NetworkTest"
PERFECT: Final = "perfect"
"""The network as it is."""
MOST_NETWORKS: Final = 32
TEST_LABEL, NETWORK_LABEL = "netweather.dev/test", "netweather.dev/network"
_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_APART: Final = ("to", "jobTemplate", "maxSlowdown")
"""Keys of the spec that are not of the language: they are handed on, or have types of their own."""


@dataclass(frozen=True, slots=True)
class NamedNetwork:
    """A network that the Job runs on. Raises UsageError bad-network."""

    name: str = field(metadata=about("its name, a column of the report; alone: the profile of that name", example="3g"))
    profile: str = field(
        default="", metadata=about("the condition, by name; perfect is the unchanged network", example="lossy-wifi")
    )
    variables: Mapping[str, str] = field(
        default_factory=dict, metadata=about("environment variables of the Job on this network", example="RETRIES=5")
    )

    def __post_init__(self) -> None:
        if not _LABEL.fullmatch(self.name):
            why = "small letters, digits and - are allowed, 63 at most: it names objects"
            raise UsageError(
                "bad-network", f"{self.name[:70]!r} is not a valid name of a network", why, "write a name such as slow-db"
            )


@dataclass(frozen=True, slots=True)
class Words:
    """The spec of a NetworkTest, as far as it is of the language."""

    networks: tuple[NamedNetwork, ...] = field(metadata=about("the networks, each a run of the Job"))
    targets: tuple[PodTarget, ...] = field(default=(), metadata=about("targets; a condition may have its own"))
    timeout: Duration = field(
        default=Duration(10 * 60 * 10**9), metadata=about("a Job that takes longer is ended, and has failed", example="10m")
    )
    parallelism: int = field(
        default=MOST_NETWORKS,
        metadata=about(
            "maximum number of parallel Jobs, for networks whose targets do not overlap", minimum=1, maximum=MOST_NETWORKS
        ),
    )
    junit: bool = field(
        default=False, metadata=about("the Job's log has JUnit XML, printed at its end: a row for each of its tests")
    )
    must_pass: tuple[str, ...] = field(default=(), metadata=about("networks on which the Job must pass; default: all networks"))


@dataclass(frozen=True)
class TriedNetwork:
    """name, variables: as given. spec: of its NetworkCondition, without a lease; None for the network as it is. targets: whose
    network it is, also of the perfect one, which others' conditions must leave alone meanwhile."""

    name: str
    spec: Mapping[str, Any] | None
    targets: tuple[PodTarget, ...]
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def verified(self) -> bool:
        """Whether it is to be measured before the Job begins."""
        return bool(self.spec and self.spec.get("verify"))


@dataclass(frozen=True)
class NetworkTest:
    """A NetworkTest object, read."""

    namespace: str
    name: str
    uid: str
    generation: int
    created: str
    networks: tuple[TriedNetwork, ...]
    template: Mapping[str, Any]
    timeout: Duration
    parallelism: int = MOST_NETWORKS
    junit: bool = False
    must_pass: tuple[str, ...] = ()
    max_slowdown: float | None = None

    def object_name(self, network: str) -> str:
        """Of the condition and the Job: it is a label of the Job's pods, which are short."""
        whole = f"{self.name}-{network}"
        return whole if len(whole) <= 63 else f"{whole[:54].rstrip('-.')}-{hashlib.sha256(whole.encode()).hexdigest()[:8]}"

    @property
    def owner(self) -> dict[str, Any]:
        """What the objects that are made for it carry: they go with it."""
        return {"apiVersion": API_VERSION, "kind": KIND, "name": self.name, "uid": self.uid, "controller": True}


@dataclass(frozen=True)
class InvalidTest:
    """A NetworkTest that can't be read, and why."""

    namespace: str
    name: str
    uid: str
    generation: int
    error: UsageError


def report_name(test: str) -> str:
    """Of the ConfigMap with a test's results."""
    return f"{test}-report"


def networktest_of(found: Mapping[str, Any]) -> NetworkTest | InvalidTest:
    """A NetworkTest object."""
    try:
        return read_test(found)
    except UsageError as error:
        metadata = found["metadata"]
        return InvalidTest(metadata["namespace"], metadata["name"], metadata["uid"], metadata.get("generation", 1), error)


def read_test(found: Mapping[str, Any]) -> NetworkTest:
    """The test that an object spells. Raises UsageError."""
    try:
        return _read(found)
    except (AttributeError, TypeError, ValueError, KeyError) as error:  # the template has no schema
        what, remedy = "the test has a value of the wrong type", "compare jobTemplate with that of a CronJob"
        raise UsageError("bad-network-test", what, str(error)[:200], remedy) from error


def _read(found: Mapping[str, Any]) -> NetworkTest:
    metadata, spec = (parts := opened(found, KIND, of_server=True)).metadata, parts.spec
    if not _LABEL.fullmatch(metadata["name"]):
        why = "its name is a label of its Jobs' pods: small letters, digits and -, 63 at most"
        raise UsageError(
            "bad-network-test", f"{metadata['name'][:70]!r} is not a valid name of a NetworkTest", why, "use another name"
        )
    networks = spec.get("networks") or []
    if not isinstance(networks, list):
        raise bad_type(networks, "a list", "networks")
    conditions = [each.get("condition") if isinstance(each, Mapping) else None for each in networks]
    plain = {key: value for key, value in spec.items() if key not in _APART}
    plain["networks"] = [
        {key: value for key, value in each.items() if key != "condition"} if isinstance(each, Mapping) else each
        for each in networks
    ]
    _check_keys(spec, Words, _APART, "spec")
    for index, each in enumerate(networks):
        if isinstance(each, Mapping):
            _check_keys(each, NamedNetwork, ("condition",), f"networks[{index}]")
    words: Words = read(Words, plain, "spec")
    _check_names(words)
    tried = tuple(_tried(each, words, spec, conditions[index], index) for index, each in enumerate(words.networks))
    template = _template(spec.get("jobTemplate"))
    _check_itself(template, tried)
    return NetworkTest(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        generation=metadata.get("generation", 1),
        created=metadata.get("creationTimestamp", ""),
        networks=_with_all_targets(tried, words),
        template=template,
        timeout=words.timeout,
        parallelism=words.parallelism,
        junit=words.junit,
        must_pass=words.must_pass,
        max_slowdown=_times(spec.get("maxSlowdown")),
    )


def _check_keys(data: Mapping[str, Any], cls: type, more: tuple[str, ...], where: str) -> None:
    known = (*(field.key for field in declared_fields(cls)), *more)
    for key in data:
        if key not in known:
            raise unknown("unknown-key", key, known, where)


def _check_names(words: Words) -> None:
    names = [each.name for each in words.networks]
    if not names or len(names) > MOST_NETWORKS:
        why = f"one network at least, and {MOST_NETWORKS} at most"
        raise UsageError(
            "no-networks", f"the test names {len(names)} networks", why, "write networks: [{name: perfect}, {name: 3g}]"
        )
    for name in names:
        if names.count(name) > 1:
            raise UsageError(
                "bad-network", f"two networks are named {name}", "each network is a column of the report", "use another name"
            )
    for name in words.must_pass:
        if name not in names:
            raise unknown("unknown-network", name, names, "mustPass")
    if words.timeout.ns <= 0 or words.parallelism < 1:
        raise UsageError(
            "bad-network-test", "timeout and parallelism must be at least 1", "no Job would run", "write timeout: 10m"
        )


def _tried(each: NamedNetwork, words: Words, spec: Mapping[str, Any], condition: object, index: int) -> TriedNetwork:
    where = f"networks[{index}]"
    profile = each.profile or each.name
    if condition is None and profile == PERFECT:
        return TriedNetwork(each.name, None, words.targets, each.variables)
    if each.name == PERFECT or (condition is not None and each.profile):
        why = "perfect is the unchanged network" if each.name == PERFECT else "its profile already says how it is degraded"
        raise UsageError(
            "bad-network", f"{where}: {each.name} needs no condition, but has one", why, "give it another name, or leave one out"
        )
    if condition is None:
        condition = {"rules": [{**({"to": spec["to"]} if spec.get("to") else {}), "condition": {"profile": profile}}]}
    if not isinstance(condition, Mapping):
        raise bad_type(condition, "a mapping", f"{where}.condition")
    if "lease" in condition:
        why = "it ends with the Job, at the latest with the test's timeout"
        raise UsageError("bad-network", f"{where}.condition: it has a lease", why, "leave it out, and write timeout")
    raw = condition.get("targets") or spec.get("targets")
    if not raw:
        raise UsageError("missing-key", f"{where}: no target is given", "", "add targets to the test or to the condition")
    targets = read(tuple[PodTarget, ...], raw, f"{where}.condition.targets")
    for target in targets:
        if target.workload:
            workload(target.workload)
    return TriedNetwork(each.name, {**condition, "targets": raw}, targets, each.variables)


def _with_all_targets(tried: tuple[TriedNetwork, ...], words: Words) -> tuple[TriedNetwork, ...]:
    """The perfect network of a test that has no targets of its own is that of all that the others have."""
    every = words.targets or tuple(target for each in tried for target in each.targets)
    return tuple(each if each.spec else replace(each, targets=every) for each in tried)


def _template(data: object) -> Mapping[str, Any]:
    """Of the Job: what the API server finds wrong with it, it says itself."""
    place: Any = data
    for key in ("spec", "template", "spec", "containers"):
        place = place.get(key) if isinstance(place, Mapping) else None
    if not isinstance(data, Mapping) or not isinstance(place, list) or not place:
        raise UsageError(
            "missing-key",
            "spec: jobTemplate has no containers",
            "",
            "add jobTemplate: {spec: {template: {spec: {containers: […]}}}}",
        )
    return data


def _check_itself(template: Mapping[str, Any], tried: tuple[TriedNetwork, ...]) -> None:
    """Its own pods can't be targets: what they are to meet must be in force before they begin."""
    labels = ((template["spec"]["template"].get("metadata") or {}).get("labels") or {}) | {TEST_LABEL: "", NETWORK_LABEL: ""}
    for each in tried:
        for target in each.targets:
            if target.pod_selector is not None and not (target.workload or target.pod) and target.pod_selector.matches(labels):
                why = "these pods start only after the condition is in force"
                remedy = "give the Job's pods labels that no target selects"
                raise UsageError("bad-network", f"{each.name}: its targets include the Job's own pods", why, remedy)


def _times(data: object) -> float | None:
    if data is None:
        return None
    if isinstance(data, bool) or not isinstance(data, int | float) or not 1 <= data < float("inf"):
        raise UsageError("bad-count", "maxSlowdown is not a factor", "a number of at least 1 is needed", "write maxSlowdown: 3")
    return float(data)
