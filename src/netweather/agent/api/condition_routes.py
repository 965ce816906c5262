"""/v1/conditions: set, looked at, ended."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import JSONResponse

from netweather.agent.agent import Agent
from netweather.agent.api.dependencies import OurAgent, Reader, Setter, Targets, answers, conditions_in, known_parameters
from netweather.agent.api.problem_responses import as_netweather
from netweather.conditions import NetworkCondition
from netweather.conditions.language.schema import json_schema
from netweather.engine.draining import Held
from netweather.errors import UsageError
from netweather.json_documents import done_document, shown_document
from netweather.results import Cleared
from netweather.service import LocalService
from netweather.service.callers import Caller
from netweather.service.end_conditions import no_such_condition

router = APIRouter(prefix="/v1", dependencies=[Depends(known_parameters)], tags=["conditions"])

_CONDITION: Final = {key: value for key, value in json_schema().items() if not key.startswith("$")}
_LIST: Final = {
    "type": "object",
    "properties": {"apiVersion": {"const": "v1"}, "kind": {"const": "List"}, "items": {"type": "array", "items": _CONDITION}},
    "required": ["apiVersion", "kind", "items"],
}
_CLEARED: Final = {
    "type": "object",
    "properties": {
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "target": {"type": "string"},
                    "cleared": {"type": "array", "items": {"type": "string"}},
                    "drainingPackets": {"type": "integer"},
                    "droppedPackets": {"type": "integer"},
                    "problem": {"type": "object"},
                },
                "required": ["target", "cleared"],
            },
        }
    },
    "required": ["items"],
}
_NAME: Final = r"^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$"
_PATIENCE_S: Final = 2.0
Name = Annotated[str, Path(description="the condition's name", pattern=_NAME)]
Lived = Annotated[bool, Query(description="with a summary of the TCP connections of each rule, from the kernel")]
ConfirmHost = Annotated[bool, Query(alias="confirmHost", description="the target `host` is meant")]
Wait = Annotated[bool, Query(description="return when no packet is held (after at most 10 s) and all devices are removed")]
Now = Annotated[bool, Query(description="drop the packets that emulated links hold, and remove all devices before returning")]
Owner = Annotated[str | None, Query(description="only this owner's", max_length=253)]


@dataclass(frozen=True)
class How:
    """How conditions are to be set: the query of both handlers that do it."""

    dry_run: Annotated[bool, Query(alias="dryRun", description="only plan: nothing is touched")] = False
    confirm_host: ConfirmHost = False
    verify: Annotated[bool, Query(description="measure the effect (about 10 s per target), and undo the change on FAIL")] = False


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


@router.put(
    "/conditions", summary="Put conditions in force", openapi_extra=_body({"anyOf": [_CONDITION, _LIST]}),
    responses=answers("in force, and read back", _LIST, 404, 409, 415),
)  # fmt: skip
async def put_conditions(request: Request, agent: OurAgent, who: Setter, how: Annotated[How, Depends()]) -> JSONResponse:
    """All of them on all of their targets, or nothing."""
    conditions = await conditions_in(request)
    if not conditions or not all(each.targets for each in conditions):
        raise _no_target()
    documents = await _set(request, agent, who, conditions, how)
    return JSONResponse(_as_list(documents))


@router.put(
    "/conditions/{name}", summary="Put a condition in force", openapi_extra=_body(_CONDITION),
    responses=answers("in force, and read back", _CONDITION, 404, 409, 415),
)  # fmt: skip
async def put_condition(
    name: Name, request: Request, agent: OurAgent, who: Setter, how: Annotated[How, Depends()]
) -> JSONResponse:
    """On all of the targets that it names, or none. The same again is no change; another replaces it without losing a packet."""
    conditions = await conditions_in(request)
    if len(conditions) != 1 or conditions[0].name not in (name, "default"):
        raise UsageError(
            "bad-name", f"the body is not one condition named {name!r}", "", "use the name in the path, or leave the name out"
        )
    if not conditions[0].targets:
        raise _no_target()
    named = [replace(conditions[0], name=name)]
    documents = await _set(request, agent, who, named, how)
    return JSONResponse(documents[0])


async def _set(
    request: Request,
    agent: Agent,
    who: Caller,
    conditions: Sequence[NetworkCondition],
    how: How,
) -> list[dict[str, Any]]:
    loop = asyncio.get_running_loop()

    def gone() -> bool:  # asked by the thread that measures; a loop that doesn't answer ends with the agent
        try:
            return asyncio.run_coroutine_threadsafe(request.is_disconnected(), loop).result(_PATIENCE_S)
        except (TimeoutError, CancelledError, RuntimeError):
            return True

    def put() -> list[dict[str, Any]]:
        service = agent.service(replace(who, gone=gone))
        done = service.set(conditions, dry_run=how.dry_run, host=how.confirm_host, verify=how.verify)
        now = datetime.now().astimezone()
        return [done_document(each, now, dry_run=how.dry_run) for each in done]

    return await (agent.measured if how.verify and not how.dry_run else agent.in_thread)(put)


@router.get(
    "/conditions", summary="The conditions in force", responses=answers("one item for each condition and target", _LIST, 404, 409)
)
async def get_conditions(agent: OurAgent, who: Reader, targets: Targets = None, lived: Lived = False) -> JSONResponse:
    """On these targets, or on all; with what each rule met, and the time left."""
    return JSONResponse(_as_list(await agent.in_thread(_shown, agent.service(who), targets or (), lived=lived)))


@router.get("/conditions/{name}", summary="One condition", responses=answers("one item for each target", _LIST, 404, 409))
async def get_condition(name: Name, agent: OurAgent, who: Reader, targets: Targets = None, lived: Lived = False) -> JSONResponse:
    """On these targets, or wherever it is in force."""
    found = await agent.in_thread(_shown, agent.service(who), targets or (), name, lived=lived)
    if not found:
        raise no_such_condition(name)
    return JSONResponse(_as_list(found))


def _shown(
    service: LocalService, targets: Sequence[str], name: str | None = None, *, lived: bool = False
) -> list[dict[str, Any]]:
    now = datetime.now().astimezone()
    return [shown_document(each, now) for each in service.show(targets, lived=lived) if name in (None, each.condition.name)]


@router.delete("/conditions", summary="End conditions", responses=answers("what ended, by target", _CLEARED, 404, 409))
async def delete_conditions(
    agent: OurAgent, who: Setter, targets: Targets = None, owner: Owner = None, wait: Wait = False, now: Now = False
) -> JSONResponse:
    """All on these targets, or all on this machine: root's ends everybody's, others end their own. Traffic is normal on return."""
    held = _held(wait=wait, now=now)
    return _cleared(await agent.clear(who, targets or (), None, owner, held))


@router.delete("/conditions/{name}", summary="End a condition", responses=answers("what ended, by target", _CLEARED, 404, 409))
async def delete_condition(
    name: Name, agent: OurAgent, who: Setter, targets: Targets = None, owner: Owner = None, wait: Wait = False, now: Now = False
) -> JSONResponse:
    """On these targets, or wherever it is in force. Traffic is normal on return; the agent removes devices in the background."""
    held = _held(wait=wait, now=now)
    return _cleared(await agent.clear(who, targets or (), name, owner, held))


def _held(*, wait: bool, now: bool) -> Held:
    if wait and now:
        raise UsageError(
            "conflicting-flags",
            "wait and now are both given",
            "now drops the packets that wait would let out",
            "leave one of them out",
        )
    return "wait" if wait else "drop" if now else "drain"


def _as_list(documents: list[dict[str, Any]]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "List", "items": documents}


def _cleared(answers: Sequence[Cleared]) -> JSONResponse:
    items = []
    for each in answers:
        item: dict[str, Any] = {"target": each.target, "cleared": list(each.names), **each.held}
        if each.problem is not None:
            item["problem"] = as_netweather(each.problem).as_problem()
        items.append(item)
    return JSONResponse({"items": items})


def _no_target() -> UsageError:
    return UsageError(
        "missing-target", "a condition names no target", "spec.targets is empty", "name one, such as docker:shop-api"
    )
