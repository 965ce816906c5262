from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from netweather.conditions import FOREVER, NetworkCondition, builtin_profiles, load
from netweather.kernel.sockets.netns_stats import Faring
from netweather.results import Experienced, RuleCounters
from netweather.scope.buttons import NAME, ButtonState, controls, name_of, panel
from netweather.scope.picture import NetworkFigures, Picture, SeenCondition
from netweather.scope.probe_report import Reporter, ReportRequest
from netweather.targets.census import Container
from netweather.units import Duration, Percent
from tests.support.scope import DECODING_LIMITS_S, ROOM_FOR_300_S, Panic, Probe, Report, decoding_s
from tests.support.scopeapp import COLUMNS, DOCKER_CONTROLS, METRICS, App, Seen, beside, cri_node, cut, docker_node, merged
from tests.unit.scope.conftest import NUMBER, container, shown

NOW = datetime(2026, 5, 3, 12, 0, 0, 125_000, UTC)
BUTTONS = controls(builtin_profiles().values())
PANEL = panel(BUTTONS)
OURS = NetworkCondition(NAME, rules=ButtonState(Duration(2 * 10**9), Percent.parse("10%")).rules())
THEIRS = load(
    {"name": "db", "owner": "alice", "rules": [{"to": ["192.0.2.7"], "ports": [5432], "condition": {"delay": "1.5ms"}}]}
)
LIVED = (Experienced(2, 1, 310.0, 100_400.0, 3, None, None, None),)


def body(picture: Picture, notes: dict[str, str] | None = None, only: Iterable[Container] | None = None, **more: Any) -> bytes:
    return Reporter("traffic-control", BUTTONS, notes or {}, PANEL, **more).report(picture, ReportRequest("probe-7", NOW), only)


def taken(made: bytes) -> Report:
    """What a probe takes of it."""
    return Probe(None).take("traffic-control", made)  # type: ignore[arg-type]  # nothing is looked for


def report(
    *containers: Container, notes: dict[str, str] | None = None, only: list[Container] | None = None, **more: Any
) -> Report:
    return taken(body(Picture(containers, **more), notes, only))


def standing(each: Container, *conditions: NetworkCondition, **more: Any) -> dict[str, tuple[SeenCondition, ...]]:
    return {each.identity or "": tuple(SeenCondition(shown(each, one, **more), NOW.timestamp()) for one in conditions)}


def seen(found: Report, state: str = "running") -> Seen:
    return beside(found, NUMBER, docker_node(state, "probe-7"))


def test_an_empty_host() -> None:
    found = report()
    assert (found.nodes, list(found.controls)) == ({}, [f"traffic-control~{key}" for key in BUTTONS])


def test_a_container_without_conditions_has_all_rows() -> None:
    """The app keeps what a later report leaves out."""
    found = report(container())
    assert found.table(NUMBER) == {"latency": "-", "pktloss": "-"}
    assert seen(found).metadata == dict.fromkeys(("Condition", "Latency", "Packet Loss", "Made by", "Ends"), "-")
    assert seen(found).rows("netweather-table") == {}
    assert seen(found).metrics == {"Degraded": 0}


def test_conditions_have_rows_and_metadata() -> None:
    each = container()
    found = report(each, conditions=standing(each, THEIRS, OURS))
    assert seen(found).properties("traffic-control-table") == {"latency": "2000ms", "pktloss": "10%"}  # what most traffic meets
    rows = seen(found).rows("netweather-table")
    assert rows["db"]["what"] == "delay 1.5ms, to 192.0.2.7, port 5432 (alice)"
    assert rows[NAME] == {"what": "delay 2s, loss 10%, egress", "packets": "0, 0 lost", "rtt": "-", "state": "60 s left"}
    assert seen(found).metadata == {
        "Condition": "2 s, 10 %, 60 s left, 1 more", "Latency": "2000ms", "Packet Loss": "10%", "Made by": "pump",
        "Ends": "05-03 12:01 UTC",
    }  # fmt: skip
    assert seen(found).metrics == {"Degraded": 1}


def test_the_page_shows_all_of_it_that_matters() -> None:
    """Its limits: 12 icons, 8 rows, labels of 13 letters, 4 columns, 3 metrics."""
    each = container()
    fares = {each.identity: NetworkFigures(Faring(3, 101_250.0, 14, 5000, 70), NOW.timestamp(), 1.5)}
    found = report(each, conditions=standing(each, OURS), fares=fares)
    ours = [name_of(icon.partition("~")[2]) for icon in seen(found).icons if "~" in icon]
    assert ours == ["clear", "slow", "medium", "fast", "pkt-drop-low", "next-profile", "bandwidth-medium"]
    assert set(seen(found).icons) == set(seen(found).buttons)  # nothing is offered that can't be reached
    assert "Condition" in seen(found).visible
    topology = found.topology
    (columns,) = [table["columns"] for table in topology["table_templates"].values() if "columns" in table]
    assert len(columns) <= COLUMNS
    assert len(topology["metric_templates"]) <= METRICS
    assert not topology["metric_templates"].keys() & topology["metadata_templates"].keys()
    for one in [*topology["metric_templates"].values(), *topology["metadata_templates"].values(), *columns]:
        assert cut(one["label"]) == one["label"]


