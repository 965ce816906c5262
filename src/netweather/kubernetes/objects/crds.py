"""The CustomResourceDefinitions, made of the condition language's declarations; deploy/kubernetes/base/crds.yaml holds them.

Kubernetes 1.20 knows no CEL, and would forget a key that is mistyped: specs keep what they don't know, and the operator refuses it by name.
"""

from __future__ import annotations

from typing import Any, Final

from netweather.conditions.language.schema import kubernetes_schema, structural_schema
from netweather.conditions.model import Condition
from netweather.conditions.scenario import MOST_STEPS, Scenario
from netweather.kubernetes.objects.networktest import KIND as TEST_KIND
from netweather.kubernetes.objects.networktest import MOST_NETWORKS, Words
from netweather.kubernetes.objects.node_objects import KIND as NODE_KIND
from netweather.kubernetes.objects.node_objects import PLURAL as NODE_PLURAL
from netweather.kubernetes.objects.pod_conditions import UNTIL_DELETED, PodPeer, PodTarget

GROUP, VERSION = "netweather.dev", "v1alpha1"
CrdSchema = dict[str, Any]
Column = tuple[str, str, str, str]
"""(name, type, path, description)."""
_FREE: Final[CrdSchema] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_WHEN: Final[CrdSchema] = {"type": "string", "format": "date-time"}


def crds() -> list[CrdSchema]:
    """All of them, as objects for the API server."""
    return [_network_condition(), _network_profile(), _network_scenario(), _network_test(), _node_conditions()]


def condition_spec() -> CrdSchema:
    """The spec of a NetworkCondition: the language's own, with pods in place of references."""
    spec = kubernetes_schema()
    properties = spec["properties"]
    del properties["owner"]
    properties["targets"] = {
        "type": "array",
        "minItems": 1,
        "items": structural_schema(PodTarget),
        "description": "whose network",
    }
    lease = properties["lease"]
    lease["pattern"] = lease["pattern"].replace("forever", UNTIL_DELETED)
    lease["description"] = f"for how long from now, or {UNTIL_DELETED}"
    properties["probes"] = {"type": "boolean", "description": "also affect the kubelet's probes"}
    properties["verify"] = {
        "type": "boolean",
        "description": "it is measured on its pods once it is in force, which takes seconds",
    }
    for matches in (properties["rules"], properties["exclude"]):
        matches["items"]["properties"]["to"] = {
            "type": "array",
            "items": structural_schema(PodPeer),
            "description": "the other end: any of these",
        }
    spec["required"] = ["rules", "targets"]
    return _for_server(spec)


def spec_of_test() -> CrdSchema:
    """The spec of a NetworkTest: its conditions are those of a NetworkCondition, whose lease the test's timeout bounds."""
    spec = structural_schema(Words)
    condition = condition_spec()
    del condition["properties"]["lease"]
    condition |= {"required": ["rules"], "description": "what is wrong, as the spec of a NetworkCondition without a lease"}
    network = spec["properties"]["networks"]
    network |= {"minItems": 1, "maxItems": MOST_NETWORKS}
    network["items"]["properties"]["condition"] = condition
    to = {"type": "array", "items": structural_schema(PodPeer), "description": "the other end, on networks that are profiles"}
    times = {"type": "number", "minimum": 1, "description": "as long as on the perfect network, at most"}
    job = {**_FREE, "description": "the Job, as in a CronJob", "required": ["spec"]}
    spec["properties"] |= {"to": to, "maxSlowdown": times, "jobTemplate": job}
    spec["required"] = ["jobTemplate", "networks"]
    return _for_server(spec)


def _for_server(schema: CrdSchema) -> CrdSchema:
    """The same, in which no object drops what it doesn't know, and the server adds nothing: defaults are the loader's."""
    found = {key: value for key, value in schema.items() if key != "default"}
    if "properties" in found:
        found["properties"] = {key: _for_server(value) for key, value in found["properties"].items()}
        found["x-kubernetes-preserve-unknown-fields"] = True
    if "items" in found:
        found["items"] = _for_server(found["items"])
    return found


