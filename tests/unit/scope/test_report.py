from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from netweather.conditions import FOREVER, NetworkCondition, builtin_profiles, load
from netweather.engine.experience import Experienced
from netweather.kernel.faring import Faring
from netweather.scope.controls import NAME, Wish, controls
from netweather.scope.picture import Fares, Picture, Standing
from netweather.scope.report import Asked, Reporter
from netweather.targets.census import Container
from netweather.units import Duration, Percent
from tests.support.scope import DOCKER_CONTROLS, Panic, Probe, Report, Seen, cri_node, docker_node, merged
from tests.unit.scope.conftest import NUMBER, container, shown

NOW = datetime(2026, 5, 3, 12, 0, 0, 125_000, UTC)
BUTTONS = controls(builtin_profiles().values())
OURS = NetworkCondition(NAME, rules=Wish(Duration(2 * 10**9), Percent.parse("10%")).rules())
THEIRS = load(
    {"name": "db", "owner": "alice", "rules": [{"to": ["192.0.2.7"], "ports": [5432], "condition": {"delay": "1.5ms"}}]}
)


def report(
    *containers: Container, notes: dict[str, str] | None = None, only: list[Container] | None = None, **more: Any
) -> Report:
    """What a probe takes of it."""
    picture = Picture(containers, **more)
    body = Reporter("traffic-control", BUTTONS, notes or {}).report(picture, Asked("probe-7", NOW), only)
    return Probe(None).take("traffic-control", body)  # type: ignore[arg-type]  # nothing is looked for


def standing(each: Container, *conditions: NetworkCondition, **more: Any) -> dict[str, tuple[Standing, ...]]:
    return {each.identity or "": tuple(Standing(shown(each, one, **more), NOW.timestamp(), 12.5, 0.25) for one in conditions)}


def seen(found: Report, state: str = "running") -> Seen:
    return found.seen(NUMBER, docker_node(state, "probe-7"))


def test_an_empty_host() -> None:
    found = report()
    assert (found.nodes, list(found.controls)) == ({}, [f"traffic-control~{key}" for key in BUTTONS])


def test_a_container_without_conditions_has_all_rows() -> None:
    found = report(container())
    assert found.table(NUMBER) == dict.fromkeys(("latency", "pktloss", "bandwidth", "network", "note"), "-")
    assert seen(found).metadata == {"Latency": "-", "Packet Loss": "-", "Network conditions": "-"}
    assert seen(found).rows("netweather-table") == {}
    assert found.nodes[f"{NUMBER};<container>"]["metrics"] == {}


def test_conditions_have_rows_metadata_and_metrics() -> None:
    each = container()
    found = report(each, conditions=standing(each, THEIRS, OURS))
    assert found.table(NUMBER)["latency"] == "2000ms"  # ours, before others'
    assert found.table(NUMBER)["pktloss"] == "10%"
    rows = seen(found).rows("netweather-table")
    assert rows["db"] == {
        "what": "delay 1.5ms, to 192.0.2.7, port 5432", "engine": "pump", "lease": "in 60 s", "packets": "0", "dropped": "0",
        "owner": "alice", "state": "in force", "rtt": "-", "again": "-",
    }  # fmt: skip
    assert rows[NAME]["what"] == "delay 2s, loss 10%, direction egress"
    assert seen(found).metadata == {
        "Latency": "2000ms", "Packet Loss": "10%", "Network conditions": "db, traffic-control", "Made by": "pump",
        "Network as before": "2026-05-03T12:01:00.125000Z",
    }  # fmt: skip
    metric = found.nodes[f"{NUMBER};<container>"]["metrics"]["netweather-packets"]
    assert metric == {"samples": [{"date": "2026-05-03T12:00:00.125000Z", "value": 25.0}], "min": 0, "max": 25.0}
    assert set(found.topology["metric_templates"]) > set(found.nodes[f"{NUMBER};<container>"]["metrics"])


def test_how_a_network_fares_is_metadata_and_metrics() -> None:
    each = container()
    fares = Fares(Faring(3, 101_250.0, 14, 5000, 70), NOW.timestamp(), 1.5, 2000.0, 0.0)
    found = report(each, fares={each.identity: fares})
    assert seen(found).metadata.items() >= {"Round trip of TCP": "101 ms", "Segments sent again": "14"}.items()
    metrics = found.nodes[f"{NUMBER};<container>"]["metrics"]
    values = {key: metric["samples"][0]["value"] for key, metric in metrics.items()}
    assert values == {
        "netweather-rtt": 101.25, "netweather-retransmits": 1.5, "netweather-received": 2000.0, "netweather-sent": 0.0,
    }  # fmt: skip
    assert values.keys() <= found.topology["metric_templates"].keys()


def test_without_connections_there_is_no_round_trip() -> None:
    each = container()
    found = report(each, fares={each.identity: Fares(Faring(0, None, 0, 0, 0), NOW.timestamp())})
    assert seen(found).metadata["Round trip of TCP"] == "-"
    assert found.nodes[f"{NUMBER};<container>"]["metrics"] == {}


