"""Events are declared once: what is published, and what the OpenAPI and the page say."""

from __future__ import annotations

import re
from typing import Any, get_args

import pytest

from netweather.agent.events import Events
from netweather.engine.scenario_runner import ScenarioState
from netweather.wire.event_documents import EVENT_STREAM, EVENTS, check_event
from tests.support.repository import below


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("condition-forgotten", {"name": "slow", "target": "netns:a"}),
        ("condition-resumed", {"name": "slow"}),
        ("condition-resumed", {"name": "slow", "target": "netns:a", "why": "?"}),
    ],
    ids=["kind", "missing", "more"],
)
def test_what_is_not_declared_is_not_published(kind: str, data: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=kind):
        Events().publish(kind, **data)


def test_optional_data_may_be_there() -> None:
    check_event("scenario-ended", {"scenario": "s", "owner": ""})
    check_event("scenario-ended", {"scenario": "s", "owner": "", "why": "late"})


def test_each_kind_that_the_code_names_is_declared_and_the_other_way_round() -> None:
    named = {f"scenario-{state}" for state in get_args(ScenarioState) if state != "playing"}
    for path in below("src/netweather", ".py"):
        named.update(re.findall(r'\.(?:publish|tell)\(\s*"([a-z-]+)"', path.read_text()))
    assert named | {"scenario-resumed"} == set(EVENTS)


def test_the_openapi_has_each_kind_with_its_data() -> None:
    components: dict[str, Any] = {}
    assert EVENT_STREAM.schema(components)["contentSchema"] == {"$ref": "#/components/schemas/Event"}
    kinds = {each["title"]: each for each in components["Event"]["anyOf"]}
    assert set(kinds) == set(EVENTS)
    assert set(kinds["scenario-ended"]["properties"]) == {"time", "scenario", "owner", "why"}
    assert kinds["scenario-ended"]["required"] == ["time", "scenario", "owner"]