def _network_condition() -> CrdSchema:
    columns = [
        ("Pods", "string", ".status.summary", "pods on which it is in force, of those selected"),
        ("In force", "string", '.status.conditions[?(@.type=="InForce")].status', ""),
        ("Reason", "string", '.status.conditions[?(@.type=="InForce")].reason', ""),
        ("Ends", "string", ".status.endsAt", "when its lease ends"),
        ("Age", "date", ".metadata.creationTimestamp", ""),
    ]
    return _crd("NetworkCondition", ["netcond", "nwc"], "Namespaced", condition_spec(), columns, _status())


def profile_spec() -> CrdSchema:
    """The spec of a NetworkProfile: a profile as its files spell it, conditions in their long form."""
    text = {"type": "string"}
    condition = structural_schema(Condition)
    del condition["properties"]["profile"]
    ways = {"both": "in both directions", "down": "what the target receives", "up": "what the target sends"}
    return _for_server(
        {
            "type": "object",
            "properties": {
                "title": {**text, "description": "what it is, in words"},
                "source": {**text, "description": "where its figures are from"},
                "notes": {**text, "description": "what else is to be known"},
                "aliases": {"type": "array", "items": text, "description": "other names that it has"},
                **{key: {**condition, "description": words} for key, words in ways.items()},
            },
        }
    )


def scenario_spec() -> CrdSchema:
    """The spec of a NetworkScenario: the language's own, with pods in place of references."""
    spec = structural_schema(Scenario)
    properties = spec["properties"]
    for key in ("name", "owner"):
        del properties[key]
    targets = {"type": "array", "items": structural_schema(PodTarget)}
    properties["targets"] = {**targets, "description": "targets of steps that name none"}
    condition = condition_spec()["properties"]
    until = f"its end at the latest; {UNTIL_DELETED}: round after round. Unless given, when its rounds are over"
    properties |= {"lease": {**condition["lease"], "description": until}, "probes": condition["probes"]}
    properties["steps"] |= {"minItems": 1, "maxItems": MOST_STEPS}
    step = properties["steps"]["items"]["properties"]
    step["for"] = {**step["duration"], "description": "the same as duration"}
    step["targets"] = {**targets, "description": "targets; default: the scenario's targets"}
    step["to"] = {**step["to"], "items": structural_schema(PodPeer)}
    member = {
        "type": "object",
        "properties": structural_schema(PodTarget)["properties"] | structural_schema(PodPeer)["properties"],
    }
    step["partition"] = {**step["partition"], "items": {"type": "array", "items": member}}
    spec["required"] = ["steps"]
    return _for_server(spec)


def _network_scenario() -> CrdSchema:
    columns = [
        ("Step", "string", ".status.step", "the steps that are there now"),
        ("Round", "integer", ".status.round", ""),
        ("Pods", "string", ".status.summary", "pods on which it is in force, of those selected"),
        ("In force", "string", '.status.conditions[?(@.type=="InForce")].status', ""),
        ("Ended", "string", '.status.conditions[?(@.type=="Ended")].status', ""),
        ("Ends", "string", ".status.endsAt", "when the scenario ends"),
        ("Age", "date", ".metadata.creationTimestamp", ""),
    ]
    status = _status()
    status["properties"] |= {"step": {"type": "string"}, "round": {"type": "integer"}}
    return _crd("NetworkScenario", ["netscenario", "nws"], "Namespaced", scenario_spec(), columns, status)


