"""What is asked, and what answers mean."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from netweather.agent.api.machine_routes import VerifyRequest
from netweather.agent.api.stats_routes import StatsRequest
from netweather.client import calls
from netweather.engine.verification import VerifyOptions
from netweather.engine.views.socket_stats import CounterSelection
from netweather.errors import NetweatherError, UsageError


def test_names_stay_in_their_part_of_the_path() -> None:
    assert calls.clear((), "../targets?x", None).path == "/v1/conditions/..%2Ftargets%3Fx"


def test_targets_are_repeated() -> None:
    assert calls.clear(("netns:a", "netns:b"), None, "me").target == "/v1/conditions?target=netns%3Aa&target=netns%3Ab&owner=me"


def test_what_is_verified() -> None:
    call = calls.verify("netns:a", VerifyOptions("slow", samples=100))
    assert call.document == {"target": "netns:a", "name": "slow", "to": None, "peer": None, "samples": 100}
    assert VerifyRequest.model_validate(call.document).samples == 100
    assert StatsRequest.model_validate(calls.begin_stats("netns:a", CounterSelection(by_process=True)).document).by_process


@pytest.mark.parametrize(("status", "kind"), [(400, UsageError), (409, NetweatherError)])
def test_problems_become_errors(status: int, kind: type[NetweatherError]) -> None:
    problem = {**NetweatherError("other-owner", "what", "why", "remedy").as_problem(), "status": status}
    with pytest.raises(NetweatherError) as wrong:
        calls.answered(calls.show(()), status, json.dumps(problem).encode())
    assert type(wrong.value) is kind
    assert (wrong.value.code, wrong.value.what, wrong.value.why, wrong.value.remedy) == ("other-owner", "what", "why", "remedy")


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, b""), (200, b"null"), (200, b"{}"), (200, b'{"items": [{}]}'), (502, b"<html>"), (400, b"{}"), (500, b"\xff")],
)
def test_answers_that_are_none(status: int, body: bytes) -> None:
    with pytest.raises(NetweatherError) as wrong:
        calls.answered(calls.show(()), status, body)
    assert wrong.value.code == "agent-answer"


def test_what_becomes_of_held_packets_is_a_parameter() -> None:
    assert calls.clear((), None, None).target == "/v1/conditions"
    assert calls.clear((), None, None, "wait").target == "/v1/conditions?wait=true"
    assert calls.clear((), None, None, "drop").target == "/v1/conditions?now=true"


def test_a_service_is_of_the_project_of_the_callers_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("name: shop")
    monkeypatch.chdir(tmp_path)
    assert calls.complete("compose:web").query == [("target", "compose:web"), ("project", "shop"), ("only", "false")]
    monkeypatch.setenv("COMPOSE_PROJECT_NAME", "blog")
    assert calls.complete("compose:web").query == [("target", "compose:web"), ("project", "blog"), ("only", "true")]
    for word in ("compose:shop/web", "docker:web"):
        assert calls.complete(word).query == [("target", word)]
