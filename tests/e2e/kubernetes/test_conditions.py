"""NetworkConditions on a real node, as a user has them: installed by kubectl, measured by connections from inside the pods."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.node import Cluster, Node
from tests.support.machine import SLOW
from tests.support.rig import until
from tests.support.shop import Shop, shop

pytestmark = pytest.mark.timeout(300)  # the first of them starts the node
MINE = {"podSelector": {"matchLabels": {"app": "client"}}}


@pytest.fixture(scope="module")
def running(kubernetes: Cluster) -> Iterator[Shop]:
    with shop(kubernetes) as made:
        yield made


@pytest.fixture
def app(running: Shop) -> Iterator[Shop]:
    """The application, with two clients and no conditions before and after."""
    yield running
    running.kubectl("delete", "networkconditions", "--all")
    running.kubectl("scale", "deployment/client", "--replicas=2")
    until(lambda: len(running.pods("client")) == 2, 60, "there are two clients")


def test_exactly_the_chosen_pods_are_slow_to_the_service_and_to_nothing_else(app: Shop) -> None:
    service, one = app.address("service", "server"), app.address("pod", app.pods("server")[0])
    app.condition(targets=[{**MINE, "count": 1}])
    status = app.in_force(pods=1)
    chosen = status["pods"][0]["name"]
    (other,) = set(app.pods("client")) - {chosen}
    app.slow(chosen, service)
    app.slow(chosen, one, port=8080)  # an endpoint of the Service, as a socket-level load balancer would have it
    app.quick(other, service)
    app.quick(chosen, app.address("pod", other), port=9)  # which refuses at once
    app.clear()
    app.quick(chosen, service)


def test_it_is_changed_live_and_expires(app: Shop) -> None:
    service, client = app.address("service", "server"), app.pods("client")[0]
    app.condition()
    app.in_force(pods=2)
    app.slow(client, service)
    rule = {"to": [{"service": "server"}], "direction": "egress", "condition": {"delay": {"time": "400ms"}}}
    app.condition(rules=[rule], lease="8s")
    app.in_force(pods=2)
    app.slow(client, service, 0.4)
    until(lambda: app.states().get("Ended") == "True", 30, "its lease is over")
    app.quick(client, service)
    assert app.states() == {"Resolved": "False", "InForce": "False", "Ended": "True"}


def test_it_is_verified_on_its_pods_where_that_is_asked(app: Shop) -> None:
    lost = {"condition": {"block": "drop"}, "direction": "egress"}  # which a busy machine does not make doubtful
    app.condition(targets=[{**MINE, "count": 1}], rules=[{**lost, "to": [{"service": "server"}]}, lost], verify=True)
    until(lambda: app.states().get("Verified") == "True", 60, "it is verified")
    (pod,) = app.status()["pods"]
    assert (pod["state"], pod["verdict"]) == ("InForce", "PASS")
    # both rules: an endpoint on this node was entered, and the node stood in for anybody
    assert re.match("loss egress: 100 % seen, 100 % asked; loss egress: 100 % seen, 100 % asked; ", pod["evidence"]), pod


def test_a_profile_of_the_cluster_s_own_is_changed_live_and_events_tell(app: Shop, kubernetes: Cluster) -> None:
    def profile(**ways: Any) -> None:
        kind = {"apiVersion": "netweather.dev/v1alpha1", "kind": "NetworkProfile"}
        kubernetes.apply({**kind, "metadata": {"name": "nwt-far"}, "spec": ways})

    service, client = app.address("service", "server"), app.pods("client")[0]
    app.condition(rules=[{"to": [{"service": "server"}], "condition": {"profile": "nwt-far"}}])
    until(lambda: app.states().get("Resolved") == "False", 20, "nobody knows it")
    try:
        profile(up={"delay": {"time": "200ms"}}, down={"loss": {"model": "random", "percent": "0%"}})
        app.in_force(pods=2)
        app.slow(client, service)
        profile(up={"delay": {"time": "400ms"}})
        app.slow(client, service, 0.4)
        profile(upp={})
        until(lambda: app.states().get("Resolved") == "False", 20, "it is none any more")
        app.quick(client, service)
        told = kubernetes.get("networkprofile", "nwt-far")["status"]["conditions"][0]
        assert (told["type"], told["reason"]) == ("Accepted", "UnknownKey")
    finally:
        kubernetes.kubectl("delete", "networkprofile", "nwt-far", "--ignore-not-found")
    events = kubernetes.get("-n", app.namespace, "events")["items"]
    reasons = {each["reason"]: each["type"] for each in events if each["involvedObject"]["kind"] == "NetworkCondition"}
    assert reasons.items() >= {"Refused": "Warning", "InForce": "Normal"}.items()


def test_a_pod_created_later_gets_it(app: Shop) -> None:
    service = app.address("service", "server")
    app.condition()
    app.in_force(pods=2)
    before = set(app.pods("client"))
    app.kubectl("scale", "deployment/client", "--replicas=3")
    until(lambda: len(app.pods("client")) == 3, 60, "it runs")
    app.in_force(pods=3)
    (new,) = set(app.pods("client")) - before
    app.slow(new, service)


def test_a_restarted_container_keeps_one_rule_set_and_it_ends(app: Shop) -> None:
    """The CrashLoopBackOff trap: the container dies, the pod's network lives, and so does the condition until its end."""
    service, client = app.address("service", "server"), app.pods("client")[0]
    app.condition(targets=[MINE])
    app.in_force(pods=2)
    app.kubectl("exec", client, "--", "kill", "1")
    restarts = "jsonpath={.status.containerStatuses[0].restartCount} {.status.containerStatuses[0].ready}"
    until(lambda: app.kubectl("get", "pod", client, "-o", restarts) == "1 true", 60, "it was restarted")
    app.slow(client, service)
    links = app.kubectl("exec", client, "--", "ip", "-o", "link")
    assert links.count(": nw0") == 1
    app.clear()
    app.quick(client, service)
    until(lambda: ": nw0" not in app.kubectl("exec", client, "--", "ip", "-o", "link"), 20, "its device is gone")


