"""tools/bench/commands.py: three operations by every way there is."""

import pytest

from tests.support import docker as private_docker
from tests.support.docker import missing
from tools.bench.commands import OPERATIONS, Way, run, run_help, timed
from tools.bench.rounds import Plan

pytestmark = [pytest.mark.root, pytest.mark.timeout(180)]


def test_rows(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(private_docker, "missing", lambda: "no dockerd here")
    rows = list(run(plan))
    assert len(rows) == 3 * len(OPERATIONS)
    assert all(one.figure and one.figure.median > 0 for one in rows[:6])
    assert all(one.beside.startswith("nsenter tc ") for one in rows[:6])
    assert {one.note for one in rows[6:]} == {"not possible here: no dockerd here"}


@pytest.mark.full
@pytest.mark.skipif(bool(missing()), reason=missing() or "Docker is here")
def test_rows_of_a_container(plan: Plan) -> None:
    rows = [one for one in run(plan) if "docker:" in one.name]
    assert [one.beside.split(",")[0] for one in rows] == ["docker run"] * 3
    assert all(one.ratio for one in rows)


def test_help(plan: Plan) -> None:
    (one,) = run_help(plan)
    assert str(one.goal) == "× ≤ 1.5"
    assert one.figure
    assert one.baseline
    assert 5 < one.figure.median < 20_000  # ms


def test_a_command_that_fails_says_why() -> None:
    with pytest.raises(RuntimeError, match="exit 3: broken"):
        timed(["sh", "-c", "echo broken >&2; exit 3"])


def test_the_operations_are_timed_in_their_order() -> None:
    times = Way({"set": ["true"], "change": ["sleep", "0.05"], "clear": ["true"]}).times()
    assert list(times) == ["set", "change", "clear"]
    assert 50 < times["change"] < 5000