def _network_profile() -> CrdSchema:
    accepted = '.status.conditions[?(@.type=="Accepted")]'
    columns = [
        ("Title", "string", ".spec.title", ""),
        ("Accepted", "string", f"{accepted}.status", "whether rules may name it"),
        ("Reason", "string", f"{accepted}.reason", ""),
        ("Age", "date", ".metadata.creationTimestamp", ""),
    ]
    status = {"type": "object", "properties": {"observedGeneration": {"type": "integer"}, "conditions": _status_conditions()}}
    return _crd("NetworkProfile", ["netprofile", "nwp"], "Cluster", profile_spec(), columns, status)


def _network_test() -> CrdSchema:
    columns = [
        ("Networks", "string", ".status.summary", "networks on which the Job has ended, of all"),
        ("Complete", "string", '.status.conditions[?(@.type=="Complete")].status', ""),
        ("Result", "string", '.status.conditions[?(@.type=="Complete")].reason', ""),
        ("Age", "date", ".metadata.creationTimestamp", ""),
    ]
    return _crd(TEST_KIND, ["nettest", "nwt"], "Namespaced", spec_of_test(), columns, _test_status())


def _node_conditions() -> CrdSchema:
    columns = [("Age", "date", ".metadata.creationTimestamp", "")]
    return _crd(NODE_KIND, [], "Cluster", dict(_FREE), columns, dict(_FREE))


def _crd(kind: str, short: list[str], scope: str, spec: CrdSchema, columns: list[Column], status: CrdSchema) -> CrdSchema:
    plural = NODE_PLURAL if kind == NODE_KIND else f"{kind.lower()}s"
    listed = [
        {"name": name, "type": of, "jsonPath": path, **({"description": words} if words else {})}
        for name, of, path, words in columns
    ]
    schema = {
        "type": "object",
        "required": ["spec"],
        "properties": {"spec": spec, "status": status},
    }
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": listed,
        "schema": {"openAPIV3Schema": schema},
    }
    names: CrdSchema = {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()}
    if short:
        names |= {"shortNames": short, "categories": ["netweather"]}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {"group": GROUP, "names": names, "scope": scope, "versions": [version]},
    }


def _status() -> CrdSchema:
    """What `reporting.status_of` writes."""
    text, number = {"type": "string"}, {"type": "integer"}
    pod = dict.fromkeys(("name", "node", "state", "reason", "message", "engine", "verdict", "evidence"), text)
    return {
        "type": "object",
        "properties": {
            **dict.fromkeys(("observedGeneration", "selected", "inForce", "failed", "verified"), number),
            "summary": text,
            "startedAt": _WHEN,
            "endsAt": _WHEN,
            "warnings": {"type": "array", "items": text},
            "pods": {"type": "array", "items": {"type": "object", "properties": pod}},
            "conditions": _status_conditions(),
        },
    }


def _test_status() -> CrdSchema:
    """What `progress.status_of` writes."""
    text, number = {"type": "string"}, {"type": "integer"}
    words = dict.fromkeys(("network", "state", "message", "condition", "job"), text)
    cell = {**words, "startedAt": _WHEN, "endedAt": _WHEN, "tests": number, "failed": number}
    return {
        "type": "object",
        "properties": {
            "observedGeneration": number,
            "summary": text,
            "report": text,
            "cells": {"type": "array", "items": {"type": "object", "properties": cell}},
            "shortcomings": {"type": "array", "items": text},
            "conditions": _status_conditions(),
        },
    }


def _status_conditions() -> CrdSchema:
    """What `statuses.condition_of_status` writes."""
    text = {"type": "string"}
    properties: CrdSchema = dict.fromkeys(("type", "status", "reason", "message"), text)
    properties |= {"lastTransitionTime": _WHEN, "observedGeneration": {"type": "integer"}}
    return {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {"type": "object", "required": ["type", "status"], "properties": properties},
    }


def manifest() -> str:
    """The YAML of all of them."""
    import yaml

    head = "# Made by `python -m tools.gen_docs`; change what it is made of instead: netweather/kubernetes/crds.py.\n"
    return head + yaml.safe_dump_all(crds(), sort_keys=False, width=120, explicit_start=True)