def test_room_beside_cris_containers_is_used() -> None:
    each = container(runtime="cri", reference="cri:7")
    found = beside(report(each), NUMBER, cri_node())
    assert found.icons == found.buttons == [f"traffic-control~{key}" for key in PANEL]


def test_every_control_can_be_pressed_by_whoever_asks_the_app() -> None:
    assert set(report(container()).topology["controls"]) == set(BUTTONS) > set(PANEL)


def test_an_ended_condition_is_reported_as_ended() -> None:
    """Else the app shows it as in force for as long as it merges reports."""
    each, app, later = container(), App(), NOW + timedelta(seconds=1)
    app.take(report(each, conditions=standing(each, OURS)), NOW)
    (was,) = standing(each, OURS).values()
    ended = {each.id: tuple(replace(one, ended_at=later.timestamp()) for one in was)}
    app.take(taken(body(Picture((each,), ended=ended))), later)
    app.add(NUMBER, docker_node("running", "probe-7", later), later)
    found = app.seen(NUMBER, later + timedelta(seconds=5))
    assert {key: row["state"] for key, row in found.rows("netweather-table").items()} == {NAME: "ended"}
    assert set(found.metadata.values()) == {"-"}
    assert found.metrics == {"Degraded": 0}


def test_how_a_network_fares_is_in_metrics_with_one_scale_for_all() -> None:
    one, other = container(), container("cd")
    fares = {
        one.identity: NetworkFigures(Faring(3, 101_250.0, 14, 5000, 70), NOW.timestamp(), 0.5),
        other.identity: NetworkFigures(Faring(1, 1_000.0, 0, 0, 0), NOW.timestamp(), 12.0),
    }
    found = report(one, other, fares=fares)
    nodes = {key.partition(";")[0]: node["metrics"] for key, node in found.nodes.items()}
    assert seen(found).metrics == {"Degraded": 0, "RTT, ms": 101.25, "Retransmits/s": 0.5}
    assert {key: metric["max"] for key, metric in nodes[NUMBER].items()} == {"nw-degraded": 1, "nw-rtt": 200, "nw-resent": 20}
    assert {key: metric["max"] for key, metric in nodes["cd"].items()} == {"nw-degraded": 1, "nw-rtt": 200, "nw-resent": 20}
    alone = report(one, other, fares=fares, only=[other])
    assert alone.nodes["cd;<container>"]["metrics"]["nw-rtt"]["max"] == 200


def test_without_connections_there_is_no_round_trip() -> None:
    each = container()
    found = report(each, fares={each.identity: NetworkFigures(Faring(0, None, 0, 0, 0), NOW.timestamp())})
    assert seen(found).metrics == {"Degraded": 0}


def test_for_ever_has_no_end() -> None:
    each = container()
    for_ever = NetworkCondition("x", lease=FOREVER, rules=OURS.rules)
    found = seen(report(each, conditions=standing(each, for_ever, remaining_ns=None)))
    assert found.rows("netweather-table")["x"]["state"] == "no end"
    assert found.metadata["Ends"] == "never"


def test_what_is_broken_says_so_and_degrades_nothing() -> None:
    each = container()
    found = seen(report(each, conditions=standing(each, OURS, in_force=False, problems=("the device nw0 is gone",))))
    assert found.rows("netweather-table")[NAME]["state"] == "the device nw0 is gone"
    assert found.metadata["Condition"] == f"{NAME}: the device nw0 is gone"
    assert found.metrics == {"Degraded": 0}


def test_the_note_is_of_the_click_else_of_the_container_else_of_all() -> None:
    each = container(note="shares the host's")
    assert seen(report(each, notes={NUMBER: "failed"}, problem="old")).metadata["Condition"] == "failed"
    assert seen(report(each, problem="old")).metadata["Condition"] == "shares the host's"
    assert seen(report(container(), problem="old")).metadata["Condition"] == "old"


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize(("state", "dockers"), [("running", "running"), ("paused", "paused"), ("stopped", "exited")])
def test_dockers_controls_are_there_in_either_order(state: Any, dockers: str, last: bool) -> None:
    found = beside(report(container(state=state)), NUMBER, docker_node(dockers, "probe-7"), last=last)
    assert {f"docker_{each}_container" for each in DOCKER_CONTROLS[dockers]} <= set(found.buttons)
    assert len(found.buttons) == len(set(found.buttons))


