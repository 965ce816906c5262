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
from netweather.agent.api.request_limits import Limits
from netweather.agent.metrics import Counting

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
    _describe_security(app)
    return app


def _describe_security(app: FastAPI) -> None:
    """The OpenAPI says that all but the health needs a token, unless one comes by the Unix socket."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        schema = made()
        components = schema.setdefault("components", {})
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        components.setdefault("schemas", {}).pop("HTTPValidationError", None)
        components["schemas"].pop("ValidationError", None)
        for path, methods in schema["paths"].items():
            for operation in methods.values():
                operation["responses"] = {
                    code: answer for code, answer in operation["responses"].items() if "HTTPValidationError" not in str(answer)
                }
                operation["security"] = [] if path == "/v1/health" else [{"token": []}]
        return schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way to change it
