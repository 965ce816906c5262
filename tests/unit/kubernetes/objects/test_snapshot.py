import pytest

from netweather.kubernetes.objects.pod_conditions import Expression, LabelSelector
from netweather.kubernetes.objects.snapshot import (
    Invalid,
    Pod,
    Space,
    condition_of,
    pod_of,
    service_addresses,
    slice_of,
    text_of,
    time_of,
    zone_of,
)
from tests.support.objects import condition, endpoint_slice, machine, pod


def test_a_pod_counts_while_a_node_has_it_and_it_lives() -> None:
    assert pod_of(pod("a", node="")) is None
    assert pod_of(pod("a", phase="Succeeded")) is None
    found = pod_of(pod("a", phase="Pending", addresses=["198.51.100.2", "2001:db8::2"], hostNetwork=True))
    assert found is not None
    assert (found.key, found.addresses, found.on_host) == ("shop/a", ("198.51.100.2", "2001:db8::2"), True)


@pytest.mark.parametrize(
    ("owner", "labels", "workload"),
    [
        (None, {}, ""),
        (("ReplicaSet", "web-5d9f"), {"pod-template-hash": "5d9f"}, "deployment/web"),
        (("ReplicaSet", "web-5d9f"), {}, "replicaset/web-5d9f"),
        (("StatefulSet", "db"), {}, "statefulset/db"),
    ],
)
def test_workloads_are_known_by_who_made_the_pod(owner: tuple[str, str] | None, labels: dict[str, str], workload: str) -> None:
    found = pod_of(pod("a", owner=owner, labels=labels))
    assert found is not None
    assert found.workload == workload


def test_the_kubelet_s_ports_are_those_of_its_probes_by_number_or_name() -> None:
    container = {
        "ports": [{"name": "health", "containerPort": 8081}, {"name": "web", "containerPort": 8080}],
        "livenessProbe": {"httpGet": {"port": "health"}},
        "readinessProbe": {"tcpSocket": {"port": 9090}},
        "startupProbe": {"exec": {"command": ["true"]}},
    }
    found = pod_of(pod("a", containers=[container]))
    assert found is not None
    assert found.probe_ports == (8081, 9090)


def test_a_condition_that_can_not_be_read_keeps_its_name_and_says_why() -> None:
    found = condition_of(condition(lease="soon"))
    assert isinstance(found, Invalid)
    assert (found.key, found.error.code) == ("shop/slow", "bad-duration")


def test_services_and_slices_tell_addresses() -> None:
    assert service_addresses({"spec": {"clusterIP": "192.0.2.7"}}) == ("192.0.2.7",)
    assert service_addresses({"spec": {"clusterIP": "192.0.2.7", "clusterIPs": ["192.0.2.7", "2001:db8::7"]}}) == (
        "192.0.2.7",
        "2001:db8::7",
    )
    assert service_addresses({"spec": {"clusterIP": "None"}}) == ()
    assert slice_of(endpoint_slice("db", "198.51.100.2", "198.51.100.3")) == ("shop/db", ("198.51.100.2", "198.51.100.3"))
    assert slice_of({**endpoint_slice("db", "db.example.org"), "addressType": "FQDN"}) == ("shop/db", ())


def test_a_zone_is_a_label_of_the_node_by_its_name_of_today_or_before() -> None:
    assert zone_of(machine("node-1", "eu-1b")) == "eu-1b"
    assert zone_of({"metadata": {"name": "old", "labels": {"failure-domain.beta.kubernetes.io/zone": "eu-1a"}}}) == "eu-1a"
    assert zone_of({"metadata": {"name": "plain"}}) == ""


def test_times_are_kubernetes_own() -> None:
    assert text_of(time_of("2026-01-01T00:00:59Z")) == "2026-01-01T00:00:59Z"


def test_pods_are_found_by_their_labels_as_by_a_look_at_each() -> None:
    pods = [Pod("shop", f"p{n}", f"u{n}", "node-1", {"app": f"a{n % 3}", "tier": f"t{n % 2}"}) for n in range(12)]
    negated = LabelSelector({"app": "a0"}, (Expression("tier", "NotIn", ("t0",)),))
    for selector in (
        LabelSelector(),
        LabelSelector({"app": "a1"}),
        LabelSelector({"app": "a1", "tier": "t1"}),
        LabelSelector({"app": "x"}),
        negated,
    ):
        assert list(Space(pods).selected(selector)) == [pod for pod in pods if selector.matches(pod.labels)]
    assert list(Space(pods).selected(None)) == pods
