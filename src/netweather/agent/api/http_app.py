"""The HTTP API: paths, who may use them, and what they answer. Not here: what they do (agent), and sockets (serving)."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from fastapi import FastAPI

from netweather.agent.agent import Agent
from netweather.agent.api import (
    condition_routes,
    connection_routes,
    machine_routes,
    problem_responses,
    scenario_routes,
    stats_routes,
)
from netweather.agent.api.dependencies import COMPONENTS
from netweather.agent.api.request_limits import Limits
from netweather.agent.metrics import Counting
from netweather.conditions.declare import camel

ABOUT = """Sets, lists, verifies and ends network conditions on the targets of one machine.

A condition's name is unique on a target. `PUT` replaces it on the targets in the body, and does not change conditions of that name on
other targets. Every failure is a problem object with the code, what, why and remedy of docs/errors.md."""


def make_app(agent: Agent) -> FastAPI:
    """The application of one agent."""
    app = FastAPI(
        title="Netweather agent",
        version=version("netweather"),
        description=ABOUT,
        docs_url=None,  # pages that load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: camel(route.name),
    )
    app.state.agent = agent
    app.include_router(condition_routes.router)
    app.include_router(connection_routes.router)
    app.include_router(scenario_routes.router)
    app.include_router(stats_routes.router)
    app.include_router(machine_routes.router)
    problem_responses.install(app)
    app.add_middleware(Limits)
    app.add_middleware(Counting, metrics=agent.metrics)
    _describe(app)
    return app


def _describe(app: FastAPI) -> None:
    """The OpenAPI has our documents as components, and says that all but the health needs a token, unless one comes by the Unix socket."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = made()  # FastAPI keeps it
            components = schema.setdefault("components", {})
            theirs = {key: value for key, value in components.get("schemas", {}).items() if not key.endswith("ValidationError")}
            components["schemas"] = dict(sorted({**theirs, **COMPONENTS}.items()))
            components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
            for path, methods in schema["paths"].items():
                for operation in methods.values():
                    _share_failures(operation["responses"], components.setdefault("responses", {}))
                    operation["security"] = [] if path == "/v1/health" else [{"token": []}]
        return app.openapi_schema or {}

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way to change it


def _share_failures(responses: dict[str, Any], shared: dict[str, Any]) -> None:
    """Failures of one status are the same for each operation."""
    for code, response in list(responses.items()):
        if "HTTPValidationError" in str(response):
            del responses[code]
        elif code >= "400":
            shared[f"Problem{code}"] = response
            responses[code] = {"$ref": f"#/components/responses/Problem{code}"}
