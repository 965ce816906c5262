"""`verify`: words, exit codes, the table and JSON; what is measured is made up."""

from __future__ import annotations

from typing import Any

import pytest

from netweather.engine import verification
from netweather.measure import ConditionEvidence, Figure, Measured, Verdict
from netweather.measure.statistics import Interval
from tests.unit.cli.conftest import Run, World

GOOD = Figure("delay", "egress", "s", 0.1, 0.1001, Interval(0.1, 0.1002), Verdict.PASS, 400)
QUIET = Figure("corrupt", "egress", "share", 0.0, 0.0, Interval(0, 0.01), Verdict.PASS, 400)
BAD = Figure("rate", "egress", "bit/s", 1e6, 2e6, Interval(1.9e6, 2.1e6), Verdict.FAIL, 50, "it is more than was asked")
OPEN = Figure("loss", "egress", "share", 0.001, None, None, Verdict.CANT_TELL, 0, "too few")


def made_up(
    monkeypatch: pytest.MonkeyPatch, *figures: Figure, problems: tuple[str, ...] = ()
) -> list[verification.VerifyOptions]:
    asked: list[verification.VerifyOptions] = []

    def verify(engine: Any, target: Any, wish: verification.VerifyOptions, progress: Any) -> list[ConditionEvidence]:
        asked.append(wish)
        progress(0.5, "half")
        measured = (Measured(0, "400 packets of UDP, egress", figures, 400),)
        return [
            ConditionEvidence(target.reference, "default", {"spec": {}}, (), {"inForce": True, "lines": [{}]}, problems, measured)
        ]

    monkeypatch.setattr(verification, "verify", verify)
    return asked


@pytest.mark.parametrize(
    ("figures", "code", "word"), [((GOOD,), 0, "PASS"), ((GOOD, BAD), 1, "FAIL"), ((GOOD, OPEN), 3, "CAN'T TELL")]
)
def test_exit_codes(
    run: Run, world: World, monkeypatch: pytest.MonkeyPatch, figures: tuple[Figure, ...], code: int, word: str
) -> None:
    made_up(monkeypatch, *figures)
    outcome = run("verify", "netns:a")
    assert outcome.code == code
    assert outcome.out.splitlines()[0] == f"netns:a, 'default': {word}"
    assert run("verify", "netns:a", "--json").json["verdict"] == word


def test_the_table_leaves_out_what_nobody_asked_for_and_nobody_saw(
    run: Run, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_up(monkeypatch, GOOD, QUIET, BAD)
    text = run("verify", "netns:a").out
    assert "100.1 ms" in text
    assert "corrupt" not in text
    assert "FAIL rate, egress: it is more than was asked" in text
    assert "its counter moved by 400" in text


def test_problems_of_the_kernel_are_told(run: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made_up(monkeypatch, GOOD, problems=("the device nw0 is gone",))
    outcome = run("verify", "netns:a")
    assert outcome.code == 1
    assert "problem: the device nw0 is gone" in outcome.out


def test_the_options_are_passed_on(run: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = made_up(monkeypatch, GOOD)
    run("verify", "netns:a", "--name", "slow", "--to", "192.0.2.7", "--peer", "netns:b", "--samples", "5000")
    assert asked == [verification.VerifyOptions("slow", "192.0.2.7", "netns:b", 5000)]


@pytest.mark.parametrize("words", ["five", "9", "1000001", "-5", "1.5"])
def test_bad_numbers_of_packets(run: Run, world: World, words: str) -> None:
    outcome = run("verify", "netns:a", f"--samples={words}")
    assert outcome.code == 2
    assert "bad-count" in outcome.err


def test_a_plot_is_checked_before_anything_is_measured(run: Run, world: World) -> None:
    outcome = run("verify", "netns:a", "--plot", "out.pdf")
    assert (outcome.code, "bad-plot" in outcome.err) == (2, True)


def test_a_plot_is_drawn(run: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made_up(monkeypatch, GOOD)
    path = world.folder / "out.svg"
    assert run("verify", "netns:a", "--plot", str(path)).code == 0
    assert path.exists()


def test_nothing_in_force(run: Run, world: World) -> None:
    outcome = run("verify", "netns:a")
    assert (outcome.code, "no-such-condition" in outcome.err) == (1, True)
