from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from netweather.kubernetes.objects.node_objects import read_orders
from netweather.kubernetes.objects.pod_selection import PodPolicy
from netweather.kubernetes.objects.snapshot import Snapshot, condition_of, pod_of, scenario_of, text_of, time_of
from netweather.kubernetes.reconcile.node_plans import ROLL_S, Resolution, resolve
from netweather.units import Percent
from tests.support.objects import DELAY, condition, pod, scenario

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
ALL = PodPolicy(most=Percent.parse("100%"))


def snapshot(conditions: list[Any], pods: list[Any], now: datetime = NOW, **more: Any) -> Snapshot:
    known = tuple(each for each in map(pod_of, pods) if each is not None)
    return Snapshot(now, tuple(map(condition_of, conditions)), known, **more)


def entries(found: Resolution, node: str = "node-1") -> list[dict[str, Any]]:
    return list(found.nodes[node]["conditions"])


def to(found: Resolution) -> list[str]:
    return list(entries(found)[0]["spec"]["rules"][0]["to"])


def test_each_node_is_told_of_its_own_pods() -> None:
    found = resolve(snapshot([condition()], [pod("a"), pod("b", node="node-2"), pod("c"), pod("d", "other")]))
    assert [each["name"] for each in entries(found)[0]["pods"]] == ["a", "c"]
    assert [each["name"] for each in entries(found, "node-2")[0]["pods"]] == ["b"]
    assert [one.name for one in found.conditions["shop/slow"].pods] == ["a", "b", "c"]


def test_a_service_is_its_cluster_addresses_and_its_endpoints() -> None:
    rules = [{"to": [{"service": "db"}], "condition": DELAY}]
    more = {
        "services": {"shop/db": ("192.0.2.7", "2001:db8::7"), "other/db": ("192.0.2.8",)},
        "endpoints": {"shop/db": ("198.51.100.9",), "other/db": ("198.51.100.8",)},
    }
    found = resolve(snapshot([condition(rules=rules)], [pod("a")], **more))
    assert to(found) == ["198.51.100.9", "192.0.2.7", "2001:db8::7"]  # first those who answer
    elsewhere = [{"to": [{"service": "other/db"}], "condition": DELAY}]
    assert to(resolve(snapshot([condition(rules=elsewhere)], [pod("a")], **more))) == ["198.51.100.8", "192.0.2.8"]


