"""cli/trials/trial_options.py: what `run`, `matrix` and `find-limit` have in common."""

from __future__ import annotations

import os
import signal

import pytest

from netweather.cli.signals import Stopped, stopped_by_signals
from netweather.cli.trials.trial_options import command_of, place_of, seconds_of, words_of
from netweather.errors import UsageError
from netweather.testing.places import Here, Own
from tests.unit.cli.conftest import Run, World


def test_where_it_runs(world: World) -> None:
    here = place_of(["netns:a"], [], localhost=False, direct=True)
    assert isinstance(here, Here)
    assert here.targets == ("netns:a",)
    assert place_of([], ["127.0.0.1:80"], localhost=True, direct=False) == Own(("127.0.0.1:80",), True)
    with pytest.raises(UsageError, match="--target and --localhost"):
        place_of(["netns:a"], [], localhost=True, direct=True)


def test_the_words_of_a_condition() -> None:
    assert words_of({"flag_loss_model": "x", "flag_to": ["a"], "flag_ecn": False}, unmatched=True) == {
        "loss_model": "x", "to": ["a"], "allow_unmatched": True,
    }  # fmt: skip
    assert seconds_of("1m") == 60
    with pytest.raises(UsageError, match="no COMMAND"):
        command_of([], "matrix")


def interrupted(number: signal.Signals) -> None:
    with stopped_by_signals():
        try:
            os.kill(os.getpid(), number)
            signal.sigtimedwait([], 5)
        finally:
            os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_block_and_a_second_one_does_not_disturb(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(Stopped) as stopped:
        interrupted(number)
    assert stopped.value.exit_code == 128 + number
    assert signal.getsignal(number) is before


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["matrix", "--", "true"], "no-networks"),
        (["matrix", "--profiles", "perfect,3gg", "--", "true"], "unknown-profile"),
        (["matrix", "--profiles", "perfect"], "no-command"),
        (["matrix", "--profiles", "perfect", "--report", "x.pdf", "--", "true"], "unknown-report"),
        (["matrix", "--profiles", "perfect", "--max-slowdown", "0.5", "--", "true"], "bad-count"),
        (["find-limit", "--", "true"], "bad-range"),
        (["find-limit", "--vary", "delay=0..1s", "--delay", "1s", "--", "true"], "conflicting-flags"),
        (["find-limit", "--vary", "delay=0..1s", "--repeats", "2", "--", "true"], "bad-count"),
        (["find-limit", "--vary", "delay=0..1s", "--steps", "1", "--", "true"], "bad-count"),
        (["find-limit", "--vary", "delay=0..1s", "--confidence", "100%", "--", "true"], "bad-count"),
        (["find-limit", "--vary", "delay=0..1s", "--at-least", "2s", "--", "true"], "bad-range"),
        (["find-limit", "--vary", "delay=0..1s", "--plot", "x.pdf", "--", "true"], "bad-plot"),
        (["run", "--delay", "1s", "--reach", "nonsense", "--", "true"], "bad-reach"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_done(run: Run, world: World, words: list[str], code: str) -> None:
    outcome = run(*words)
    assert (outcome.code, f"[{code}]" in outcome.err) == (2, True), outcome.err
