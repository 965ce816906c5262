"""reports/job_results.py: a Job's end as it is kept in a ConfigMap, and the report that is made of all of them."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree

import pytest

from netweather.kubernetes.objects.networktest import NetworkTest, read_test
from netweather.reports import job_results
from netweather.reports.job_results import BUDGET, documents, kept, matrix_of, results_of, verdict
from netweather.reports.outcomes import Trial
from tests.support.objects import network_test

EVIDENCE = {"name": "checkout-slow", "target": "shop: api-1", "condition": "delay", "inForce": True, "seconds": 3.0}
FACTS = {"startedAt": "2026-01-01T00:00:00Z", "endedAt": "2026-01-01T00:00:03Z", "condition": "uid"}
FACTS |= {"leaseEnds": "2026-01-01T00:01:00Z"}
XML = '<?xml version="1.0"?>\n<testsuites><testsuite><testcase name="a" time="1"/>{}</testsuite></testsuites>\n'
BAD = '<testcase name="b"><failure message="no">x</failure></testcase>'


def made(**spec: Any) -> NetworkTest:
    return read_test(network_test(**spec))


def gathered(test: NetworkTest, **runs: Trial) -> dict[str, dict[str, Any]]:
    data: dict[str, str] = {}
    for network, run in runs.items():
        data |= kept(test, network, run, FACTS)
    return results_of(data)


def test_what_was_kept_is_the_report_of_the_matrix() -> None:
    results = gathered(made(), slow=Trial(1, 4.0, "no", (EVIDENCE,)), perfect=Trial(0, 2.0, "yes"))
    assert {name: (each["state"], each["message"]) for name, each in results.items()} == {
        "perfect": ("Passed", ""), "slow": ("Failed", "exit code 1"),
    }  # fmt: skip
    matrix = matrix_of(made(), results)
    assert (matrix.title, matrix.networks) == ("shop/checkout on 2 networks", ["perfect", "slow"])
    assert [(cell.outcome, cell.evidence) for cell in matrix.cells] == [("passed", ()), ("failed", (EVIDENCE,))]
    assert verdict(matrix, made()) == ("Shortcomings", ["checkout on slow: failed"])
    assert verdict(matrix, made(mustPass=["perfect"])) == ("AllIsWell", [])
    told = documents(matrix, ["checkout on slow: failed"])
    assert json.loads(told["report.json"])["shortcomings"] == ["checkout on slow: failed"]
    suites = {each.get("name"): each for each in ElementTree.fromstring(told["report.xml"]).iter("testsuite")}
    assert (suites["perfect"].get("failures"), suites["slow"].get("failures")) == ("0", "1")


def test_a_run_may_be_too_slow() -> None:
    matrix = matrix_of(made(), gathered(made(), slow=Trial(0, 7.0, ""), perfect=Trial(0, 2.0, "")))
    assert verdict(matrix, made(maxSlowdown=3))[0] == "Shortcomings"
    assert verdict(matrix, made(maxSlowdown=4))[0] == "AllIsWell"


@pytest.mark.parametrize(
    ("run", "state", "message"),
    [
        (Trial(0, 1, "", problem="not in force"), "CantTell", "not in force"),
        (Trial(None, 60, ""), "TimedOut", "ended after 60 s"),
        (Trial(3, 1, ""), "Failed", "exit code 3"),
    ],
)
def test_how_it_ended(run: Trial, state: str, message: str) -> None:
    found = gathered(made(), slow=run)["slow"]
    assert (found["state"], found["message"]) == (state, message)
    expected = "CantTell" if state == "CantTell" else "Shortcomings"
    assert verdict(matrix_of(made(), {"slow": found}), made())[0] == expected


def test_its_own_tests_are_rows_and_a_log_without_them_says_so() -> None:
    test = made(junit=True)
    found = gathered(test, perfect=Trial(0, 2.0, "begun\n" + XML.format("")), slow=Trial(1, 2.0, XML.format(BAD)))
    assert [(each["tests"], each["failed"], each["state"]) for each in found.values()] == [(1, 0, "Passed"), (2, 1, "Failed")]
    assert found["slow"]["message"] == "1 of 2 tests pass; exit code 1"
    (without,) = matrix_of(test, gathered(test, slow=Trial(0, 2.0, "nothing"))).cells
    assert (without.test, without.outcome) == ("checkout", "passed")
    assert "no JUnit XML" in without.log


def test_everything_is_bounded_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    test = made()
    data = kept(test, "slow", Trial(1, 1.0, "<&" * BUDGET + "the end", (EVIDENCE,)), FACTS)
    assert max(map(len, data.values())) <= BUDGET // 4
    (cell,) = matrix_of(test, results_of(data)).cells
    assert cell.log.endswith("the end\nexit code 1")
    assert cell.log.startswith("…")
    monkeypatch.setattr(job_results, "BUDGET", 20_000)
    many = "".join(f'<testcase name="t{i}">{"<failure/>" if i == 777 else ""}</testcase>' for i in range(1000))
    test = made(junit=True)
    data = kept(test, "slow", Trial(1, 1.0, f"<testsuites>{many}</testsuites>", (EVIDENCE,)), FACTS)
    assert sum(map(len, data.values())) <= 5000
    found = results_of(data)
    assert (found["slow"]["state"], found["slow"]["message"]) == (
        "Failed", "499 of 500 tests pass; exit code 1; 500 of its 1000 tests are left out",
    )  # fmt: skip
    told = documents(matrix_of(test, found), [])
    assert all(len(each.encode()) <= 20_000 for each in told.values())
    assert "t777" in told["report.json"]


@pytest.mark.parametrize("change", ["state", "leaseEnds", "tests", "cells", "evidence", "message"])
def test_what_somebody_else_wrote_there_is_as_if_it_was_not(change: str) -> None:
    data = kept(made(), "slow", Trial(0, 1.0, "", (EVIDENCE,)), FACTS)
    (text,) = data.values()
    assert set(results_of({**data, "perfect.cell.json": text})) == {"slow", "perfect"}
    for value in (None, "x", [{}], [1], {"a": 1}):
        if (change, value) == ("message", "x"):
            continue
        wrong = json.dumps({**json.loads(text), change: value})
        assert set(results_of({**data, "perfect.cell.json": wrong, "x.cell.json": "{", "report.json": "{}"})) == {"slow"}
