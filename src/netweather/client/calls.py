"""What is asked of an agent and what its answers mean, without sending anything: the same for both clients."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar
from urllib.parse import quote, urlencode

from netweather.errors import NetweatherError, UsageError

if TYPE_CHECKING:
    from netweather.conditions import NetworkCondition
    from netweather.conditions.scenario import Scenario
    from netweather.engine import SocketFilter, TargetSockets
    from netweather.engine.draining import DrainMode
    from netweather.engine.verification import VerifyOptions
    from netweather.engine.views.socket_stats import CounterSelection
    from netweather.measure import ConditionEvidence
    from netweather.results import Cleared, ConditionStatus, SetOutcome

T = TypeVar("T")
QUICK_S: Final = 60.0
"""For an answer: a target's lock may be waited for."""
LONG_S: Final = 120.0
"""For an answer to what is measured."""
PROOFS_S: Final = 3600.0
"""For an answer to what is measured on one target after the other, however many a reference names."""


@dataclass(frozen=True)
class Call(Generic[T]):
    """A request, and how its answer is read. document: None for no body."""

    method: str
    path: str
    read: Callable[[Any], T]
    query: list[tuple[str, str]] = field(default_factory=list)
    document: Any = None
    patience_s: float = QUICK_S

    @property
    def target(self) -> str:
        """Path and query, as HTTP has them."""
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path

    @property
    def body(self) -> bytes | None:
        """The document as JSON."""
        return None if self.document is None else json.dumps(self.document).encode()


def set_conditions(
    conditions: Sequence[NetworkCondition], *, dry_run: bool, host: bool, verify: bool = False
) -> Call[list[SetOutcome]]:
    from netweather.wire.condition_documents import CONDITIONS, DONE_LIST

    query = [("dryRun", "true")] * dry_run + [("confirmHost", "true")] * host + [("verify", "true")] * verify

    return Call("PUT", "/v1/conditions", DONE_LIST.read, query, CONDITIONS.write(conditions), PROOFS_S if verify else QUICK_S)


def show(references: Sequence[str], *, lived: bool = False) -> Call[list[ConditionStatus]]:
    def read(answer: Any) -> list[ConditionStatus]:
        from netweather.wire.condition_documents import SHOWN_LIST

        return SHOWN_LIST.read(answer)

    return Call("GET", "/v1/conditions", read, _targets(references) + [("lived", "true")] * lived)


def clear(references: Sequence[str], name: str | None, owner: str | None, held: DrainMode = "drain") -> Call[list[Cleared]]:
    def read(answer: Any) -> list[Cleared]:
        from netweather.wire.condition_documents import CLEARED_ITEMS

        return CLEARED_ITEMS.read(answer)

    query = _targets(references) + ([("owner", owner)] if owner is not None else [])
    query += {"wait": [("wait", "true")], "drop": [("now", "true")]}.get(held, [])
    return Call("DELETE", "/v1/conditions" + (f"/{_segment(name)}" if name is not None else ""), read, query)


def complete(reference: str) -> Call[str]:
    """A compose service is of the project that the caller's folder says."""
    from netweather.targets.references import lacks_project

    own: list[tuple[str, str]] = []
    if lacks_project(reference):
        from netweather.targets.runtimes.compose import Own

        here = Own.here()
        own = [("project", here.project), ("only", str(here.only).lower())] if here.project else []

    def read(answer: Any) -> str:
        return str(answer["reference"])

    return Call("GET", "/v1/targets/complete", read, [*_targets([reference]), *own])


def verify(reference: str, wish: VerifyOptions | None) -> Call[list[ConditionEvidence]]:
    document = {"target": reference, **{key: getattr(wish, key, None) for key in ("name", "to", "peer", "samples")}}

    def read(answer: Any) -> list[ConditionEvidence]:
        from netweather.wire.evidence_documents import EVIDENCE_ITEMS

        return EVIDENCE_ITEMS.read(answer)

    return Call("POST", "/v1/verify", read, [], document, LONG_S)