@pytest.mark.full
def test_the_kubelet_s_probes_are_spared_unless_asked_for(app: Shop) -> None:
    probe = {"tcpSocket": {"port": 8080}, "periodSeconds": 1, "timeoutSeconds": 1, "failureThreshold": 1}
    change = [{"op": "add", "path": "/spec/template/spec/containers/0/readinessProbe", "value": probe}]
    app.kubectl("patch", "deployment", "server", "--type=json", "-p", json.dumps(change))
    app.kubectl("rollout", "status", "deployment/server", "--timeout=60s", timeout=70 * SLOW)
    until(lambda: len(app.pods("server")) == 2, 60, "the old ones are gone")
    every = {"targets": [{"podSelector": {"matchLabels": {"app": "server"}}}], "rules": [{"condition": {"block": "drop"}}]}
    ready = "jsonpath={.status.readyReplicas}"
    app.condition(**every)
    app.in_force(pods=2)
    (client, *_), (server, *_) = app.pods("client"), app.pods("server")
    assert app.took(client, app.address("pod", server), 8080) >= 1  # nothing arrives
    assert app.kubectl("get", "deployment", "server", "-o", ready) == "2"
    app.condition(**every, probes=True)
    until(lambda: app.kubectl("get", "deployment", "server", "-o", ready) in ("", "0"), 30, "its probes fail")


def test_refusals_stand_in_the_status(app: Shop) -> None:
    def why(name: str) -> str:
        until(lambda: app.states(name).get("Resolved") == "False", 20, f"{name} is refused")
        return next(each["message"] for each in app.status(name)["conditions"] if each["type"] == "Resolved")

    app.condition("mistyped", rules=[{"condition": {"dealy": {"time": "1ms"}}}])
    assert "did you mean 'delay'?" in why("mistyped")
    app.condition("nobody", targets=[{"podSelector": {"matchLabels": {"app": "none"}}}])
    assert "whoever comes gets it" in why("nobody")
    app.condition("unknown", rules=[{"to": [{"service": "none"}], "condition": {"delay": {"time": "1ms"}}}])
    until(lambda: app.status("unknown").get("warnings"), 20, "it warns")
    assert "the Service none has no address now" in app.status("unknown")["warnings"][0]


def test_what_the_schema_can_refuse_the_api_server_refuses(app: Shop) -> None:
    for spec in ({"lease": "soon"}, {"targets": []}, {"rules": [{"condition": {"delay": {"time": 5}}}]}):
        with pytest.raises(AssertionError, match="is invalid"):
            app.condition("wrong", **spec)


@pytest.mark.full
def test_agent_and_operator_may_restart(app: Shop, kubernetes: Cluster) -> None:
    service, client = app.address("service", "server"), app.pods("client")[0]
    app.condition()
    app.in_force(pods=2)
    for workload in ("daemonset/agent", "deployment/operator"):
        kubernetes.kubectl("-n", "netweather", "rollout", "restart", workload)
        kubernetes.kubectl("-n", "netweather", "rollout", "status", workload, "--timeout=120s", timeout=130 * SLOW)
        app.slow(client, service)
    until(lambda: "ready: 2 targets kept" in logs(kubernetes, "daemonset/agent"), 20, "nothing ended with the agent before")
    app.clear()
    app.quick(client, service)


def logs(cluster: Cluster, workload: str) -> str:
    return cluster.kubectl("-n", "netweather", "logs", workload)


@pytest.mark.full
@pytest.mark.timeout(400)
def test_the_api_server_is_away_for_a_minute(app: Shop, kubernetes: Cluster) -> None:
    """Conditions end at their lease; afterwards everything agrees again."""
    if not isinstance(kubernetes, Node):
        pytest.skip("this cluster's API server is not ours to stop")
    service, client = app.address("service", "server"), app.pods("client")[0]
    app.condition(lease="20s")
    # The first rule that matches wins: this one must not, when the other is set anew and comes after it.
    elsewhere = [{"to": [{"cidr": "2001:db8:ff::/48"}], "condition": {"delay": {"time": "1ms"}}}]
    app.condition("long", targets=[{**MINE, "count": 1}], rules=elsewhere)
    app.in_force(pods=2)
    app.in_force("long", pods=1)
    app.slow(client, service)
    kubernetes.stop("apiserver")
    try:
        assert len(kubernetes.held()) == 2
        until(lambda: len(kubernetes.held()) == 1, 60, "the short one ended on the node")
        time.sleep(40)  # a minute in all: what is renewed or retried meanwhile must not pile up
        assert len(kubernetes.held()) == 1
    finally:
        kubernetes.start("apiserver")
    until(lambda: app.kubectl("get", "networkconditions", check=False), 60, "it answers again")
    until(lambda: app.states().get("Ended") == "True", 60, "the operator knows")
    assert app.states("long")["InForce"] == "True"
    app.quick(client, service)
    app.condition()
    app.in_force(pods=2)
    app.slow(client, service)