def test_pods_and_namespaces_are_peers_by_their_addresses() -> None:
    pods = [
        pod("a"),
        pod("db", addresses=["198.51.100.3", "2001:db8::3"], labels={"app": "db"}),
        pod("far", "other", addresses=["198.51.100.4"]),
        pod("host", "other", addresses=["203.0.113.1"], hostNetwork=True),
    ]
    rules = [{"to": [{"podSelector": {"matchLabels": {"app": "db"}}}, {"namespace": "other"}], "condition": DELAY}]
    target = [{"podSelector": {"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}}]
    assert to(resolve(snapshot([condition(rules=rules, targets=target)], pods))) == [
        "198.51.100.3",
        "2001:db8::3",
        "198.51.100.4",
    ]


def test_a_zone_is_the_pods_on_its_nodes_of_all_namespaces_or_of_those_that_are_named() -> None:
    pods = [
        pod("a"),
        pod("b", node="node-2", addresses=["198.51.100.2"]),
        pod("c", "other", node="node-2", addresses=["198.51.100.3"]),
        pod("d", "other", node="node-3", addresses=["198.51.100.4"]),
    ]
    zones = {"node-1": "near", "node-2": "far"}

    def peers(**peer: Any) -> list[str]:
        rules = [{"to": [{"zone": "far", **peer}, {"cidr": "192.0.2.1"}], "condition": DELAY}]
        return to(resolve(snapshot([condition(rules=rules, targets=[{"podSelector": {}, "zone": "near"}])], pods, zones=zones)))

    assert peers() == ["198.51.100.2", "198.51.100.3", "192.0.2.1"]
    assert peers(podSelector={}) == ["198.51.100.2", "192.0.2.1"]
    assert peers(namespace="other") == ["198.51.100.3", "192.0.2.1"]
    alone = [{"to": [{"zone": "none"}], "condition": DELAY}]
    assert (
        "the zone none has no address now"
        in resolve(snapshot([condition(rules=alone)], pods)).conditions["shop/slow"].warnings[0]
    )


def test_an_unknown_profile_is_refused_also_where_its_rule_is_not_in_force() -> None:
    rules = [{"to": [{"service": "none"}], "condition": {"profile": "3gg"}}, {"condition": DELAY}]
    found = resolve(snapshot([condition(rules=rules)], [pod("a")]))
    error = found.conditions["shop/slow"].error
    assert error is not None
    assert (error.code, found.nodes) == ("unknown-profile", {})


def test_a_rule_whose_peers_have_no_address_matches_nothing_and_says_so() -> None:
    rules = [{"to": [{"service": "db"}], "condition": DELAY}]
    found = resolve(snapshot([condition(rules=rules)], [pod("a")]))
    assert found.nodes == {}
    assert found.conditions["shop/slow"].warnings == ("rules[0] is not in force: the Service db has no address now",)
    several = resolve(snapshot([condition(rules=[*rules, {"condition": DELAY}])], [pod("a")]))
    assert len(entries(several)[0]["spec"]["rules"]) == 1


def test_a_lease_is_an_absolute_end() -> None:
    first = resolve(snapshot([condition(lease="1m")], [pod("a")]))
    assert entries(first)[0]["endsAt"] == text_of(NOW + timedelta(seconds=60))
    assert first.again == NOW + timedelta(seconds=60)
    begun = condition(lease="1m", status={"observedGeneration": 1, "startedAt": text_of(NOW)})
    later = resolve(snapshot([begun], [pod("a")], NOW + timedelta(seconds=59)))
    assert entries(later)[0]["endsAt"] == entries(first)[0]["endsAt"]
    over = resolve(snapshot([begun], [pod("a")], NOW + timedelta(seconds=60)))
    assert over.nodes == {}
    assert over.conditions["shop/slow"].over


def test_until_deleted_rolls_on() -> None:
    made = [condition(lease="untilDeleted")]
    ends = {
        resolve(snapshot(made, [pod("a")], NOW + timedelta(seconds=s))).nodes["node-1"]["conditions"][0]["endsAt"]: s
        for s in range(0, 1200, 7)
    }
    assert len(ends) in (4, 5)  # in twenty minutes it was renewed every five
    for seconds in (0, 299, 300, 1199):
        found = resolve(snapshot(made, [pod("a")], NOW + timedelta(seconds=seconds)))
        left = time_of(entries(found)[0]["endsAt"]) - NOW - timedelta(seconds=seconds)
        assert timedelta(seconds=ROLL_S) < left <= timedelta(seconds=2 * ROLL_S)
        assert found.again is not None
        assert NOW + timedelta(seconds=seconds) < found.again


def test_overlaps_are_told_to_both() -> None:
    found = resolve(
        snapshot([condition("one"), condition("two", targets=[{"podSelector": {}, "count": 1}])], [pod("a"), pod("b")])
    )
    assert "shop/two" in found.conditions["shop/one"].warnings[0]
    assert "shop/one" in found.conditions["shop/two"].warnings[0]
    assert [len(each["pods"]) for each in entries(found)] == [2, 1]


def test_what_can_not_be_read_or_is_refused_touches_nobody() -> None:
    made = [condition("bad", lease="soon"), condition("not-here", "kube-system"), condition("good")]
    found = resolve(snapshot(made, [pod("a"), pod("b", "kube-system")]))
    assert [each["name"] for each in entries(found)] == ["good"]
    assert found.conditions["shop/bad"].error is not None
    refused = found.conditions["kube-system/not-here"]
    assert refused.error is not None
    assert (refused.error.code, refused.started) == ("protected-namespace", None)


def test_a_scenario_is_told_ahead_and_its_states_end_by_themselves() -> None:
    begun = scenario(status={"observedGeneration": 1, "startedAt": text_of(NOW)}, steps=scenario()["spec"]["steps"])
    pods = [pod("a"), pod("b", node="node-2")]
    found = resolve(snapshot([], pods, NOW + timedelta(seconds=6), scenarios=(scenario_of(begun),)))
    assert [(each["name"], each["startsAt"], each["endsAt"]) for each in entries(found)] == [
        ("evening.slow", text_of(NOW), text_of(NOW + timedelta(seconds=10))),
        ("evening.lossy", text_of(NOW + timedelta(seconds=5)), text_of(NOW + timedelta(seconds=15))),
    ]
    resolved = found.scenarios["shop/evening"]
    assert (resolved.step, resolved.round, len(resolved.pods)) == ("slow, lossy", 1, 2)
    later = resolve(snapshot([], pods, NOW + timedelta(seconds=12), scenarios=(scenario_of(begun),)))
    assert later.nodes == found.nodes  # nothing is written as steps come and go
    over = resolve(snapshot([], pods, NOW + timedelta(seconds=15), scenarios=(scenario_of(begun),)))
    assert (over.nodes, over.scenarios["shop/evening"].over) == ({}, True)


def test_a_new_scenario_begins_in_a_moment_and_overlaps_are_told() -> None:
    found = resolve(snapshot([condition()], [pod("a")], scenarios=(scenario_of(scenario()),)))
    assert found.scenarios["shop/evening"].started == NOW + timedelta(seconds=2)
    assert "shop/slow" in found.scenarios["shop/evening"].warnings[0]
    assert "scenario shop/evening" in found.conditions["shop/slow"].warnings[0]


def test_pods_of_a_partition_are_each_others_far_side() -> None:
    shop, db = ({"podSelector": {"matchLabels": {"app": name}}} for name in ("shop", "db"))
    step = {"at": "0s", "for": "5s", "partition": [[shop], [db]]}
    pods = [pod("a", labels={"app": "shop"}), pod("b", labels={"app": "db"}, addresses=["198.51.100.2"])]
    found = resolve(snapshot([], pods, scenarios=(scenario_of(scenario(targets=[], steps=[step])),)))
    (entry,) = entries(found)
    assert ([each["name"] for each in entry["pods"]], entry["spec"]["rules"][0]["to"]) == (["a"], ["198.51.100.2"])


def test_a_scenario_that_can_not_be_is_refused() -> None:
    one = scenario("unknown", steps=[{"at": "0s", "for": "1s", "condition": {"profile": "3gg"}}])
    two = scenario("mistyped", steps=[{"at": "0s", "for": "1s", "condition": {"dealy": "1ms"}}])
    found = resolve(snapshot([], [pod("a")], scenarios=(scenario_of(one), scenario_of(two))))
    assert {key: each.error and each.error.code for key, each in found.scenarios.items()} == {
        "shop/unknown": "unknown-profile",
        "shop/mistyped": "unknown-key",
    }
    assert found.nodes == {}


names = st.sampled_from(["a", "b", "c", "d", "e", "f"])
nodes = st.sampled_from(["node-1", "node-2", "node-3"])
spaces = st.sampled_from(["shop", "other"])


def one_of_each(found: dict[str, Any]) -> tuple[str, str]:
    return found["metadata"]["namespace"], found["metadata"]["name"]


labels_of = st.fixed_dictionaries({}, optional={"app": names})
pods_of = st.lists(st.builds(pod, names, spaces, node=nodes, labels=labels_of), max_size=12, unique_by=one_of_each)
targets_of = st.fixed_dictionaries(
    {"podSelector": st.sampled_from([{}, {"matchLabels": {"app": "a"}}])}, optional={"count": st.integers(1, 4), "node": nodes}
)
conditions_of = st.lists(
    st.builds(lambda name, space, target: condition(name, space, targets=[target]), names, spaces, targets_of),
    max_size=5,
    unique_by=one_of_each,
)


@given(conditions_of, pods_of, st.randoms(use_true_random=False))
def test_order_of_arrival_means_nothing(conditions: list[Any], pods: list[Any], random: Any) -> None:
    first = resolve(snapshot(conditions, pods), ALL)
    random.shuffle(conditions)
    random.shuffle(pods)
    assert resolve(snapshot(conditions, pods), ALL) == first


@given(conditions_of, pods_of)
def test_nodes_hear_of_pods_of_their_own_in_the_condition_s_namespace_only(conditions: list[Any], pods: list[Any]) -> None:
    found = resolve(snapshot(conditions, pods), ALL)
    where = {each["metadata"]["uid"]: (each["spec"]["nodeName"], each["metadata"]["namespace"]) for each in pods}
    for node, spec in found.nodes.items():
        orders = read_orders({"metadata": {}, "spec": spec})
        assert orders.unreadable == ()
        for order in orders.pods:
            assert where[order.pod_uid] == (node, order.pod.partition("/")[0])
    told = sum(len(entry["pods"]) for spec in found.nodes.values() for entry in spec["conditions"])
    assert told == sum(len(each.pods) for each in found.conditions.values())
