from datetime import UTC, datetime, timedelta
from typing import Any

from netweather.errors import NetweatherError
from netweather.kubernetes.objects.node_objects import OWNER, NodeReport, Orders, Proof, read_orders, read_reports, status_of
from netweather.kubernetes.objects.snapshot import text_of
from netweather.units import Duration

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
ENTRY: dict[str, Any] = {
    "namespace": "shop",
    "name": "slow",
    "uid": "c1",
    "generation": 3,
    "endsAt": "2026-01-01T12:01:00Z",
    "pods": [{"name": "a", "uid": "p1", "probePorts": [8080]}, {"name": "b", "uid": "p2"}],
    "spec": {"rules": [{"to": ["192.0.2.7"], "condition": {"delay": {"time": "100ms"}}}], "exclude": [{"ports": [22]}]},
}


def orders(*entries: dict[str, Any]) -> Orders:
    return read_orders({"metadata": {"generation": 7}, "spec": {"conditions": list(entries)}})


def test_an_order_is_a_condition_for_what_is_left_of_its_lease() -> None:
    one, two = orders(ENTRY).pods
    assert (one.key, one.pod, one.uid, one.generation) == (("p1", "slow"), "shop/a", "c1", 3)
    condition = two.at(NOW + timedelta(seconds=50), ["203.0.113.1"])
    assert condition is not None
    assert (condition.lease, condition.owner, len(condition.exclude)) == (Duration.parse("10s"), OWNER, 1)
    assert two.at(NOW + timedelta(seconds=60), []) is None


def test_the_kubelet_s_probes_are_left_alone_unless_asked_for() -> None:
    condition = orders(ENTRY).pods[0].at(NOW, ["203.0.113.1", "198.51.100.1"])
    assert condition is not None
    probes = condition.exclude[-1]
    assert (probes.to, [str(port) for port in probes.ports], probes.protocol) == (
        ("203.0.113.1", "198.51.100.1"),
        ["8080"],
        "tcp",
    )
    asked = orders({**ENTRY, "probes": True}).pods[0].at(NOW, ["203.0.113.1"])
    assert asked is not None
    assert len(asked.exclude) == 1


def test_what_a_newer_operator_says_is_told_and_the_rest_is_done() -> None:
    newer = {**ENTRY, "name": "new", "uid": "c2", "spec": {"rules": [{"condition": {"gravity": "1"}}]}}
    found = orders(newer, ENTRY)
    assert [order.uid for order in found.pods] == ["c1", "c1"]
    status = status_of(found, {}, {}, {}, NOW)
    reports = read_reports([status])
    assert reports["c2", 3].failed[""][0] == "unknown-key"


def test_an_answer_is_read_as_it_was_written() -> None:
    found = orders(ENTRY)
    error = NetweatherError("busy", "x" * 1000, "why", "remedy")
    proofs = {("p1", "slow"): Proof("PASS", "delay egress: 100.2 ms seen"), ("gone", "slow"): Proof("FAIL", "")}
    status = status_of(found, {("p1", "slow"): "pump"}, {("p2", "slow"): error}, proofs, NOW)
    assert status["observedGeneration"] == 7
    reports = read_reports([status, {}, {"conditions": [{"uid": "c1", "generation": 3, "inForce": ["p9"]}]}])
    (key,) = reports
    assert key == ("c1", 3)
    code, message = reports[key].failed["p2"]
    assert (code, len(message)) == ("busy", 300)
    assert reports[key] == NodeReport({"p1": "pump", "p9": ""}, {"p2": (code, message)}, {"p1": proofs["p1", "slow"]})


def test_states_of_a_scenario_are_there_in_their_time_and_told_as_one() -> None:
    def state(begin: int, end: int) -> dict[str, Any]:
        times = {"startsAt": text_of(NOW + timedelta(seconds=begin)), "endsAt": text_of(NOW + timedelta(seconds=end))}
        return {**ENTRY, **times, "pods": ENTRY["pods"][:1]}

    found = orders(state(0, 10), state(10, 20), state(30, 40))
    moments = [NOW + timedelta(seconds=seconds) for seconds in (-1, 0, 15, 25, 35, 45)]
    assert [[order.ends for order in found.there(now).values()] for now in moments] == [
        [] if n is None else [NOW + timedelta(seconds=n)] for n in (None, 10, 20, None, 40, None)
    ]
    assert [found.next_edge(now) for now in moments] == [
        None if n is None else NOW + timedelta(seconds=n) for n in (0, 10, 20, 30, 40, None)
    ]
    assert found.followed == {(("p1", "slow"), NOW + timedelta(seconds=10))}
    held = {("p1", "slow"): "pump"}
    answers = [status_of(found, held if found.there(now) else {}, {}, {}, now)["conditions"] for now in moments]
    assert [each[0].get("inForce") for each in answers] == [["p1"]] * 5 + [None]
    assert "engine" not in answers[1][0]
    assert "inForce" not in status_of(found, {}, {}, {}, moments[1])["conditions"][0]
    failed = status_of(found, held, {("p1", "slow"): NetweatherError("busy", "x")}, {}, moments[3])["conditions"][0]
    assert ("inForce" in failed, failed["failed"][0]["code"]) == (False, "busy")


def test_what_is_succeeded_holds_a_little_longer() -> None:
    one = orders(ENTRY).pods[1].at(NOW, [], 1.0)
    assert one is not None
    assert one.lease == Duration.parse("61s")


def test_evidence_is_kept_short() -> None:
    found = orders({**ENTRY, "verify": True})
    assert [order.verify for order in found.pods] == [True, True]
    status = status_of(found, {}, {}, {("p1", "slow"): Proof("PASS", "x" * 1000)}, NOW)
    assert len(status["conditions"][0]["proofs"][0]["evidence"]) == 300
