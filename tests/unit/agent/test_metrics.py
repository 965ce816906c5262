from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from netweather.agent.metrics import LISTED, Metrics
from netweather.conditions import NetworkCondition, Rule
from netweather.errors import NetweatherError
from netweather.kernel.sockets.netns_stats import Faring
from netweather.results import ConditionStatus, RuleCounters, TargetRef
from tests.unit.agent.conftest import Api

A = TargetRef("netns:a", "a", 4, 7, None, None, "netns")


def shown(target: TargetRef = A, name: str = "slow", dropped: int = 0, **more: Any) -> ConditionStatus:
    """A condition with one rule, in force for a second yet."""
    fields = {"remaining_ns": 10**9, "in_force": True, **more}
    counters = (RuleCounters(10, 1000, dropped),)
    condition = NetworkCondition(name, rules=(Rule(),))
    return ConditionStatus(
        target, condition, problems=(), interfaces=("eth0",), peers={}, rules=counters, unwanted_drops=0, engine="pump", **fields
    )


def test_requests_are_counted_by_declared_paths(api: Api) -> None:
    api.put("slow")
    api.put("other")
    api("GET", "/v1/conditions/none")
    api("GET", "/v1/nowhere")
    text = api("GET", "/v1/metrics").text
    assert 'netweather_requests_total{method="PUT",path="/v1/conditions/{name}",status="200"} 2.0' in text
    assert 'status="404"} 1.0' in text
    assert 'path="other"' in text
    assert "nowhere" not in text
    assert "netweather_targets 0.0" in text


def test_conditions_are_read_from_the_kernel(api: Api) -> None:
    api.put("slow", "netns:a", "netns:b", lease="90s")
    api.put("other", "netns:a")
    text = api("GET", "/v1/metrics").text
    values = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in text.splitlines() if not line.startswith("#")}
    identity = {
        each["status"]["target"]["reference"]: each["status"]["target"]["identity"]
        for each in api("GET", "/v1/conditions").json()["items"]
    }
    of_b = f'{{identity="{identity["netns:b"]}",name="slow",target="netns:b"}}'
    assert values['netweather_conditions{engine="pump"}'] == 3
    assert values[f"netweather_condition_in_force{of_b}"] == 1
    assert 60 < values[f"netweather_condition_seconds_left{of_b}"] <= 90
    assert (values["netweather_conditions_readable"], values["netweather_conditions_unlisted"]) == (1, 0)
    api("DELETE", "/v1/conditions")
    assert "netweather_condition_in_force{" not in api("GET", "/v1/metrics").text


def test_series_are_bounded_and_the_rest_is_counted() -> None:
    many = [shown(A, f"c{number:04}", dropped=number) for number in range(LISTED + 50)]
    metrics = Metrics(int, int, lambda: many)
    text = metrics.text().decode()
    assert text.count("netweather_condition_packets_total{") == LISTED
    assert "netweather_conditions_unlisted 50.0" in text
    assert f'netweather_conditions{{engine="pump"}} {LISTED + 50}.0' in text
    assert len([line for line in text.splitlines() if not line.startswith("#")]) < 6 * LISTED + 100
    assert 'netweather_condition_dropped_total{identity="4-7",name="c0003",target="netns:a"} 3.0' in text


def test_a_condition_without_an_end_has_no_time_left() -> None:
    text = Metrics(int, int, lambda: [shown(remaining_ns=None, in_force=False)]).text().decode()
    assert "netweather_condition_seconds_left{" not in text
    assert 'netweather_condition_in_force{identity="4-7",name="slow",target="netns:a"} 0.0' in text


def test_what_can_not_be_read_is_a_figure() -> None:
    def broken() -> list[ConditionStatus]:
        raise NetweatherError("busy", "another command is changing this target")

    text = Metrics(int, int, broken).text().decode()
    assert "netweather_conditions_readable 0.0" in text


def test_how_a_network_fares_is_told_once() -> None:
    """Two conditions on one network, one on another that is gone."""
    gone = TargetRef("netns:gone", "gone", 4, 8, None, None, "netns")
    asked: list[list[TargetRef]] = []

    def fares(targets: Iterable[TargetRef]) -> dict[tuple[int, int], Faring]:
        asked.append(list(targets))
        return {(4, 7): Faring(3, 2500.0, 11, 1000, 2000)}

    text = Metrics(int, int, lambda: [shown(), shown(name="other"), shown(gone)], fares).text().decode()
    assert {each.reference for each in asked[0]} == {"netns:a", "netns:gone"}
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("netweather_target_"))
    of_a = '{identity="4-7",target="netns:a"}'
    assert {name: float(value) for name, value in values.items() if "_created" not in name} == {
        f"netweather_target_connections{of_a}": 3,
        f"netweather_target_rtt_seconds{of_a}": 0.0025,
        f"netweather_target_retransmits_total{of_a}": 11,
        f"netweather_target_received_bytes_total{of_a}": 1000,
        f"netweather_target_sent_bytes_total{of_a}": 2000,
    }


def test_without_connections_there_is_no_round_trip() -> None:
    text = Metrics(int, int, lambda: [shown()], lambda targets: {(4, 7): Faring(0, None, 0, 0, 0)}).text().decode()
    assert "netweather_target_connections{" in text
    assert "netweather_target_rtt_seconds{" not in text