def test_what_connections_lived_through_is_in_the_conditions_row() -> None:
    each = container()
    two = NetworkCondition("two", rules=OURS.rules * 2)
    lived = (Experienced(2, 1, 310.0, 100_400.0, 3, None, None, None), None)
    row = lambda **more: seen(report(each, conditions=standing(each, two, **more))).rows("netweather-table")["two"]  # noqa: E731 - said twice
    assert (row(lived=lived)["rtt"], row(lived=lived)["again"]) == ("0.31 ms → 100 ms; -", "3; -")
    young = (Experienced(1, 0, None, 1_250.0, 0, None, None, None), Experienced(1, 0, None, None, 0, None, None, None))
    assert (row(lived=young)["rtt"], row(lived=young)["again"]) == ("1.25 ms; -", "0; 0")
    assert (row(lived=(None, None))["rtt"], row()["again"]) == ("-", "-")


def test_for_ever_has_no_end() -> None:
    each = container()
    for_ever = NetworkCondition("x", lease=FOREVER, rules=OURS.rules)
    found = seen(report(each, conditions=standing(each, for_ever, remaining_ns=None)))
    assert found.rows("netweather-table")["x"]["lease"] == "never"
    assert "Network as before" not in found.metadata


def test_what_is_broken_says_so() -> None:
    each = container()
    found = report(each, conditions=standing(each, OURS, in_force=False, problems=("the device nw0 is gone",)))
    assert seen(found).rows("netweather-table")[NAME]["state"] == "the device nw0 is gone"


def test_the_note_is_of_the_button_else_of_the_container_else_of_all() -> None:
    each = container(note="shares the host's")
    assert report(each, notes={NUMBER: "failed"}, problem="old").table(NUMBER)["note"] == "failed"
    assert report(each, problem="old").table(NUMBER)["note"] == "shares the host's"
    assert report(container(), problem="old").table(NUMBER)["note"] == "old"


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize(("state", "dockers"), [("running", "running"), ("paused", "paused"), ("stopped", "exited")])
def test_dockers_buttons_are_there_in_either_order(state: Any, dockers: str, last: bool) -> None:
    found = report(container(state=state)).seen(NUMBER, docker_node(dockers, "probe-7"), last=last)
    assert {f"docker_{each}_container" for each in DOCKER_CONTROLS[dockers]} <= set(found.buttons)


def test_ours_work_only_on_what_can_be_a_target() -> None:
    ours = {f"traffic-control~{key}" for key in BUTTONS}
    assert ours <= set(seen(report(container())).buttons)
    for each in (container(state="paused"), container(state="stopped"), container(note="it shares the host's")):
        assert not ours & set(seen(report(each)).buttons)


def test_of_cri_we_say_which_probe_controls_it() -> None:
    """T5: else there is no button at all."""
    each = container(runtime="cri", reference="cri:7")
    found = report(each).seen(NUMBER, cri_node())
    assert set(found.buttons) == {f"traffic-control~{key}" for key in BUTTONS}
    assert report(each).values(NUMBER)["control_probe_id"] == "probe-7"
    assert "control_probe_id" not in report(container()).values(NUMBER)


def test_a_node_of_cri_that_nobody_can_control_is_left_out() -> None:
    """T2: a node without buttons would take away those of others."""
    assert report(container(runtime="cri", note="it shares the node's")).nodes == {}


def test_only_some() -> None:
    one, other = container(), container("cd")
    assert list(report(one, other, only=[other]).nodes) == ["cd;<container>"]


def test_no_cell_or_row_gets_into_the_other_table() -> None:
    each = container()
    found = report(each, conditions=standing(each, OURS, THEIRS))
    prefixes = [template["prefix"] for template in found.topology["table_templates"].values()]
    for key in found.values(NUMBER):
        assert sum(key.startswith(prefix) for prefix in prefixes) <= 1, key


def test_times_have_a_zone_whatever_the_clock() -> None:
    east = NOW.astimezone(timezone(timedelta(hours=2)))
    assert Asked("p", NOW).stamp == Asked("p", east).stamp == "2026-05-03T12:00:00.125000Z"
    assert Asked("p", NOW.replace(microsecond=0)).stamp == "2026-05-03T12:00:00Z"


def test_a_wrong_topology_would_end_the_probe() -> None:
    """T3: why ours names none."""
    node = report(container()).nodes[f"{NUMBER};<container>"]
    assert "topology" not in node
    merged(docker_node("running", "p"), node)
    with pytest.raises(Panic):
        merged(docker_node("running", "p"), {**node, "topology": "host"})


def test_words_that_json_and_keys_must_survive() -> None:
    each = container(name='"</script>', note='a\nb"c\u2028')
    assert report(each).table(NUMBER)["note"] == 'a\nb"c\u2028'
    assert json.loads(json.dumps(report(each).plain))
