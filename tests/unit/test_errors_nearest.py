from __future__ import annotations

from netweather.errors import unknown


def test_the_nearest_is_named() -> None:
    error = unknown("unknown-key", "dealy", ["delay", "loss"], "rules[0]")
    assert error.code == "unknown-key"
    assert error.what == "rules[0]: 'dealy' is not a known key"
    assert error.remedy == "did you mean 'delay'?"
    assert error.why == "known are delay, loss"


def test_capitals_do_not_matter_to_it() -> None:
    assert unknown("unknown-key", "DELAY", ["delay"]).remedy == "did you mean 'delay'?"


def test_all_are_named_when_none_is_near() -> None:
    assert unknown("unknown-flag", "xyzzy", ["delay", "loss"]).remedy == "use one of delay, loss"


def test_a_long_word_is_cut() -> None:
    assert len(unknown("unknown-key", "x" * 10_000, ["delay"]).what) < 120
