"""/v1/conditions: set, looked at, ended."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, replace
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import JSONResponse

from netweather.agent.agent import Agent
from netweather.agent.api.dependencies import OurAgent, Reader, Setter, Targets, answers, body, conditions_in, known_parameters
from netweather.agent.api.problem_responses import as_netweather
from netweather.conditions import NetworkCondition
from netweather.engine.draining import DrainMode
from netweather.errors import UsageError
from netweather.results import Cleared, SetOutcome
from netweather.service.callers import Caller
from netweather.service.end_conditions import no_such_condition
from netweather.wire.condition_documents import CLEARED_ITEMS, CONDITION, CONDITIONS, DONE, DONE_LIST, SHOWN_LIST

router = APIRouter(prefix="/v1", dependencies=[Depends(known_parameters)], tags=["conditions"])

_NAME: Final = r"^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$"
_PATIENCE_S: Final = 2.0
ConditionName = Annotated[str, Path(description="the condition's name", pattern=_NAME)]
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


@router.put(
    "/conditions", summary="Put conditions in force", openapi_extra=body(CONDITION, CONDITIONS),
    responses=answers("in force, and read back", DONE_LIST, 404, 409, 415),
)  # fmt: skip
async def put_conditions(request: Request, agent: OurAgent, who: Setter, how: Annotated[How, Depends()]) -> JSONResponse:
    """All of them on all of their targets, or nothing."""
    conditions = await conditions_in(request)
    if not conditions or not all(each.targets for each in conditions):
        raise _no_target()
    return JSONResponse(DONE_LIST.write(await _set(request, agent, who, conditions, how)))


@router.put(
    "/conditions/{name}", summary="Put a condition in force", openapi_extra=body(CONDITION),
    responses=answers("in force, and read back", DONE, 404, 409, 415),
)  # fmt: skip
async def put_condition(
    name: ConditionName, request: Request, agent: OurAgent, who: Setter, how: Annotated[How, Depends()]
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
    (done,) = await _set(request, agent, who, named, how)
    return JSONResponse(DONE.write(done))


async def _set(
    request: Request,
    agent: Agent,
    who: Caller,
    conditions: Sequence[NetworkCondition],
    how: How,
) -> list[SetOutcome]:
    loop = asyncio.get_running_loop()

    def gone() -> bool:  # asked by the thread that measures; a loop that doesn't answer ends with the agent
        try:
            return asyncio.run_coroutine_threadsafe(request.is_disconnected(), loop).result(_PATIENCE_S)
        except (TimeoutError, CancelledError, RuntimeError):
            return True

    def put() -> list[SetOutcome]:
        service = agent.service(replace(who, gone=gone))
        return service.set(conditions, dry_run=how.dry_run, host=how.confirm_host, verify=how.verify)

    if how.verify and not how.dry_run:
        return await agent.measured(put)
    return await agent.for_targets((word for each in conditions for word in each.targets), put)


@router.get(
    "/conditions",
    summary="The conditions in force",
    responses=answers("one item for each condition and target", SHOWN_LIST, 404, 409),
)
async def get_conditions(agent: OurAgent, who: Reader, targets: Targets = None, lived: Lived = False) -> JSONResponse:
    """On these targets, or on all; with what each rule met, and the time left."""
    return JSONResponse(
        SHOWN_LIST.write(await agent.for_targets(targets or (), agent.service(who).show, targets or (), lived=lived))
    )


@router.get("/conditions/{name}", summary="One condition", responses=answers("one item for each target", SHOWN_LIST, 404, 409))
async def get_condition(
    name: ConditionName, agent: OurAgent, who: Reader, targets: Targets = None, lived: Lived = False
) -> JSONResponse:
    """On these targets, or wherever it is in force."""
    shown = await agent.for_targets(targets or (), agent.service(who).show, targets or (), lived=lived)
    found = [each for each in shown if each.condition.name == name]
    if not found:
        raise no_such_condition(name)
    return JSONResponse(SHOWN_LIST.write(found))


@router.delete("/conditions", summary="End conditions", responses=answers("what ended, by target", CLEARED_ITEMS, 404, 409))
async def delete_conditions(
    agent: OurAgent, who: Setter, targets: Targets = None, owner: Owner = None, wait: Wait = False, now: Now = False
) -> JSONResponse:
    """All on these targets, or all on this machine: root's ends everybody's, others end their own. Traffic is normal on return."""
    held = _held(wait=wait, now=now)
    return _cleared(await agent.clear(who, targets or (), None, owner, held))


@router.delete(
    "/conditions/{name}", summary="End a condition", responses=answers("what ended, by target", CLEARED_ITEMS, 404, 409)
)
async def delete_condition(
    name: ConditionName,
    agent: OurAgent,
    who: Setter,
    targets: Targets = None,
    owner: Owner = None,
    wait: Wait = False,
    now: Now = False,
) -> JSONResponse:
    """On these targets, or wherever it is in force. Traffic is normal on return; the agent removes devices in the background."""
    held = _held(wait=wait, now=now)
    return _cleared(await agent.clear(who, targets or (), name, owner, held))


def _held(*, wait: bool, now: bool) -> DrainMode:
    if wait and now:
        raise UsageError(
            "conflicting-flags",
            "wait and now are both given",
            "now drops held packets, and wait waits until they are sent",
            "leave one of them out",
        )
    return "wait" if wait else "drop" if now else "drain"


def _cleared(answers: Sequence[Cleared]) -> JSONResponse:
    known = [each if each.problem is None else replace(each, problem=as_netweather(each.problem)) for each in answers]
    return JSONResponse(CLEARED_ITEMS.write(known))


def _no_target() -> UsageError:
    return UsageError(
        "missing-target", "a condition names no target", "spec.targets is empty", "name one, such as docker:shop-api"
    )
