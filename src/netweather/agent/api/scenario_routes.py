"""/v1/scenarios: played, looked at, held, ended. Not here: playing them (service.played_scenarios)."""

from __future__ import annotations

from dataclasses import replace

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from netweather.agent.api.condition_routes import ConditionName
from netweather.agent.api.dependencies import OurAgent, Reader, Setter, answers, body, known_parameters, text_in
from netweather.conditions.scenario import load_scenario_json
from netweather.errors import UsageError
from netweather.wire.scenario_documents import PLAYED, PLAYED_ITEMS, SCENARIO

router = APIRouter(prefix="/v1", dependencies=[Depends(known_parameters)], tags=["scenarios"])


@router.put(
    "/scenarios/{name}", summary="Play a scenario", openapi_extra=body(SCENARIO),
    responses=answers("its first moment is in force", PLAYED, 404, 409, 415),
)  # fmt: skip
async def put_scenario(name: ConditionName, request: Request, agent: OurAgent, who: Setter) -> JSONResponse:
    """From its start. One of that name that is being played is to be stopped first."""
    scenario = load_scenario_json(await text_in(request))
    if scenario.name not in (name, "scenario"):
        raise UsageError(
            "bad-name", f"the body is not a scenario named {name!r}", "", "use the name in the path, or leave the name out"
        )
    return JSONResponse(await agent.in_thread(agent.service(who).run_scenario, replace(scenario, name=name)))


@router.get("/scenarios", summary="The scenarios", responses=answers("those played now, and the last that were", PLAYED_ITEMS))
async def get_scenarios(agent: OurAgent, who: Reader) -> JSONResponse:
    """With where each stands."""
    return JSONResponse({"items": await agent.in_thread(agent.service(who).scenarios)})


@router.get("/scenarios/{name}", summary="One scenario", responses=answers("its state", PLAYED, 404))
async def get_scenario(name: ConditionName, agent: OurAgent, who: Reader) -> JSONResponse:
    """Played now, or not long ago."""
    return JSONResponse((await agent.in_thread(agent.service(who).scenarios, name))[0])


@router.delete("/scenarios/{name}", summary="Stop a scenario", responses=answers("its conditions were cleared", PLAYED, 404, 409))
async def delete_scenario(name: ConditionName, agent: OurAgent, who: Setter) -> JSONResponse:
    """Returns when nothing of it is in force any more."""
    return JSONResponse(await agent.in_thread(agent.service(who).turn_scenario, name, "stop"))


@router.post("/scenarios/{name}/pause", summary="Pause a scenario", responses=answers("it stands", PLAYED, 404, 409))
async def pause_scenario(name: ConditionName, agent: OurAgent, who: Setter) -> JSONResponse:
    """The timeline stands still, and what is in force stays."""
    return JSONResponse(await agent.in_thread(agent.service(who).turn_scenario, name, "pause"))


@router.post("/scenarios/{name}/resume", summary="Go on with a scenario", responses=answers("it continues", PLAYED, 404, 409))
async def resume_scenario(name: ConditionName, agent: OurAgent, who: Setter) -> JSONResponse:
    """From where it stood."""
    return JSONResponse(await agent.in_thread(agent.service(who).turn_scenario, name, "resume"))
