"""Errors as HTTP answers: the same code, what, why and remedy as everywhere, as application/problem+json (RFC 9457)."""

from __future__ import annotations

import logging
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from netweather.errors import NetweatherError, UsageError, reason

MEDIA_TYPE: Final = "application/problem+json"
_STATUS: Final = {
    "no-token": 401,
    "not-allowed": 403,
    "host-namespace": 403,
    "path-refused": 403,
    "no-such-condition": 404,
    "no-such-connection": 404,
    "unknown-target": 404,
    "unknown-profile": 404,
    "target-not-running": 409,
    "no-such-scenario": 404,
    "no-such-watch": 404,
    "other-owner": 409,
    "scenario-running": 409,
    "not-playing": 409,
    "body-too-large": 413,
    "body-too-slow": 408,
    "not-json": 415,
    "busy": 503,
    "internal-error": 500,
    "kernel-refused": 500,
    "not-permitted": 500,
    "needs-root": 500,
}
"""Others: 400 for what was asked wrongly, 422 for what could not be done."""


def status_of(error: NetweatherError) -> int:
    return _STATUS.get(error.code, 400 if isinstance(error, UsageError) else 422)


def answer(error: NetweatherError) -> JSONResponse:
    """The problem of an error."""
    status = status_of(error)
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {"Retry-After": "1"} if status == 503 else None
    return JSONResponse({**error.as_problem(), "status": status}, status, headers, MEDIA_TYPE)


def as_netweather(error: Exception) -> NetweatherError:
    """Any failure in our terms; what we did not expect is an internal-error."""
    if isinstance(error, NetweatherError):
        return error
    if isinstance(error, OSError):
        return NetweatherError(
            "kernel-refused", "the kernel refused the operation", reason(error), "`netweather doctor` may say why"
        )
    text = " ".join(str(error).split())[:300]
    remedy = "look into the agent's log, and report it as a bug of Netweather"
    return NetweatherError("internal-error", f"the agent failed: {type(error).__name__}", text, remedy)


def install(app: FastAPI) -> None:
    """Has an app answer every failure so."""

    async def ours(request: Request, error: Exception) -> JSONResponse:
        known = as_netweather(error)
        if not isinstance(error, NetweatherError):
            logging.getLogger("netweather.agent").error("%s %s", request.method, request.url.path, exc_info=error)
        return answer(known)

    async def of_http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        where, remedy = f"{request.method} {request.url.path[:100]}", "the paths are in /openapi.json"
        problem = UsageError("bad-request", error.detail, where, remedy)
        if error.status_code == 404:
            problem = UsageError("no-such-path", "the agent has no such path", where, remedy)
        return JSONResponse(
            {**problem.as_problem(), "status": error.status_code}, error.status_code, error.headers, media_type=MEDIA_TYPE
        )

    async def of_validation(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        first: dict[str, Any] = error.errors()[0]
        place = ".".join(str(part) for part in first.get("loc", ()))[:100]
        return answer(UsageError("bad-request", f"{place}: {first.get('msg', '')}", "", "the parameters are in /openapi.json"))

    app.add_exception_handler(NetweatherError, ours)
    app.add_exception_handler(OSError, ours)
    app.add_exception_handler(HTTPException, of_http)
    app.add_exception_handler(RequestValidationError, of_validation)
    app.add_exception_handler(Exception, ours)
