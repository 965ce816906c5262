"""The suite itself: what of the language it covers, that every kind of expectation can fail, how seldom it fails by chance, and
that its models are what the formulas say."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from netweather.conditions import LOSS_MODELS, Condition, LossGemodel, LossState
from netweather.conditions.distributions import table_of
from netweather.conditions.estimates.effects import correlated_share, mean_loss
from netweather.conditions.model import DISTRIBUTIONS
from netweather.units import Percent
from tests.fidelity import model
from tests.fidelity.cases import Case, all_cases, write_files
from tests.fidelity.kinds import KINDS
from tests.support.statistics import ALPHA

CASES = [case for case in all_cases() if not case.refused]
PLANTED = [case for case in all_cases() if case.refused]
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "fidelity.md"


def test_there_are_enough_cases_and_each_has_a_name_of_its_own() -> None:
    assert len(CASES) >= 120
    assert len({case.name for case in all_cases()}) == len(all_cases())


def test_false_alarms_are_rarer_than_one_in_a_million_runs_of_the_suite() -> None:
    assert sum(case.chances for case in CASES) * ALPHA < 1e-6


def test_every_kind_of_expectation_is_shown_to_fail() -> None:
    assert {case.refused for case in PLANTED} | {"intact"} == set(KINDS)  # bytes that TCP changes can't be planted


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("files")
    write_files(made)
    return made


@pytest.mark.parametrize("case", all_cases(), ids=lambda case: case.name)
def test_a_case_makes_sense(case: Case, folder: Path) -> None:
    case.rule(folder)
    assert {KINDS[name].of for name in case.expect} <= {case.traffic.kind}
    assert case.expect


def test_the_whole_language_is_covered(folder: Path) -> None:
    """Every field, loss model and distribution, each direction and family, and a seed."""
    made = [case.rule(folder).condition for case in CASES]
    default = Condition()
    for field in fields(Condition):
        assert [one for one in made if getattr(one, field.name) != getattr(default, field.name)], field.name
    assert {type(one.loss) for one in made if one.loss} == set(LOSS_MODELS.values())
    named = {one.delay.distribution for one in made if one.delay and one.delay.distribution in DISTRIBUTIONS}
    assert named == set(DISTRIBUTIONS)
    assert any(one.delay.table for one in made if one.delay)
    for part in ("correlation", "keep_order", "jitter"):
        assert any(getattr(one.delay, part) for one in made if one.delay), part
    for name in ("duplicate", "corrupt", "reorder"):
        assert any(getattr(one, name).correlation.ppb for one in made if getattr(one, name)), name
    assert {(case.direction, case.family) for case in CASES} >= {(way, 4) for way in ("egress", "ingress", "both")}
    assert {(case.direction, case.family) for case in CASES} >= {(way, 6) for way in ("egress", "ingress", "both")}


def test_the_page_tells_every_kind() -> None:
    page = PAGE.read_text()
    assert [name for name in KINDS if f"`{name}`" not in page] == []


def percent(value: float) -> Percent:
    return Percent(round(value * 10**9))


def test_the_models_lose_as_much_as_the_formulas_say() -> None:
    elliott = (0.1, 0.3, 0.7, 0.01)
    states = (0.08, 0.4, 0.2, 0.3, 0.03)
    for found, loss in (
        (model.gilbert_elliott(*elliott, 20_000), LossGemodel(*map(percent, elliott))),
        (model.four_states(*states, 20_000), LossState(*map(percent, states))),
    ):
        assert found.mean() == pytest.approx(mean_loss(loss), rel=0.01)


@pytest.mark.parametrize("correlation", [0.25, 0.5, 0.8])
def test_correlated_numbers_fall_as_computed_by_another_way(correlation: float) -> None:
    found = model.correlated(correlation, 10_000)
    assert (found < 0.3).mean() == pytest.approx(correlated_share(0.3, correlation), rel=0.03)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_the_middle_of_a_distribution_is_where_it_should_be(distribution: str) -> None:
    cdf = model.cdf(distribution, 100.0, 20.0)
    low, middle, high = (float(cdf(np.array([x]))[0]) for x in (10.0, 100.0, 190.0))
    assert (low, high) == (0.0, 1.0)
    table = table_of(distribution)
    assert middle == pytest.approx(sum(entry < 0 for entry in table) / len(table), abs=0.01)


def test_codel_lets_a_link_alone_that_keeps_up_and_not_one_that_doesnt() -> None:
    calm = model.codel(range(0, 10**9, 10**7), 8000, 10**6)
    busy = model.codel(range(0, 4 * 10**9, 4 * 10**6), 8000, 10**6)
    marks = model.codel(range(0, 4 * 10**9, 4 * 10**6), 8000, 10**6, marks=True)
    assert calm[1] == 0
    assert busy[1] > 50
    assert len(busy[0]) == 1000 - busy[1]
    assert len(marks[0]) == 1000
