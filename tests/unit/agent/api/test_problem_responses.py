"""Every failure is a problem with a code, also one that nobody expected."""

from __future__ import annotations

import pytest

from netweather.agent.api import problem_responses
from netweather.errors import NetweatherError, UsageError
from netweather.service import LocalService
from tests.unit.agent.conftest import Api


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UsageError("bad-duration", "no"), 400),
        (NetweatherError("engine-cannot", "no"), 422),
        (NetweatherError("other-owner", "no"), 409),
        (NetweatherError("busy", "no"), 503),
        (NetweatherError("no-token", "no"), 401),
    ],
)
def test_codes_have_their_status(error: NetweatherError, status: int) -> None:
    answer = problem_responses.answer(error)
    assert answer.status_code == status
    assert answer.media_type == "application/problem+json"


def test_what_nobody_expected(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LocalService, "show", lambda *_, **__: {}["gone"])
    answer = api("GET", "/v1/conditions")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal-error")
    assert "Traceback" not in answer.text


def test_what_the_kernel_refused(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(LocalService, "show", refused)
    answer = api("GET", "/v1/conditions")
    assert (answer.status_code, answer.json()["code"]) == (500, "kernel-refused")


def test_wrong_parameters_and_methods(api: Api) -> None:
    assert api("PUT", "/v1/conditions/slow", params={"dryRun": "perhaps"}, json={}).json()["code"] == "bad-request"
    answer = api("PATCH", "/v1/conditions/slow")
    assert (answer.status_code, answer.json()["code"]) == (405, "bad-request")