def test_ours_are_only_on_what_can_be_a_target() -> None:
    ours = {f"traffic-control~{key}" for key in PANEL[:7]}
    assert ours <= set(seen(report(container())).buttons)
    other = (
        container(state="paused"),
        container(state="stopped"),
        container(note="it shares the host's"),
        container(identity=None),
    )
    for each in other:
        assert not any("~" in key for key in seen(report(each)).buttons)


def test_of_cri_we_say_which_probe_controls_it() -> None:
    """T5: else there is no control at all."""
    each = container(runtime="cri", reference="cri:7")
    assert report(each).values(NUMBER)["control_probe_id"] == "probe-7"
    assert "control_probe_id" not in report(container()).values(NUMBER)


def test_a_node_of_cri_that_nobody_can_control_is_left_out() -> None:
    """T2: a node without controls would take away those of others."""
    assert report(container(runtime="cri", note="it shares the node's")).nodes == {}


def test_only_some() -> None:
    one, other = container(), container("cd")
    assert list(report(one, other, only=[other]).nodes) == ["cd;<container>"]


def test_a_report_of_its_own_shows_the_plugin_as_working() -> None:
    each, app = container(), App()
    app.take(report(each, only=[each]), NOW, shortcut=True)
    assert app.status == "ok"


def test_the_form_for_scope_before_1_13_has_each_control_for_itself() -> None:
    found = taken(body(Picture((container(), container("cd", state="paused"))), before_1_13=True))
    node, paused = (found.nodes[f"{key};<container>"] for key in (NUMBER, "cd"))
    assert "active_controls" not in node["latest"]
    assert found.active(NUMBER) == [*PANEL[:7], *(f"docker_{each}_container" for each in DOCKER_CONTROLS["running"])]
    assert {key: each["value"]["dead"] for key, each in paused["latestControls"].items()} == {
        **dict.fromkeys(PANEL, True), "docker_unpause_container": False,
    }  # fmt: skip


def hundreds(count: int, degraded: int) -> Picture:
    """A host with so many containers; the first of them with a condition, connections and what they lived through."""
    every = [container(f"{number:064x}", identity=f"4-{number}") for number in range(1, count + 1)]
    seen_by = {"lived": LIVED, "rules": (RuleCounters(1_234_567, 10**9, 123_456, loss=123_456),)}
    conditions = {key: value for each in every[:degraded] for key, value in standing(each, OURS, **seen_by).items()}
    fares = {each.identity or "": NetworkFigures(Faring(3, 101_250.0, 14, 5000, 70), NOW.timestamp(), 1.5) for each in every}
    return Picture(tuple(every), conditions, "", fares)


def test_300_containers_leave_the_probe_time() -> None:
    """Each with a condition, by the slowest decoding that was measured."""
    made = body(hundreds(300, 300))
    assert decoding_s(made) <= ROOM_FOR_300_S
    assert len(taken(made).nodes) == 300
    assert all(len(node["latest"]) == 10 for node in taken(made).nodes.values())


def test_on_a_host_with_more_those_without_a_condition_are_brief() -> None:
    picture = hundreds(1000, 20)
    made = body(picture)
    assert decoding_s(made) <= DECODING_LIMITS_S["/report"]
    found = taken(made)
    sizes = [len(found.nodes[f"{each.id};<container>"]["latest"]) for each in picture.containers]
    assert sizes == [10] * 20 + [1] * 980
    assert found.active(picture.containers[-1].id)
    noted = picture.containers[-1]
    assert len(taken(body(picture, {noted.id: "failed"})).nodes[f"{noted.id};<container>"]["latest"]) > 1


def test_no_cell_or_row_gets_into_the_other_table() -> None:
    each = container()
    found = report(each, conditions=standing(each, OURS, THEIRS))
    prefixes = [template["prefix"] for template in found.topology["table_templates"].values()]
    for key in found.values(NUMBER):
        assert sum(key.startswith(prefix) for prefix in prefixes) <= 1, key


def test_times_have_a_zone_whatever_the_clock() -> None:
    east = NOW.astimezone(timezone(timedelta(hours=2)))
    assert ReportRequest("p", NOW).stamp == ReportRequest("p", east).stamp == "2026-05-03T12:00:00.12Z"
    assert ReportRequest("p", NOW.replace(microsecond=0)).stamp == "2026-05-03T12:00:00.00Z"


def test_a_wrong_topology_would_end_the_probe() -> None:
    """T3: why ours names none."""
    node = report(container()).nodes[f"{NUMBER};<container>"]
    assert "topology" not in node
    merged(docker_node("running", "p"), node)
    with pytest.raises(Panic):
        merged(docker_node("running", "p"), {**node, "topology": "host"})


def test_words_that_json_and_keys_must_survive() -> None:
    each = container(name='"</script>', note='a\nb"c\u2028\udc80')
    assert seen(report(each)).metadata["Condition"] == 'a\nb"c\u2028?'
    assert json.loads(json.dumps(report(each).plain))
