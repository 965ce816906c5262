"""Documents of conditions and back; times; what the OpenAPI refers to."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import jsonschema
import pytest

from netweather.conditions import load
from netweather.errors import NetweatherError
from netweather.results import Cleared, ConditionStatus, Experienced, RuleCounters, SetOutcome, SetResult, TargetRef
from netweather.wire.condition_documents import CLEARED, DONE, DONE_LIST, PROBLEM, SHOWN, expiry, one_or_list
from netweather.wire.schema_types import WireType

NOW = datetime(2026, 7, 1, 12, 0, 0, 400_000, tzinfo=timezone(timedelta(hours=2)))
TARGET = TargetRef("netns:a", "a", 1, 2, None, None, "netns")
CONDITION = load(
    {
        "name": "slow",
        "targets": ["netns:a"],
        "rules": [{"ports": [22], "condition": {"delay": "10ms"}}, {"condition": {"loss": "1%"}}],
    }
)
FOREVER = load({"name": "slow", "targets": ["netns:a"], "lease": "forever", "rules": [{"condition": {"delay": "10ms"}}]})
COUNTED = (RuleCounters(1, 100, 0), RuleCounters(2, 200, 1, loss=1, marked=None))
LIVED = (None, Experienced(3, 2, 10_000, 11_000, 4, None, 1e6, 2e6))
PLANNED = SetResult(TARGET, CONDITION, (), True, {"db": ("192.0.2.1",)}, ("eth0",), ("a note",), ("pump",), ("make it",))
ENDLESS = ConditionStatus(
    TARGET, CONDITION, None, False, ("no",), (), {"db": ("192.0.2.1",)}, COUNTED, 3, "netem", ("n",), 2, "clsact", ("n",), LIVED
)
VALUES = [
    (SHOWN, ConditionStatus(TARGET, CONDITION, 60 * 10**9, True, (), ("eth0",), {}, COUNTED, 0, "pump")),
    (SHOWN, ENDLESS),
    (DONE, SetOutcome(CONDITION, (SetResult(TARGET, CONDITION, (), False, {}, ()),))),
    (DONE, SetOutcome(CONDITION, (PLANNED,), dry_run=True)),
    (DONE, SetOutcome(FOREVER, ())),
    (CLEARED, Cleared("netns:a", ("slow",))),
    (CLEARED, Cleared("netns:a", (), None, 3, 4)),
]  # fmt: skip


@pytest.mark.parametrize(("document", "value"), VALUES)
def test_a_document_and_back(document: WireType, value: Any) -> None:
    plain = json.loads(json.dumps(document.write(value)))
    assert document.read(plain) == value
    components: dict[str, Any] = {}
    jsonschema.validate(plain, {**document.schema(components), "components": {"schemas": components}})


@pytest.mark.parametrize(("document", "value"), VALUES)
def test_whatever_is_missing_is_an_error(document: WireType, value: Any) -> None:
    """So that the client says that the agent's answer cannot be parsed."""
    plain = document.write(value)
    with pytest.raises((KeyError, TypeError)):
        document.read({key: each for key, each in plain.items() if key not in ("status", "target")})


def test_a_problem() -> None:
    plain = CLEARED.write(Cleared("netns:a", (), NetweatherError("busy", "t", "d", "r")))
    assert (plain["problem"]["code"], plain["problem"]["title"]) == ("busy", "t")
    error = CLEARED.read(plain).problem
    assert isinstance(error, NetweatherError)
    assert PROBLEM.write(error) == plain["problem"]


def test_what_is_left_out() -> None:
    shown, done = (document.write(value)["status"] for document, value in (VALUES[0], VALUES[2]))
    assert "experienced" not in shown["rules"][0]
    assert "evidence" not in done
    assert "plan" not in done["targets"][0]
    assert CLEARED.write(Cleared("netns:a", ())) == {"target": "netns:a", "cleared": []}


def test_the_end_of_a_lease_is_in_utc_and_does_not_flicker() -> None:
    assert expiry(600 * 10**9, NOW) == datetime(2026, 7, 1, 10, 10, tzinfo=UTC)
    later = NOW.astimezone(UTC) + timedelta(seconds=10.03)
    assert expiry(600 * 10**9 - 10_030_000_000, later) == datetime(2026, 7, 1, 10, 10, tzinfo=UTC)
    status = DONE.write(SetOutcome(CONDITION, ()))["status"]
    assert (status["expiresAt"][-1], status["remainingSeconds"]) == ("Z", 600.0)


def test_for_ever_has_no_end() -> None:
    status = DONE.write(SetOutcome(FOREVER, ()))["status"]
    assert (status["expiresAt"], status["remainingSeconds"]) == (None, None)


def test_one_document_or_a_list() -> None:
    one = DONE.write(SetOutcome(FOREVER, ()))
    assert one_or_list(DONE_LIST, [SetOutcome(FOREVER, ())]) == one
    assert one_or_list(DONE_LIST, [SetOutcome(FOREVER, ())] * 2) == {"apiVersion": "v1", "kind": "List", "items": [one, one]}
