from typing import Any

import pytest

from netweather.errors import UsageError
from netweather.kubernetes.objects.condition_reader import read_condition
from netweather.kubernetes.objects.pod_selection import PodPolicy, PodSelection, choose, could_be, some, workload
from netweather.kubernetes.objects.snapshot import Pod, Space
from netweather.units import Percent
from tests.support.objects import condition


def pods(count: int, **more: Any) -> list[Pod]:
    return [Pod("shop", f"pod-{n}", f"uid-{n}", f"node-{n % 3}", {"app": "web"}, **more) for n in range(count)]


ZONES = {"node-0": "near", "node-1": "near", "node-2": "far"}


def chosen(
    found: list[Pod], policy: PodPolicy | None = None, *, every: int = 100, namespace: str = "shop", **target: Any
) -> PodSelection:
    meant = read_condition(condition(namespace=namespace, targets=[{"podSelector": {}, **target}]))
    return choose(meant, Space(found), every, policy or PodPolicy(), ZONES)


def names(found: PodSelection) -> list[str]:
    return [pod.name for pod in found.pods]


def test_pods_by_labels_node_zone_and_workload() -> None:
    some_pods = pods(6)
    assert len(names(chosen(some_pods))) == 6
    assert names(chosen(some_pods, node="node-1")) == ["pod-1", "pod-4"]
    assert names(chosen(some_pods, zone="far")) == ["pod-2", "pod-5"]
    assert names(chosen(some_pods, zone="elsewhere")) == []
    assert names(chosen(some_pods, podSelector={"matchLabels": {"app": "db"}})) == []
    of_web = [*some_pods, Pod("shop", "web-0", "uid-web", "node-0", {}, workload="deployment/web")]
    assert names(chosen(of_web, workload="deploy/web")) == ["web-0"]
    assert names(chosen(of_web, pod="web-0")) == ["web-0"]


def test_what_a_part_could_be_is_every_pod_of_its_whole() -> None:
    targets = read_condition(condition(targets=[{"podSelector": {}, "count": 1, "node": "node-1"}])).targets
    assert could_be(targets, Space(pods(6))) == {"uid-1", "uid-4"}


def test_a_count_or_share_takes_the_same_pods_each_time_and_few_others_when_one_goes() -> None:
    every = pods(20)
    first = names(chosen(every, count=5))
    assert len(first) == 5
    assert names(chosen(every[::-1], count=5)) == first
    left = [pod for pod in every if pod.name != first[0]]
    assert len(set(names(chosen(left, count=5))) - set(first)) == 1
    assert names(chosen(every, share="25%")) == first
    assert len(names(chosen(every, share="1%"))) == 1
    assert names(chosen([], share="50%")) == []


def test_pods_on_the_node_s_network_are_left_out_and_told() -> None:
    found = chosen([*pods(1), Pod("shop", "host", "uid-host", "node-1", {}, on_host=True)])
    assert names(found) == ["pod-0"]
    assert found.warnings == ("targets[0]: left out, since they share the node's network: host",)


def test_pods_that_all_share_the_node_s_network_are_refused() -> None:
    with pytest.raises(UsageError, match="proxy-0, proxy-1") as caught:
        chosen([Pod("shop", f"proxy-{n}", f"uid-{n}", "node-1", {}, on_host=True) for n in range(2)])
    assert caught.value.code == "host-network-only"


@pytest.mark.parametrize(
    ("more", "code"),
    [({"namespace": "kube-system"}, "protected-namespace"), ({"workload": "deployement/web"}, "unknown-workload")],
)
def test_refusals(more: dict[str, Any], code: str) -> None:
    with pytest.raises(UsageError) as caught:
        chosen(pods(3), **more)
    assert caught.value.code == code


def test_a_condition_may_take_a_share_of_the_cluster_and_always_a_few() -> None:
    policy = PodPolicy(most=Percent.parse("25%"), few=3)
    assert len(chosen(pods(3), policy, every=3).pods) == 3
    assert len(chosen(pods(25), policy).pods) == 25
    with pytest.raises(UsageError) as caught:
        chosen(pods(26), policy)
    assert caught.value.code == "too-many-pods"


def test_short_names_of_workloads() -> None:
    assert (workload("sts/db"), workload("Deployment/web")) == ("statefulset/db", "deployment/web")


def test_long_lists_are_cut() -> None:
    assert some(["b", "a"]) == "a, b"
    assert some([str(n) for n in range(8)]) == "0, 1, 2, 3, 4 and 3 more"
