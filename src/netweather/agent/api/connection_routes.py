"""/v1/connections: what sockets a target has, and the end of some. Not here: reading them (engine.views.connections)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse

from netweather.agent.api.condition_routes import ConfirmHost
from netweather.agent.api.dependencies import OurAgent, Reader, Setter, answers, known_parameters
from netweather.conditions import Match, Rule, validate_rule
from netweather.conditions.language.flags import match_from_short
from netweather.engine import SocketFilter, TargetSockets
from netweather.wire.connection_documents import CONNECTION_ITEMS

router = APIRouter(prefix="/v1", dependencies=[Depends(known_parameters)], tags=["connections"])

TargetsQuery = Annotated[
    list[str], Query(alias="target", description="a target such as docker:shop-api; repeatable", max_length=1000)
]
MatchText = Annotated[str, Query(alias="match", description="which traffic, such as to=192.0.2.1,port=5432", max_length=10_000)]
Excluded = Annotated[list[str] | None, Query(alias="exclude", description="traffic that is not meant", max_length=100)]
States = Annotated[list[str] | None, Query(alias="state", description="only in this state, such as established", max_length=20)]
ConditionQuery = Annotated[str | None, Query(description="only connections that a rule of this condition matches", max_length=63)]
Listening = Annotated[bool, Query(description="also sockets without a peer")]


def which(
    match: MatchText = "", exclude: Excluded = None, states: States = None, condition: ConditionQuery = None,
) -> SocketFilter:  # fmt: skip
    """Chosen connections the query means. Raises UsageError."""
    meant = match_from_short(match, "match") if match else Match()
    others = tuple(match_from_short(text, "exclude") for text in exclude or ())
    for each in (meant, *others):
        validate_rule(Rule(each), "match")
    return SocketFilter(meant, others, tuple(states or ()), condition)


Meant = Annotated[SocketFilter, Depends(which)]


@router.get("/connections", summary="The connections of targets", responses=answers("by target", CONNECTION_ITEMS, 404, 409))
async def get_connections(
    agent: OurAgent, who: Reader, targets: TargetsQuery, meant: Meant, listening: Listening = False
) -> JSONResponse:
    """Each with its state, process, queues, what TCP knows of it, and the rules that its packets meet."""
    whole = SocketFilter(meant.match, meant.exclude, meant.states, meant.condition, listening)
    return _answer(await agent.for_targets(targets, agent.service(who).connections_of, targets, whole))


@router.delete(
    "/connections", summary="Reset connections", responses=answers("those that were ended", CONNECTION_ITEMS, 404, 409)
)
async def delete_connections(
    agent: OurAgent, who: Setter, targets: TargetsQuery, meant: Meant, confirm_host: ConfirmHost = False
) -> JSONResponse:
    """Either end gets an error, as of a network that forgot the connection. Something must say which ones are meant."""
    return _answer(await agent.for_targets(targets, agent.service(who).reset_on, targets, meant, host=confirm_host))


def _answer(found: list[TargetSockets]) -> JSONResponse:
    return JSONResponse(CONNECTION_ITEMS.write(found))
