"""The OpenAPI document: what it says is what is answered."""

from __future__ import annotations

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
