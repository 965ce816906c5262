"""/v1/stats: what a target's sockets do, counted for as long as somebody reads it. Not here: the watches themselves (watches)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from netweather.agent.api.dependencies import OurAgent, Reader, answers, known_parameters
from netweather.engine.views.socket_stats import CounterSelection
from netweather.wire.stats_documents import SESSION

router = APIRouter(prefix="/v1", dependencies=[Depends(known_parameters)], tags=["stats"])

Number = Annotated[str, Path(description="the number that POST returned", pattern=r"^[0-9a-f]{16}$")]


class StatsRequest(BaseModel):
    """What to count: see `netweather stats`."""

    model_config = ConfigDict(extra="forbid", strict=True)
    target: Annotated[str, Field(min_length=1, max_length=1000, description="whose sockets")]
    only: Annotated[str | None, Field(max_length=1000, description="send, receive, connect, tcp, or calls by name")] = None
    by_process: Annotated[bool, Field(alias="byProcess", description="and which process did it")] = False


@router.post(
    "/stats", summary="Start a statistics session", responses=answers("begun; nothing is counted yet", SESSION, 404, 409)
)
async def post_stats(wanted: StatsRequest, agent: OurAgent, who: Reader) -> JSONResponse:
    """By programs on the kernel's tracepoints, until it is ended, or nobody has read it for `leaseSeconds`."""
    meant = CounterSelection.parse(wanted.only, by_process=wanted.by_process)
    return JSONResponse(await agent.in_thread(agent.watches.begin, who, wanted.target, meant))


@router.get("/stats/{number}", summary="What was counted", responses=answers("since the beginning", SESSION, 404))
async def get_stats(number: Number, agent: OurAgent, who: Reader) -> JSONResponse:
    """An item for each target, as `netweather stats --json` prints it. Who reads renews the lease."""
    return JSONResponse(await agent.in_thread(agent.watches.read, who, number))


@router.delete("/stats/{number}", summary="End counting", responses=answers("ended: the last reading", SESSION, 404))
async def delete_stats(number: Number, agent: OurAgent, who: Reader) -> JSONResponse:
    """The programs are gone on return."""
    return JSONResponse(await agent.in_thread(agent.watches.end, who, number))
