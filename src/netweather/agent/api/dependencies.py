"""What handlers have in common: the agent, who asks, the answers of failures. Not here: the paths."""

from __future__ import annotations

from typing import Annotated, Any, Final, get_args, get_origin

from fastapi import Depends, Query, Request

from netweather.agent.agent import Agent
from netweather.agent.api.problem_responses import MEDIA_TYPE
from netweather.agent.principals import no_token, of_peer
from netweather.conditions import load_json
from netweather.conditions.model import NetworkCondition
from netweather.errors import UsageError, unknown
from netweather.service.callers import READ, SET, Caller
from netweather.wire.condition_documents import PROBLEM
from netweather.wire.schema_types import Components, WireType

COMPONENTS: Final[Components] = {}
"""The named schemas of the OpenAPI: what the routes refer to."""
_FAILURES: Final = {
    400: "the request is wrong",
    401: "no token, or one that is not known",
    403: "not allowed",
    404: "no such condition, target or profile exists",
    405: "no such method",
    408: "the body took too long to arrive",
    409: "it belongs to another owner, or the target does not run",
    413: "the body is too large",
    415: "the body is not JSON",
    422: "it was understood, and could not be done; nothing was left behind",
    500: "the kernel or the agent failed; nothing was left behind",
    503: "the agent is busy: try again",
}


def failures(*codes: int) -> dict[int | str, dict[str, Any]]:
    """The answers of failures, for the OpenAPI."""
    always = (400, 401, 403, 405, 408, 413, 422, 500, 503)
    content = {MEDIA_TYPE: {"schema": PROBLEM.schema(COMPONENTS)}}
    return {code: {"description": _FAILURES[code], "content": content} for code in sorted({*always, *codes})}


def answers(description: str, what: WireType, *codes: int, media: str = "application/json") -> dict[int | str, dict[str, Any]]:
    """What a handler answers: 200 with a document of this type, or a failure."""
    return {200: {"description": description, "content": {media: {"schema": what.schema(COMPONENTS)}}}, **failures(*codes)}


def body(*types: WireType) -> dict[str, Any]:
    """What a handler reads: a document of one of these types, for the OpenAPI."""
    schemas = [each.schema(COMPONENTS) for each in types]
    schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def agent_of(request: Request) -> Agent:
    found: Agent = request.app.state.agent
    return found


def who(request: Request) -> Caller:
    """Who asks: the process at the other end of the Unix socket, or the bearer of a token. Raises no-token, not-allowed."""
    peer = getattr(request.state, "peer", None)
    if peer is not None:
        return of_peer(peer)
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise no_token("no token was given")
    return agent_of(request).tokens.principal(token.strip())


def reader(request: Request) -> Caller:
    """Who asks, and may look. Raises no-token, not-allowed."""
    found = who(request)
    found.need(READ)
    return found


def setter(request: Request) -> Caller:
    """Who asks, and may change something; of which target is seen when it is open. Raises no-token, not-allowed."""
    found = who(request)
    found.need(SET)
    return found


def known_parameters(request: Request) -> None:
    """A misspelt ?target= must not end everybody's conditions, nor one of two ?owner= be passed over.

    Raises UsageError unknown-parameter, repeated-parameter.
    """
    known = _parameters(request.scope["route"].dependant)
    for word in request.query_params:
        if word not in known:
            raise unknown("unknown-parameter", word[:100], known.keys(), request.url.path[:100])
        if len(request.query_params.getlist(word)) > 1 and not _is_list(known[word]):
            raise UsageError("repeated-parameter", f"{word} appears more than once", "it takes one value", "remove the others")


def _parameters(dependant: Any) -> dict[str, Any]:
    """The query parameters of a handler and of what it depends on, with the type of each."""
    found = {str(field.alias): field.field_info.annotation for field in dependant.query_params}
    for each in dependant.dependencies:
        found |= _parameters(each)
    return found


def _is_list(annotation: Any) -> bool:
    return any(get_origin(each) is list for each in (annotation, *get_args(annotation)))


OurAgent = Annotated[Agent, Depends(agent_of)]
Reader = Annotated[Caller, Depends(reader)]
Setter = Annotated[Caller, Depends(setter)]
Targets = Annotated[
    list[str] | None, Query(alias="target", description="a target such as docker:shop-api; repeatable", max_length=1000)
]


async def conditions_in(request: Request) -> tuple[NetworkCondition, ...]:
    """The network conditions in a request's body. Raises UsageError."""
    return load_json(await text_in(request))


async def text_in(request: Request) -> str:
    """The JSON in a request's body, as a text. Raises UsageError."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise UsageError(
            "not-json", "the request's body must be JSON", f"its Content-Type is {kind[:60]!r}", "send application/json"
        )
    try:
        return (await request.body()).decode()
    except UnicodeDecodeError as error:
        raise UsageError("bad-json", "the text is not JSON", "it is not UTF-8", "check it with a JSON parser") from error
