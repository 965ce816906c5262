"""tools/bench/rounds.py: variants take turns, and wait for a quiet machine only so long."""

from functools import partial

import pytest

from tools.bench import rounds
from tools.bench.rounds import Plan, Quiet, interleaved


@pytest.fixture
def share(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How busy the machine is said to be, look by look; the last one for ever."""
    shares = [0.0]
    monkeypatch.setattr(rounds, "busy_share", lambda _: shares.pop(0) if len(shares) > 1 else shares[0])
    return shares


def test_variants_take_turns_and_their_order_too(share: list[float]) -> None:
    seen: list[str] = []

    def measure(name: str) -> str:
        seen.append(name)
        return name

    found = interleaved(Plan(3), "letters", {name: partial(measure, name) for name in "abc"})
    assert "".join(seen) == "abccbaabc"
    assert found == {name: [name] * 3 for name in "abc"}


def test_rounds_can_be_more_or_fewer(share: list[float]) -> None:
    plan = Plan(4)
    assert len(interleaved(plan, "", {"a": lambda: 1}, plan.many(2))["a"]) == 8
    assert plan.many(0.1) == 1
    assert plan.seconds(1) == 1


def test_quick_is_quick() -> None:
    plan = Plan(3, quick=True)
    assert (plan.many(4), plan.seconds(1)) == (3, 0.125)


def test_a_measure_waits_for_a_quiet_moment(share: list[float]) -> None:
    share[:] = [0.9, 0.9, 0.1]
    quiet = Quiet(patience=5)
    quiet.wait()
    assert share == [0.1]
    assert str(quiet) == "0 of 1 measures began while others used the machine"


def test_it_does_not_wait_for_ever(share: list[float]) -> None:
    share[:] = [0.9]
    quiet = Quiet(patience=0)
    for _ in range(3):
        quiet.wait()
    assert (quiet.noisy, quiet.measures) == (3, 3)