def connections(references: Sequence[str], which: SocketFilter | None) -> Call[list[TargetSockets]]:
    return Call("GET", "/v1/connections", _all_listed, _targets(references) + _which(which))


def reset(references: Sequence[str], which: SocketFilter, *, host: bool) -> Call[list[TargetSockets]]:
    query = _targets(references) + _which(which) + [("confirmHost", "true")] * host
    return Call("DELETE", "/v1/connections", _all_listed, query)


def begin_stats(reference: str, wanted: CounterSelection | None) -> Call[dict[str, Any]]:
    from netweather.engine.views.socket_stats import CounterSelection

    wanted = wanted or CounterSelection()
    document = {"target": reference, "only": wanted.words, "byProcess": wanted.by_process}
    return Call("POST", "/v1/stats", _as_it_comes, [], document)


def read_stats(number: str) -> Call[dict[str, Any]]:
    return Call("GET", f"/v1/stats/{_segment(number)}", _as_it_comes)


def end_stats(number: str) -> Call[dict[str, Any]]:
    return Call("DELETE", f"/v1/stats/{_segment(number)}", _as_it_comes)


def _all_listed(answer: Any) -> list[TargetSockets]:
    from netweather.wire.connection_documents import CONNECTION_ITEMS

    return CONNECTION_ITEMS.read(answer)


def _which(which: SocketFilter | None) -> list[tuple[str, str]]:
    """As the API spells which connections are meant."""
    if which is None:
        return []
    from netweather.conditions import Match
    from netweather.conditions.language.flags import match_to_short

    words = [("match", match_to_short(which.match))] if which.match != Match() else []
    words += [("exclude", match_to_short(each)) for each in which.exclude]
    words += [("state", state) for state in which.states]
    words += [("condition", which.condition)] if which.condition is not None else []
    return words + [("listening", "true")] * which.listening


def run_scenario(scenario: Scenario) -> Call[dict[str, Any]]:
    from netweather.conditions.scenario import dump_scenario

    return Call("PUT", f"/v1/scenarios/{_segment(scenario.name)}", _as_it_comes, [], dump_scenario(scenario))


def turn_scenario(name: str, how: str) -> Call[dict[str, Any]]:
    """how: "pause", "resume" or "stop"."""
    if how == "stop":
        return Call("DELETE", f"/v1/scenarios/{_segment(name)}", _as_it_comes)
    return Call("POST", f"/v1/scenarios/{_segment(name)}/{how}", _as_it_comes)


def scenarios(name: str | None) -> Call[list[dict[str, Any]]]:
    if name is not None:
        return Call("GET", f"/v1/scenarios/{_segment(name)}", lambda answer: [answer])
    return Call("GET", "/v1/scenarios", lambda answer: list(answer["items"]))


def _as_it_comes(answer: Any) -> dict[str, Any]:
    return dict(answer)


def plain(path: str) -> Call[Any]:
    """What is read as it comes: health, targets, profiles, doctor."""
    return Call("GET", f"/v1/{path}", lambda answer: answer, [], None, LONG_S)


def answered(call: Call[T], status: int, content: bytes) -> T:
    """What an answer means. Raises the NetweatherError that it tells, or agent-answer for what can't be understood."""
    try:
        body = json.loads(content)
        if status < 400:
            return call.read(body)
        kind = UsageError if status == 400 else NetweatherError
        error = kind.from_problem(body)
    except (KeyError, TypeError, ValueError, AttributeError, UsageError) as wrong:
        raise NetweatherError(
            "agent-answer", f"the agent's answer to {call.method} {call.path} cannot be parsed", repr(wrong)[:200],
            "use the same version of Netweather on both sides",
        ) from wrong  # fmt: skip
    raise error


def _targets(references: Sequence[str]) -> list[tuple[str, str]]:
    return [("target", reference) for reference in references]


def _segment(name: str) -> str:
    """A name as a part of a path: nothing in it can be another path."""
    return quote(name, safe="")
