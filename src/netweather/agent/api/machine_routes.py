"""The other paths of /v1: targets, profiles, doctor, verify, events, health, metrics."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from netweather.agent.api.dependencies import OurAgent, Reader, Setter, answers, known_parameters
from netweather.agent.events import Event, Listener
from netweather.conditions.profiles import builtin_profiles, find_profile
from netweather.engine.verification import VerifyOptions
from netweather.targets.runtimes.compose import Own
from netweather.wire.event_documents import EVENT, EVENT_STREAM
from netweather.wire.evidence_documents import EVIDENCE_ITEMS
from netweather.wire.machine_documents import DOCTOR, HEALTH, LISTINGS, PROFILE, PROFILES, REFERENCE
from netweather.wire.schema_types import TEXT

router = APIRouter(prefix="/v1", dependencies=[Depends(known_parameters)], tags=["machine"])

_BEAT_S: Final = 15.0
"""Between two signs of life to who follows the events, when nothing happens."""


class VerifyRequest(BaseModel):
    """What to verify: see `netweather verify`."""

    model_config = ConfigDict(extra="forbid", strict=True)
    target: Annotated[str, Field(min_length=1, max_length=1000, description="whose conditions")]
    name: Annotated[str | None, Field(max_length=63, description="this condition only")] = None
    to: Annotated[str | None, Field(max_length=1000, description="the peer to probe")] = None
    peer: Annotated[str | None, Field(max_length=1000, description="a peer target, to measure each direction separately")] = None
    samples: Annotated[int | None, Field(ge=10, le=1_000_000, description="packets each way")] = None


@router.get("/health", summary="Whether the agent is well", responses=answers("it is", HEALTH))
async def get_health(agent: OurAgent) -> JSONResponse:
    """For whoever watches the service; no token is needed."""
    return JSONResponse(HEALTH.write(agent))


@router.get("/targets", summary="List possible targets", responses=answers("containers and named namespaces", LISTINGS))
async def get_targets(agent: OurAgent, who: Reader) -> JSONResponse:
    """Runtimes that could not be asked are told in `problems`."""
    return JSONResponse(LISTINGS.write(await agent.in_thread(agent.targets)))


@router.get("/targets/complete", summary="A reference with an id in full", responses=answers("it", REFERENCE, 409))
async def complete_target(
    agent: OurAgent,
    who: Reader,
    target: Annotated[str, Query(min_length=1, max_length=1000)],
    project: Annotated[str, Query(max_length=200)] = "",
    only: bool = False,
) -> JSONResponse:
    """For command lines: everything else takes an id in full only. 12 hex digits of an id are needed; other words come back as they are.

    A compose service gets its project: `project`, when that has the service or `only` is set, else the only one that has it.
    """
    return JSONResponse(REFERENCE.write(await agent.in_thread(agent.service(who).complete, target, Own(project, only))))


@router.get("/profiles", summary="The profiles", responses=answers("all of them", PROFILES))
async def get_profiles(who: Reader) -> JSONResponse:
    """Named conditions, with their sources."""
    return JSONResponse(PROFILES.write(list(builtin_profiles().values())))


@router.get("/profiles/{name}", summary="One profile", responses=answers("it", PROFILE, 404))
async def get_profile(name: str, who: Reader) -> JSONResponse:
    """By its name or an alias."""
    return JSONResponse(PROFILE.write(find_profile(name)))


@router.get("/doctor", summary="What this kernel and host can do", responses=answers("each feature", DOCTOR))
async def get_doctor(agent: OurAgent, who: Reader) -> JSONResponse:
    """Everything is tried in a namespace that is gone afterwards."""
    report = await agent.for_targets(["doctor"], agent.doctor)  # a queue of its own: each takes seconds
    return JSONResponse(DOCTOR.write(report))


@router.post(
    "/verify", summary="Prove conditions", responses=answers("the evidence for each condition", EVIDENCE_ITEMS, 404, 409)
)
async def verify_conditions(wish: VerifyRequest, agent: OurAgent, who: Setter) -> JSONResponse:
    """Probe packets go through the very rules: about 10 seconds."""
    what = VerifyOptions(wish.name, wish.to, wish.peer, wish.samples)
    evidence = await agent.measured(agent.service(who).verify, wish.target, what)
    return JSONResponse(EVIDENCE_ITEMS.write(evidence))


@router.get(
    "/events",
    summary="What happens",
    response_class=StreamingResponse,
    responses=answers("until you disconnect", EVENT_STREAM, media="text/event-stream"),
)
async def get_events(agent: OurAgent, who: Reader) -> StreamingResponse:
    """As server-sent events, from now on. docs/reference/events.md lists their kinds."""
    return StreamingResponse(
        _stream(agent.events.listen()), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
    )


async def _stream(listener: Listener) -> AsyncIterator[bytes]:
    yield b": netweather\n\n"
    with listener:
        while True:
            try:
                event = await asyncio.wait_for(listener.next(), _BEAT_S)
            except TimeoutError:
                yield b": still here\n\n"
                continue
            if event is None:
                return
            yield _frame(event)


def _frame(event: Event) -> bytes:
    data = json.dumps(EVENT.write(event), ensure_ascii=False)
    return f"id: {event.number}\nevent: {event.kind}\ndata: {data}\n\n".encode()


@router.get(
    "/metrics", summary="Figures for Prometheus", response_class=Response, responses=answers("text", TEXT, media="text/plain")
)
async def get_metrics(agent: OurAgent, who: Reader) -> Response:
    """Requests, their times, targets kept, and the process itself."""
    text: bytes = await agent.in_thread(agent.metrics.text)
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")
