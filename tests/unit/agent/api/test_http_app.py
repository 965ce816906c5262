"""The OpenAPI document: what it says is what is answered."""

from __future__ import annotations

import json
from typing import Any

from tests.unit.agent.conftest import Api


def test_it_tells_of_tokens_and_problems(api: Api) -> None:
    schema = api("GET", "/openapi.json").json()
    put = schema["paths"]["/v1/conditions/{name}"]["put"]
    assert put["security"] == [{"token": []}]
    assert {"200", "400", "401", "403", "404", "409", "413", "415", "422"} <= set(put["responses"])
    assert schema["paths"]["/v1/health"]["get"]["security"] == []
    assert "HTTPValidationError" not in str(schema)


def test_no_page_loads_scripts(api: Api) -> None:
    assert api("GET", "/docs").status_code == 404


def references(value: Any) -> set[str]:
    """The components that a part of the document refers to."""
    if isinstance(value, list):
        return {name for each in value for name in references(each)}
    if not isinstance(value, dict):
        return set()
    own = {value["$ref"].rpartition("/")[2]} if "$ref" in value else set()
    return own | {name for each in value.values() for name in references(each)}


def test_named_types_stand_once(api: Api) -> None:
    schema = api.app.openapi()
    components = schema["components"]["schemas"]
    assert references(schema) == {*components, *schema["components"]["responses"]}
    assert {"NetworkCondition", "Rule", "Match", "Condition", "Problem", "Target", "Connection", "Evidence", "Event"} <= set(
        components
    )
    assert json.dumps(schema).count('"keepOrder": {') == 1


def test_operations_have_plain_names(api: Api) -> None:
    names = [operation["operationId"] for methods in api.app.openapi()["paths"].values() for operation in methods.values()]
    assert len(set(names)) == len(names)
    assert {"putConditions", "getConditions", "deleteConditions", "verifyConditions"} <= set(names)


def test_every_answer_has_a_type(api: Api) -> None:
    operations = [each for methods in api.app.openapi()["paths"].values() for each in methods.values()]
    contents = {each["operationId"]: each["responses"]["200"]["content"] for each in operations}
    others = {name: found for name, found in contents.items() if "$ref" not in str(found)}
    assert list(others) == ["getMetrics"]
    assert [len(found) for found in contents.values()] == [1] * len(contents)
