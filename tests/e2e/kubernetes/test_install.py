"""What is installed: manifests that the server takes, and accounts that can do what they need, and nothing of a list."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, cast

import pytest

from tests.cluster.node import Cluster
from tests.support.rig import until

pytestmark = pytest.mark.timeout(300)
OPERATOR, AGENT = "system:serviceaccount:netweather:operator", "system:serviceaccount:netweather:agent"
TENANT = "system:serviceaccount:nwt-tenant:default"
ALLOWED = [
    (OPERATOR, "list", "pods", ""),
    (OPERATOR, "watch", "endpointslices.discovery.k8s.io", ""),
    (OPERATOR, "patch", "networkconditions.netweather.dev/status", "default"),
    (OPERATOR, "create", "nodeconditions.netweather.dev", ""),
    (OPERATOR, "patch", "networkprofiles.netweather.dev/status", ""),
    (OPERATOR, "watch", "nodes", ""),
    (OPERATOR, "create", "events", "default"),
    (OPERATOR, "update", "leases.coordination.k8s.io/netweather-operator", "netweather"),
    (OPERATOR, "watch", "networktests.netweather.dev", ""),
    (OPERATOR, "patch", "networktests.netweather.dev/status", "default"),
    (AGENT, "watch", "nodeconditions.netweather.dev", ""),
    (AGENT, "patch", "nodeconditions.netweather.dev/status", ""),
    (AGENT, "get", "daemonsets.apps/agent", "netweather"),
    (AGENT, "get", "namespaces/netweather", "netweather"),
    (TENANT, "create", "networkconditions.netweather.dev", "nwt-tenant"),
    (TENANT, "create", "networktests.netweather.dev", "nwt-tenant"),
    (TENANT, "create", "networkscenarios.netweather.dev", "nwt-tenant"),
]
REFUSED = [
    (OPERATOR, "get", "secrets", "netweather"),
    (OPERATOR, "delete", "pods", "default"),
    (OPERATOR, "create", "pods/exec", "default"),
    (OPERATOR, "patch", "nodes", ""),
    (OPERATOR, "list", "events", "default"),
    (OPERATOR, "delete", "events", "default"),
    (OPERATOR, "patch", "networkprofiles.netweather.dev", ""),
    (OPERATOR, "create", "networkconditions.netweather.dev", "default"),
    (OPERATOR, "patch", "networkconditions.netweather.dev", "default"),
    (OPERATOR, "create", "jobs.batch", "default"),
    (OPERATOR, "get", "pods/log", "default"),
    (OPERATOR, "get", "configmaps", "netweather"),
    (OPERATOR, "create", "configmaps", "default"),
    (OPERATOR, "create", "networktests.netweather.dev", "default"),
    (OPERATOR, "update", "leases.coordination.k8s.io/another", "netweather"),
    (OPERATOR, "update", "leases.coordination.k8s.io/netweather-operator", "kube-system"),
    (AGENT, "list", "pods", "default"),
    (AGENT, "get", "secrets", "netweather"),
    (AGENT, "list", "networkconditions.netweather.dev", "default"),
    (AGENT, "patch", "nodeconditions.netweather.dev", ""),
    (AGENT, "create", "nodeconditions.netweather.dev", ""),
    (AGENT, "patch", "nodes", ""),
    (AGENT, "get", "daemonsets.apps/another", "netweather"),
    (AGENT, "delete", "daemonsets.apps/agent", "netweather"),
    (AGENT, "list", "daemonsets.apps", "netweather"),
    (AGENT, "get", "namespaces/default", "default"),
    (TENANT, "create", "networkconditions.netweather.dev", "default"),
    (TENANT, "list", "networkconditions.netweather.dev", "default"),
    (TENANT, "patch", "networkconditions.netweather.dev/status", "nwt-tenant"),
    (TENANT, "list", "nodeconditions.netweather.dev", ""),
    (TENANT, "create", "nodeconditions.netweather.dev", ""),
    (TENANT, "create", "networkprofiles.netweather.dev", ""),
    (TENANT, "create", "networktests.netweather.dev", "default"),
    (TENANT, "patch", "networktests.netweather.dev/status", "nwt-tenant"),
    (TENANT, "list", "networkscenarios.netweather.dev", "default"),
]


@pytest.fixture(scope="module")
def tenant(kubernetes: Cluster) -> Iterator[str]:
    """A namespace whose account has the role `edit` there, and nothing else."""
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "edit", "namespace": "nwt-tenant"},
    }
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"}
    subjects = [{"kind": "ServiceAccount", "name": "default", "namespace": "nwt-tenant"}]
    kubernetes.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "nwt-tenant"}})
    kubernetes.apply({**binding, "roleRef": role, "subjects": subjects})
    until(lambda: may(kubernetes, TENANT, "create", "networkconditions.netweather.dev", "nwt-tenant"), 20, "roles are aggregated")
    yield "nwt-tenant"
    kubernetes.kubectl("delete", "namespace", "nwt-tenant", "--wait=false")


Asked = tuple[str, str, str, str]
"""(account, verb, what, namespace)."""


def may(cluster: Cluster, *one: str) -> bool:
    return bool(allowed(cluster, [cast("Asked", one)]))


def allowed(cluster: Cluster, asked: Sequence[Asked]) -> list[Asked]:
    """Those that the server's authorizer says yes to; all in one call, which kubectl's own `can-i` isn't."""
    plain = {"apiVersion": "v1", "kind": "List", "items": [review(*one) for one in asked]}
    told = cluster.kubectl("create", "-f", "-", "-o", "jsonpath={.status.allowed}{'\\n'}", stdin=json.dumps(plain)).split()
    assert len(told) == len(asked)
    return [one for one, answer in zip(asked, told, strict=True) if answer == "true"]


