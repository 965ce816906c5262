from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from netweather.conditions import NetworkCondition
from netweather.errors import NetweatherError
from netweather.results import SetOutcome
from netweather.scope import plugin_process as apps
from netweather.scope.buttons import panel
from netweather.scope.plugin_process import HELD_S, Plugin, make_app
from netweather.scope.probe_report import Reporter
from netweather.scope.steering import Steering
from tests.support.scope import Probe
from tests.support.scopeapp import WINDOW, App, tick
from tests.unit.scope.conftest import NUMBER, Fake, container

SLOW = "traffic-control-table-slow"
BODY = {"AppID": "", "Control": SLOW, "ControlArgs": None, "NodeID": f"{NUMBER};<container>"}


@pytest.fixture
def plugin(steering: Steering, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plugin]:
    monkeypatch.setattr(apps, "HELD_S", 0.0)
    made = Plugin(steering, Reporter("traffic-control", steering.controls, steering.notes, panel(steering.controls)))
    yield made
    made.pool.shutdown()


def ask(plugin: Plugin, method: str, path: str, body: bytes = b"", count: int = 1) -> list[httpx.Response]:
    """The answers to as many requests at once."""

    async def all_of_them() -> list[httpx.Response]:
        transport = httpx.ASGITransport(make_app(plugin))
        async with httpx.AsyncClient(transport=transport, base_url="http://plugin") as client:
            query = f"{path}?api_version=1&probe_id=p"
            return await asyncio.gather(*(client.request(method, query, content=body) for _ in range(count)))

    return asyncio.run(all_of_them())


def press(plugin: Plugin, **more: Any) -> httpx.Response:
    return ask(plugin, "POST", "/control", json.dumps({**BODY, **more}).encode())[0]


def test_a_report(plugin: Plugin) -> None:
    (answer,) = ask(plugin, "GET", "/report")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert list(answer.json()["Container"]["nodes"]) == [f"{NUMBER};<container>"]


def test_a_button_is_answered_with_the_container_as_it_is_now(plugin: Plugin) -> None:
    answer = press(plugin).json()
    assert set(answer) == {"shortcutReport"}  # not ShortcutReport, as Scope's documentation has it
    (node,) = answer["shortcutReport"]["Container"]["nodes"].values()
    assert node["latest"]["traffic-control-table-latency"]["value"] == "2000ms"
    assert len(answer["shortcutReport"]["Plugins"]) == 1


def test_names_of_fields_in_any_case(plugin: Plugin, fake: Fake) -> None:
    body = {"nodeid": BODY["NodeID"], "CONTROL": SLOW}
    assert "shortcutReport" in ask(plugin, "POST", "/control", json.dumps(body).encode())[0].json()
    assert fake.in_force


