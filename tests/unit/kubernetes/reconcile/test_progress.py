from datetime import UTC, datetime, timedelta

from netweather.errors import UsageError
from netweather.kubernetes.objects.networktest import read_test
from netweather.kubernetes.reconcile.cells import CellStatus
from netweather.kubernetes.reconcile.progress import MOST_SHORTCOMINGS, is_complete, refused, status_of
from tests.support.objects import network_test

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TEST = read_test(network_test())
DONE = (CellStatus("perfect", "Passed"), CellStatus("slow", "Failed", "exit code 1"))


def test_while_it_runs() -> None:
    cells = (CellStatus("perfect", "Passed"), CellStatus("slow", "Pending"))
    status = status_of(TEST, cells, {"perfect": {"endedAt": "2026-01-01T00:00:00Z", "tests": 3, "failed": 0}}, None, {}, NOW)
    assert (status["summary"], is_complete(status)) == ("1/2", False)
    assert status["cells"] == [
        {
            "network": "perfect",
            "state": "Passed",
            "job": "checkout-perfect",
            "endedAt": "2026-01-01T00:00:00Z",
            "tests": 3,
            "failed": 0,
        },
        {"network": "slow", "state": "Pending", "job": "checkout-slow", "condition": "checkout-slow"},
    ]
    assert [(each["type"], each["status"], each["reason"]) for each in status["conditions"]] == [
        ("Complete", "False", "Running"), ("Failed", "False", "Running"),
    ]  # fmt: skip


def test_at_its_end_it_is_complete_whatever_came_of_it() -> None:
    for verdict, failed in (("AllIsWell", "False"), ("Shortcomings", "True"), ("CantTell", "True")):
        status = status_of(TEST, DONE, {}, (verdict, ["slow: failed"]), {}, NOW)
        assert is_complete(status)
        assert [(each["status"], each["reason"]) for each in status["conditions"]] == [("True", verdict), (failed, verdict)]
        assert status["report"] == "configmap/checkout-report"


def test_the_same_state_gives_the_same_status() -> None:
    first = status_of(TEST, DONE, {}, None, {}, NOW)
    assert status_of(TEST, DONE, {}, None, first, NOW + timedelta(hours=1)) == first
    later = status_of(TEST, DONE, {}, ("AllIsWell", []), first, NOW + timedelta(hours=1))
    assert [each["lastTransitionTime"] for each in later["conditions"]] == ["2026-01-01T01:00:00Z", "2026-01-01T00:00:00Z"]


def test_it_is_bounded() -> None:
    status = status_of(TEST, (CellStatus("slow", "Failed", "x" * 9999),), {}, ("Shortcomings", ["y" * 9999] * 999), {}, NOW)
    assert len(status["shortcomings"]) == MOST_SHORTCOMINGS
    assert len(str(status)) < 30_000


def test_a_refusal_says_why_and_ends_the_waiting() -> None:
    status = refused(3, UsageError("x", "no networks", "none is named", "name one"), {}, NOW)
    assert is_complete(status)
    assert {each["message"] for each in status["conditions"]} == {"no networks; none is named; name one"}
    assert {each["observedGeneration"] for each in status["conditions"]} == {3}