def review(who: str, verb: str, what: str, namespace: str) -> dict[str, Any]:
    """A SubjectAccessReview of a service account, who is in the groups that the server puts it into."""
    kind, _, rest = what.partition("/")
    resource, _, group = kind.partition(".")
    named = {"name" if rest not in ("status", "exec", "log") else "subresource": rest} if rest else {}
    attributes = {"namespace": namespace, "verb": verb, "group": group, "resource": resource, **named}
    groups = ["system:serviceaccounts", f"system:serviceaccounts:{who.split(':')[2]}", "system:authenticated"]
    spec = {"user": who, "groups": groups, "resourceAttributes": attributes}
    return {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}


def test_accounts_can_do_what_they_need_and_nothing_else(kubernetes: Cluster, tenant: str) -> None:
    assert allowed(kubernetes, ALLOWED) == ALLOWED
    assert allowed(kubernetes, REFUSED) == []


def test_only_who_may_do_it_himself_lets_the_operator_run_tests(kubernetes: Cluster, tenant: str) -> None:
    def bound(who: str) -> str:
        """What the server says to an account that gives the operator the role."""
        words = [
            "create",
            "rolebinding",
            "netweather-tests",
            "--clusterrole=netweather-tests",
            "--serviceaccount=netweather:operator",
        ]
        try:
            return kubernetes.kubectl("-n", tenant, "--as", f"system:serviceaccount:{tenant}:{who}", *words)
        except AssertionError as error:
            return str(error)

    group = {"apiGroup": "rbac.authorization.k8s.io"}
    metadata = {"namespace": tenant}
    limited = [
        {"apiGroups": ["netweather.dev"], "resources": ["networktests", "networkconditions"], "verbs": ["*"]},
        {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["rolebindings"], "verbs": ["create"]},
    ]
    kind = {"apiVersion": "rbac.authorization.k8s.io/v1"}
    kubernetes.apply({**kind, "kind": "Role", "metadata": {**metadata, "name": "limited"}, "rules": limited})
    for who, role in (("limited", "Role"), ("admin", "ClusterRole")):
        subjects = [{"kind": "ServiceAccount", "name": who, "namespace": tenant}]
        binding = {"roleRef": {**group, "kind": role, "name": who}, "subjects": subjects}
        kubernetes.apply({**kind, "kind": "RoleBinding", "metadata": {**metadata, "name": who}, **binding})
    assert "cannot create resource" in bound("default")  # the role edit
    assert "attempting to grant RBAC permissions not currently held" in bound("limited")  # who may not run Jobs
    assert "created" in bound("admin")
    until(lambda: may(kubernetes, OPERATOR, "create", "jobs.batch", tenant), 10, "the operator may run Jobs there")
    assert not may(kubernetes, OPERATOR, "create", "jobs.batch", "default")
    assert not may(kubernetes, OPERATOR, "get", "secrets", tenant)


def rules(cluster: Cluster, who: str, namespace: str) -> set[str]:
    """All that an account may do in a namespace, as the API server itself lists it."""
    listed = cluster.kubectl("auth", "can-i", "--list", "--as", who, "-n", namespace, "--no-headers")
    return {" ".join(line.split()) for line in listed.splitlines() if "get" in line or "[" in line}


