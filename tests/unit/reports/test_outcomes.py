"""reports/outcomes.py: what a run says; more of it in test_comparing.py, where a command's runs are looked at."""

from __future__ import annotations

from netweather.reports.matrix import Cell
from netweather.reports.outcomes import Case, Trial, cells_of

CASE = Case("buy", "passed", 0.5, "bought")


def test_a_run_that_tells_of_no_tests_is_one_itself() -> None:
    assert cells_of("shop", "3g", Trial(0, 2.0, "said")) == [Cell("shop", "3g", "passed", 2.0, "said")]


def test_an_end_that_its_tests_don_t_explain_is_a_row_of_its_own() -> None:
    assert [cell.test for cell in cells_of("shop", "3g", Trial(0, 2.0, ""), [CASE])] == ["buy"]
    found = cells_of("shop", "3g", Trial(2, 2.0, "crashed"), [CASE])
    assert [(cell.test, cell.outcome) for cell in found] == [("buy", "passed"), ("shop", "failed")]


def test_a_network_that_can_t_be_believed_proves_nothing() -> None:
    found = cells_of("shop", "3g", Trial(0, 2.0, "", ({"name": "n"},), "in force on no pod"), [CASE])
    assert [(cell.test, cell.outcome, cell.evidence) for cell in found] == [("buy", "error", ({"name": "n"},))]