def test_errors_are_an_answer(plugin: Plugin, fake: Fake) -> None:
    assert "[unknown-container]" in press(plugin, NodeID="cd;<container>").json()["error"]
    assert "[bad-node]" in press(plugin, NodeID="cd").json()["error"]
    assert "[unknown-control]" in press(plugin, Control="x").json()["error"]
    fake.fails = NetweatherError("no-interfaces", "it has none")
    assert press(plugin).json() == {"error": "it has none [no-interfaces]"}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7", b'{"NodeID": 1}', b'{"Control": ["a"]}', b"\xff", b"{" * 70_000])
def test_what_is_no_request_is_400(plugin: Plugin, body: bytes) -> None:
    (answer,) = ask(plugin, "POST", "/control", body)
    assert answer.status_code == 400
    assert answer.text


def test_what_takes_its_time_is_answered_before_it_is_done(plugin: Plugin, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """T6. It is carried out all the same, and what goes wrong is told by the table."""
    monkeypatch.setattr(apps, "PATIENCE_S", 0.02)
    go_on = threading.Event()
    plain = fake.set
    monkeypatch.setattr(fake, "set", lambda conditions: (go_on.wait(10), plain(conditions))[1])
    (node,) = press(plugin).json()["shortcutReport"]["Container"]["nodes"].values()
    assert node["latest"]["traffic-control-table-latency"]["value"] == "-"
    assert node["latest"]["nw-summary"]["value"] == "Traffic speed: slow: being set"
    go_on.set()
    plugin.pool.shutdown()
    assert fake.in_force
    assert plugin.steering.notes == {}


def test_buttons_of_one_container_are_carried_out_as_they_were_pressed(
    plugin: Plugin, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does its note say that it is done while one waits."""
    monkeypatch.setattr(apps, "PATIENCE_S", 0.0)
    began, go_on = threading.Semaphore(0), threading.Semaphore(0)
    seen: list[tuple[str, str]] = []
    plain = fake.set

    def slow(conditions: Sequence[NetworkCondition]) -> list[SetOutcome]:
        seen.append((conditions[0].reason or "", plugin.steering.notes[NUMBER]))
        began.release()
        assert go_on.acquire(timeout=10)
        return plain(conditions)

    monkeypatch.setattr(fake, "set", slow)
    speeds = ("slow", "medium", "fast") * 3

    async def all_of_them() -> None:
        container = plugin.steering.container(f"{NUMBER};<container>")
        for speed in speeds:
            assert await plugin.press(container, plugin.steering.control(f"traffic-control-table-{speed}")) == ""
        for number in range(len(speeds)):
            assert await asyncio.to_thread(began.acquire, timeout=10)
            assert len(seen) == number + 1
            go_on.release()

    asyncio.run(asyncio.wait_for(all_of_them(), 30))
    plugin.pool.shutdown()
    assert plugin.steering.notes == {}
    assert [reason for reason, _ in seen] == [f"Weave Scope: Traffic speed: {speed}" for speed in speeds]
    assert [note for _, note in seen][1:] == ["Traffic speed: fast: being set"] * 8


def test_hundreds_who_ask_at_once_get_one_report(plugin: Plugin, monkeypatch: pytest.MonkeyPatch) -> None:
    made = 0
    plain = Reporter.report

    def counted(*words: Any) -> bytes:
        nonlocal made
        made += 1
        return plain(*words)

    monkeypatch.setattr(Reporter, "report", counted)
    monkeypatch.setattr(apps, "FRESH_S", 60.0)
    answers = ask(plugin, "GET", "/report", count=200)
    assert ({each.status_code for each in answers}, made) == ({200}, 1)
    press(plugin)
    (after,) = ask(plugin, "GET", "/report")
    (node,) = after.json()["Container"]["nodes"].values()
    assert node["latest"]["traffic-control-table-latency"]["value"] == "2000ms"


def test_a_report_comes_after_the_docker_reporters(plugin: Plugin, monkeypatch: pytest.MonkeyPatch) -> None:
    """The probe asks both at the same time, and the controls of the later answer count."""
    monkeypatch.setattr(apps, "HELD_S", HELD_S)
    begin = time.monotonic()
    (answer,) = ask(plugin, "GET", "/report")
    report = Probe(None).take("traffic-control", answer.content, time.monotonic() - begin)  # type: ignore[arg-type]  # nothing is looked for
    app, now = App(), datetime.now(UTC)
    tick(app, report, now, [(NUMBER, "running")])
    assert "traffic-control~traffic-control-table-clear" in app.seen(NUMBER, now + WINDOW / 2).icons


def test_a_report_has_the_controls_of_the_containers_state_now(
    plugin: Plugin, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two looks a container was paused, and another is no longer there."""
    fake.containers = [container("cd"), *fake.containers]
    plugin.steering.painter.look()
    fake.containers = [replace(fake.containers[1], state="paused")]
    plain = fake.states
    monkeypatch.setattr(fake, "states", lambda: (threading.Event().wait(0.05), plain())[1])  # the engine takes its time
    monkeypatch.setattr(apps, "STATES_S", 20.0)
    (answer,) = ask(plugin, "GET", "/report")
    ((name, node),) = answer.json()["Container"]["nodes"].items()
    assert (name, node["latest"]["active_controls"]["value"]) == (f"{NUMBER};<container>", "docker_unpause_container")


def test_engines_that_do_not_answer_hold_nothing_up(plugin: Plugin, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apps, "STATES_S", 0.01)
    go_on, calls = threading.Event(), []
    monkeypatch.setattr(fake, "states", lambda: (calls.append(1), go_on.wait(20), ({}, False))[2])

    async def twice() -> None:
        await plugin.current()
        await plugin.current()
        go_on.set()

    asyncio.run(twice())
    assert calls == [1]  # none is asked while one is still under way
    (answer,) = ask(plugin, "GET", "/report")
    assert len(answer.json()["Container"]["nodes"]) == 1


def test_nothing_to_report_of_is_an_error(plugin: Plugin, fake: Fake) -> None:
    fake.containers, fake.problems = [], [NetweatherError("docker-failed", "Docker failed")]
    plugin.steering.painter.look()
    (answer,) = ask(plugin, "GET", "/report")
    assert (answer.status_code, answer.text) == (500, "Docker failed")
    fake.problems = []
    plugin.steering.painter.look()
    assert ask(plugin, "GET", "/report")[0].json()["Container"]["nodes"] == {}
