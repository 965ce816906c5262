"""The probe and app of the tests refuse and forget what Scope's do: else a report that passes would prove nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.scope import DECODING_LIMITS_S, TIMEOUT_S, Answer, Panic, Probe, Rejected, decoded, decoding_s
from tests.support.scopeapp import WINDOW, App, Seen, beside, cut, docker_node, tick

SPEC = {"id": "x", "label": "X", "interfaces": ["reporter", "controller"], "api_version": "1"}
NODE = {"latest": {"k": {"timestamp": "2026-05-03T12:00:00Z", "value": "v"}}}
NOW = datetime(2026, 5, 3, 12, 0, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def body(spec: Any = SPEC, node: Any = NODE, **more: Any) -> bytes:
    plugins = spec if isinstance(spec, list) else [spec]
    return json.dumps(
        {"Plugins": plugins, "Container": {"nodes": {"c;<container>": node}, **more.pop("topology", {})}, **more}
    ).encode()


def take(*words: Any, took: float = 0.0, **more: Any) -> Any:
    return Probe(Path()).take("x", body(*words, **more), took)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ([], "exactly one plugin (found 0)"),
        ([SPEC, SPEC], "exactly one plugin (found 2)"),
        ({**SPEC, "id": "y", "api_version": "2"}, 'must not change its id (is "y", should be "x")'),
        ({**SPEC, "api_version": "2", "label": ""}, 'expected "1", got "2"'),
        ({**SPEC, "label": "", "interfaces": []}, "must contain a label"),
        ({**SPEC, "interfaces": ["controller"]}, 'must implement the "reporter" interface'),
    ],
)
def test_specs_in_scopes_order(spec: Any, words: str) -> None:
    with pytest.raises(Rejected) as refused:
        take(spec)
    assert words in str(refused.value)
    assert take()


@pytest.mark.parametrize("moment", ["2016-07-20T15:51:05Z01:00", "2026-05-03T12:00:00", "2026-05-03 12:00:00Z", "", 7])
def test_times_that_break_a_report(moment: Any) -> None:
    with pytest.raises(Rejected):
        take(node={"latest": {"k": {"timestamp": moment, "value": "v"}}})


@pytest.mark.parametrize("moment", ["2026-05-03T12:00:00Z", "2026-05-03T12:00:00.123456789+00:00"])
def test_times_that_do_not(moment: str) -> None:
    assert take(node={"latest": {"k": {"timestamp": moment, "value": "v"}}})


def test_bodies() -> None:
    for wrong in (b"", b"[]", b"{"):
        with pytest.raises(Rejected):
            decoded(wrong)
    assert decoded(b"{} and more") == {}
    assert take(container={"nodes": 7}).nodes  # another case is another word, and looked over


class Answering(Probe):
    """A probe whose plugin answers with this."""

    answer = b""

    def ask(self, plugin: str, method: str, path: str, body: bytes | None = None) -> Answer:
        return Answer(200, self.answer, 0.001)


def test_decoding_counts_as_the_plugins_time() -> None:
    """The figures that were measured: 1,000 containers of 6 kB were never taken, 300 were not always."""
    probe = Answering(Path())
    probe.answer = body(topology={"controls": {"on": {"id": "on", "rank": 1}}})
    assert probe.report("x")
    assert (probe.status, probe.press("x", "c", "on").error) == ({"x": "ok"}, "")
    small, probe.answer = probe.answer, body(more="m" * 1_800_000)
    with pytest.raises(Rejected) as late:
        probe.report("x")
    assert (str(late.value), probe.status["x"]) == ("context deadline exceeded", "error: context deadline exceeded")
    with pytest.raises(Rejected) as unknown:  # until the next report, no control works
        probe.press("x", "c", "on")
    assert str(unknown.value) == 'Control "x~on" not recognised'
    probe.answer = small
    assert probe.report("x").nodes
    assert probe.press("x", "c", "on").error == ""
    probe.answer = json.dumps({"shortcutReport": json.loads(body(more="m" * 400_000))}).encode()
    with pytest.raises(Rejected):
        probe.press("x", "c", "on")
    assert decoding_s(b"x" * 6_000_000) == pytest.approx(1.9)
    assert all(limit < TIMEOUT_S for limit in DECODING_LIMITS_S.values())


def test_what_a_plugin_without_dockers_controls_does() -> None:
    """T1 and T2, as Scope 1.13 does it: they are lost."""
    dockers = docker_node("running", "p")
    for empty in ({"latestControls": {}}, {}):
        found = take(node={**NODE, **empty})
        assert beside(found, "c", dockers).buttons == []
        assert "docker_stop_container" in beside(found, "c", dockers, last=False).buttons


def test_both_forms_of_active_controls() -> None:
    on = {"timestamp": "2026-05-03T12:00:00Z", "value": {"dead": False}}
    off = {"timestamp": "2026-05-03T12:00:00Z", "value": {"dead": True}}
    text = {"active_controls": {"timestamp": "2026-05-03T12:00:00Z", "value": "on;docker_stop_container"}}
    topology = {"controls": {"on": {"id": "on", "rank": 1}}}
    for node in ({**NODE, "latestControls": {"on": on, "docker_stop_container": on, "off": off}}, {"latest": text}):
        found = beside(take(node=node, topology=topology), "c", docker_node("running", "p"))
        assert found.buttons == ["x~on", "docker_stop_container"]


def test_the_app_keeps_what_a_later_report_leaves_out() -> None:
    app = App()
    app.take(take(node={"latest": {"k": stamped(NOW), "j": stamped(NOW)}}), NOW)
    app.take(take(node={"latest": {"k": stamped(NOW + SECOND, "w")}}), NOW + SECOND)
    latest = app.seen("c", NOW + SECOND).node["latest"]
    assert {key: latest[key]["value"] for key in "jk"} == {"j": "v", "k": "w"}
    assert "j" in app.seen("c", NOW + WINDOW - SECOND).node["latest"]
    assert "j" not in app.seen("c", NOW + WINDOW).node["latest"]


def stamped(at: datetime, value: str = "v") -> dict[str, str]:
    return {"timestamp": at.isoformat(), "value": value}


def test_the_reporter_that_answers_last_has_its_controls() -> None:
    node = {"latest": {"active_controls": stamped(NOW, "on")}}
    for took, ours in ((0.01, False), (0.1, True)):
        app = App()
        tick(app, take(node=node, topology={"controls": {"on": {"id": "on", "rank": 1}}}, took=took), NOW, [("c", "running")])
        assert ("x~on" in app.seen("c", NOW + SECOND).buttons) == ours


def test_a_shortcut_report_without_a_status_shows_the_plugin_as_broken() -> None:
    app = App()
    app.take(take(), NOW)
    assert app.status == "ok"
    app.take(take(), NOW, shortcut=True)
    assert app.status == ""
    app.take(take({**SPEC, "status": "ok"}), NOW, shortcut=True)
    assert app.status == "ok"


def test_the_panel_has_room_for_twelve_icons_and_eight_rows() -> None:
    names = [f"c{number}" for number in range(20)]
    topology = {
        "controls": {name: {"id": name, "rank": 20 + number} for number, name in enumerate(names)},
        "metadata_templates": {
            name: {"id": name, "label": f"row {number}", "priority": number}
            for number, name in ((3.5, "k"), (9.5, "j"), (13, "i"))
        },
    }
    dockers = [f"docker_{each}_container" for each in ("attach", "exec", "restart", "pause", "stop")]
    latest = {"active_controls": stamped(NOW, ";".join([*names, *dockers])), **{key: stamped(NOW) for key in "kji"}}
    found = beside(take(node={"latest": latest}, topology=topology), "c", docker_node("running", "p"))
    assert found.icons == [*dockers, *(f"x~{name}" for name in names[:7])]
    assert ("row 3.5" in found.visible, "row 9.5" in found.visible, len(found.visible)) == (True, False, 8)
    assert list(found.metadata) == ["row 3.5", "row 9.5", "row 13"]
    assert (cut("Retransmits/s"), cut("Packets met by")) == ("Retransmits/s", "Packets met b…")


def test_a_wrong_cell_ends_the_app() -> None:
    topology = {"table_templates": {"t": {"prefix": "t-", "type": "multicolumn-table", "columns": [{"id": "a"}]}}}
    good = {"t-row___a": {"timestamp": "2026-05-03T12:00:00Z", "value": "v"}}
    assert Seen({"latest": good}, topology).rows("t") == {"row": {"a": "v"}}
    with pytest.raises(Panic):
        Seen({"latest": {"t-row": {}}}, topology).rows("t")
