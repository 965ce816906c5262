"""Documents of scenarios, with how far each has been played. A client hands them on as they come: nothing reads them into classes."""

from __future__ import annotations

from typing import Any, Final, get_args

from netweather.conditions.scenario import Scenario, dump_scenario, load_scenario
from netweather.engine.scenario_runner import Player, ScenarioState
from netweather.wire.condition_documents import PROBLEM, LanguageDocument, WithStatus
from netweather.wire.schema_types import NUMBER, TEXT, WHOLE, ListOf, ObjectType, choice, computed, items

SCENARIO: Final = LanguageDocument("Scenario", lambda: Scenario, dump_scenario, load_scenario)

_IN_FORCE: Final[ObjectType[Any]] = ObjectType(
    "StepInForce",
    "A condition that a scenario has set.",
    dict,
    {"target": computed(TEXT, lambda key: key[0]), "name": computed(TEXT, lambda key: key[1])},
)
_STATUS: Final[ObjectType[Any]] = ObjectType(
    "ScenarioStatus",
    "A scenario, and how far it has been played.",
    dict,
    {
        "state": computed(choice(*get_args(ScenarioState)), lambda player: player.progress.state),
        "atSeconds": computed(NUMBER, lambda player: round(player.progress.at, 3), "since the start of the round"),
        "round": computed(WHOLE, lambda player: player.progress.round, "from 1"),
        "inForce": computed(ListOf(_IN_FORCE), lambda player: player.progress.in_force),
        "why": computed(TEXT, lambda player: player.progress.why, "the reason of its end, unless that is a problem", default=""),
        "problem": computed(PROBLEM, lambda player: player.progress.problem, "the reason of its failure", default=None),
        "secondsOfARound": computed(NUMBER, lambda player: player.timeline.length / 1e9),
    },
)
PLAYED: Final[WithStatus[Player]] = WithStatus("PlayedScenario", SCENARIO, "scenario", _STATUS)
PLAYED_ITEMS: Final = items(PLAYED, "PlayedScenarioItems", "Scenarios that are played now, and the last ones that were.")
