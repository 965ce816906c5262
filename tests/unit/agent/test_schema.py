"""schemathesis asks what the OpenAPI document allows, and much that it forbids; every answer is one that it tells of."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.generation import GenerationMode

from tests.unit.agent.api.test_dependencies import HANDLERS
from tests.unit.agent.conftest import Api

ACCEPTED = ["2xx", "400", "401", "403", "404", "409", "413", "415", "422"]
"""Of what the schema allows, some contradicts itself (a jitter without a delay): no schema can say that."""
ASKED = [(method, path) for method, path in HANDLERS if path not in ("/v1/events", "/v1/doctor")]
"""Events never end, and the doctor looks at this very machine: both are asked in tests/kernel/agent."""
EXAMPLES = [8, pytest.param(100, marks=pytest.mark.full)]


@pytest.mark.parametrize("examples", EXAMPLES)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["allowed", "forbidden"])
@pytest.mark.parametrize(("method", "path"), ASKED)
def test_every_answer_is_told(
    api: Api, monkeypatch: pytest.MonkeyPatch, method: str, path: str, mode: GenerationMode, examples: int
) -> None:
    from netweather.agent import agent

    monkeypatch.setattr(agent.runtimes, "list_targets", lambda tell: [])
    schema = schemathesis.openapi.from_asgi("/openapi.json", api.app)
    schema.config.checks.positive_data_acceptance.expected_statuses = ACCEPTED
    asked = schema[path][method]
    if mode is GenerationMode.NEGATIVE and not (asked.body or asked.query or asked.path_parameters):
        return  # there is nothing to forbid

    @settings(max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(case=asked.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        case.call_and_validate(headers={"Authorization": "Bearer token-all"})
        api.agent.watches.close()  # 8 are the most
        api.agent.played.stop_all()  # those that begin with nothing play on, and 50 are the most

    ask()
