"""`set --wait`: stay in the foreground until the lease ends, something else ends it, or a signal comes; then clear."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from netweather.cli.output import remark
from netweather.cli.problems import as_netweather
from netweather.cli.signals import Stopped, ignore, stopped_by_signals
from netweather.errors import NetweatherError, has_ended, target_is_gone
from netweather.kernel.waiting import pause

if TYPE_CHECKING:
    from netweather.conditions import NetworkCondition
    from netweather.results import Cleared, SetOutcome
    from netweather.service import Service

_LOOK_S: Final = 1.0


def set_and_wait(
    service: Service,
    conditions: list[NetworkCondition],
    put: Callable[[], list[SetOutcome]],
    tell: Callable[[list[SetOutcome]], None],
) -> list[SetOutcome]:
    """Calls `put` (which leaves nothing when it fails), tells what came of it, waits, and clears it, however the waiting ends.

    Returns what `put` did; nothing when a signal came before its end.
    """
    done: list[SetOutcome] | None = None
    with stopped_by_signals():
        try:
            done = put()
            tell(done)
            _wait(service, conditions)
        except Stopped:
            pass
        finally:
            ignore()
            if done is not None:
                _clear(service, conditions)
    return done or []


def _wait(service: Service, conditions: list[NetworkCondition]) -> None:
    """Until none of it is in force any more: the lease is over, somebody cleared it, or the targets are gone."""
    sys.stdout.flush()  # who reads a pipe is to know now what was set
    remark("waiting", "until the lease ends; Ctrl-C clears it now")
    while _remains(service, conditions):
        pause(_LOOK_S)


def _remains(service: Service, conditions: list[NetworkCondition]) -> bool:
    try:
        return any(
            shown.condition.name == one.name and shown.remaining_ns != 0
            for one in conditions
            for shown in service.show(one.targets)
        )
    except NetweatherError as error:
        if target_is_gone(error):
            return False
        raise


def _clear(service: Service, conditions: list[NetworkCondition]) -> None:
    """Clears what is still there; all of it is tried, and the first failure raised."""
    failure: NetweatherError | None = None
    cleared: list[str] = []
    for one in conditions:
        for answer in _cleared(service, one):
            cleared += [f"{name!r} on {answer.label}" for name in answer.names]
            if answer.problem is not None and not has_ended(answer.problem):
                failure = failure or as_netweather(answer.problem)
    if failure is not None:
        raise failure
    if cleared:
        remark("cleared", ", ".join(cleared))
    else:
        remark("ended", "the condition is not in force any more: its lease has ended, or it was cleared")


def _cleared(service: Service, condition: NetworkCondition) -> list[Cleared]:
    from netweather.results import Cleared

    try:
        return service.clear(condition.targets, condition.name)
    except NetweatherError as error:
        return [Cleared(", ".join(condition.targets), (), error)]