def test_accounts_can_do_nothing_that_is_not_in_this_list(kubernetes: Cluster) -> None:
    """What is in no line is refused: compared with an account that has no rights of its own."""
    anybody = rules(kubernetes, "system:serviceaccount:nwt-none:default", "default")
    assert anybody, "everybody may at least ask what he may do"
    assert rules(kubernetes, AGENT, "default") - anybody == {
        "nodeconditions.netweather.dev [] [] [list watch]",
        "nodeconditions.netweather.dev/status [] [] [patch]",
    }
    assert rules(kubernetes, AGENT, "netweather") - rules(kubernetes, AGENT, "default") == {
        "daemonsets.apps [] [agent] [get]",
        "namespaces [] [netweather] [get]",
    }
    changing = ("create", "update", "patch", "delete", "*")
    writes = {rule for rule in rules(kubernetes, OPERATOR, "default") - anybody if any(verb in rule for verb in changing)}
    assert {rule.split()[0] for rule in writes} == {
        "events",
        "networkconditions.netweather.dev/status",
        "networkprofiles.netweather.dev/status",
        "networkscenarios.netweather.dev/status",
        "networktests.netweather.dev/status",
        "nodeconditions.netweather.dev",
    }
    here = rules(kubernetes, OPERATOR, "netweather") - rules(kubernetes, OPERATOR, "default")
    assert here == {
        "leases.coordination.k8s.io [] [] [create]",
        "leases.coordination.k8s.io [] [netweather-operator] [get update]",
    }


def test_a_tenant_reaches_no_pods_of_others(kubernetes: Cluster, tenant: str) -> None:
    """`{}` is every pod of his namespace, where there is none; and no key names another one."""

    def resolved(target: dict[str, Any]) -> dict[str, str]:
        rules = [{"condition": {"delay": {"time": "1ms"}}}]
        metadata = {"name": "greedy", "namespace": tenant}
        kind = {"apiVersion": "netweather.dev/v1alpha1", "kind": "NetworkCondition"}
        written = json.dumps({**kind, "metadata": metadata, "spec": {"targets": [target], "rules": rules}})
        kubernetes.kubectl("apply", "--as", TENANT, "--validate=false", "-f", "-", stdin=written)

        def told() -> dict[str, str]:
            found = kubernetes.get("-n", tenant, "networkcondition", "greedy")
            status = found.get("status", {})
            if status.get("observedGeneration") != found["metadata"]["generation"]:
                return {}
            return next(each for each in status["conditions"] if each["type"] == "Resolved")

        until(told, 30, "the operator has seen it")
        return told()

    assert resolved({"podSelector": {}})["reason"] == "NoPods"
    elsewhere = resolved({"podSelector": {}, "namespace": "netweather"})
    assert (elsewhere["status"], "unknown" in elsewhere["reason"].lower()) == ("False", True), elsewhere


def test_nobody_of_a_node_s_account_reads_more_than_its_own_kind(kubernetes: Cluster) -> None:
    def rules(name: str) -> list[Any]:
        return list(kubernetes.get("clusterrole", name)["rules"])

    assert "*" not in json.dumps([rules("netweather-operator"), rules("netweather-agent")])


def test_the_operator_needs_no_root_and_no_capability(kubernetes: Cluster) -> None:
    pod, *_ = kubernetes.get("-n", "netweather", "pods", "-l", "app.kubernetes.io/name=netweather-operator")["items"]
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
    status = kubernetes.kubectl("-n", "netweather", "exec", pod["metadata"]["name"], "--", "cat", "/proc/1/status")
    told = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert (told["Uid"].split()[0], told["CapEff"], told["NoNewPrivs"]) == ("65534", "0000000000000000", "1")


def test_one_operator_is_always_left_when_a_node_is_drained(kubernetes: Cluster) -> None:
    """The API server has it in the version that it knows: before 1.21 another."""
    allowed = ("-n", "netweather", "get", "poddisruptionbudget", "operator", "-o", "jsonpath={.status.disruptionsAllowed}")
    until(lambda: kubernetes.kubectl(*allowed) == "1", 60, "one of the two may go")
    lease = kubernetes.get("-n", "netweather", "lease", "netweather-operator")["spec"]["holderIdentity"]
    pods = kubernetes.get("-n", "netweather", "pods", "-l", "app.kubernetes.io/name=netweather-operator")["items"]
    assert any(lease.startswith(each["metadata"]["name"]) for each in pods)


def test_kinds_are_found_by_their_short_names_and_print_columns(kubernetes: Cluster) -> None:
    kubernetes.kubectl(
        "get", "nwc,netcond,nws,netscenario,nwp,netprofile,nwt,nettest", "-A"
    )  # which says no to a name that it doesn't know
    columns = kubernetes.get("crd", "networkconditions.netweather.dev")["spec"]["versions"][0]["additionalPrinterColumns"]
    assert [each["name"] for each in columns] == ["Pods", "In force", "Reason", "Ends", "Age"]
