"""testing/network_request.py: Python's keywords become what the command line's options would."""

from __future__ import annotations

from typing import Any

import pytest

from netweather.conditions.language.flags import rule_from_flags
from netweather.errors import UsageError
from netweather.testing.network_request import NetworkRequest, has_condition, wish


def of(first: str | None = None, /, **words: Any) -> NetworkRequest:
    return wish(first, {"target": "docker:shop", **words}, name="pytest-x-1-1", reason="test_x", lease="30s")


@pytest.mark.parametrize(
    ("words", "flags"),
    [
        ({"delay": "100ms"}, {"delay": "100ms"}),
        (
            {"delay": "100ms", "jitter": "5ms", "delay_correlation": "25%"},
            {"delay": "100ms", "jitter": "5ms", "delay-correlation": "25%"},
        ),
        ({"loss": "3%", "to": ["192.0.2.1", "192.0.2.2"]}, {"loss": "3%", "to": ["192.0.2.1", "192.0.2.2"]}),
        ({"loss": "3%", "ports": 5432, "seed": 7}, {"loss": "3%", "port": ["5432"], "seed": "7"}),
        ({"delay": "1ms", "keep_order": True}, {"delay": "1ms", "keep-order": True}),
    ],
)
def test_words_are_those_of_the_command_line(words: dict[str, Any], flags: dict[str, Any]) -> None:
    assert of(**words).condition.rules == (rule_from_flags(flags),)


def test_a_profile_by_position() -> None:
    assert of("3g").condition.rules[0].condition.profile == "3g"
    with pytest.raises(UsageError, match="twice"):
        of("3g", profile="4g")


def test_what_the_test_says_of_itself() -> None:
    made = of(delay="1ms", verify="measure", allow_unmatched=True, shared=True)
    assert (made.verify, made.allow_unmatched, made.shared) == ("measure", True, True)
    assert made.condition.targets == ("docker:shop",)
    assert (made.condition.name, made.condition.reason) == ("pytest-x-1-1", "test_x")


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        ({"dealy": "1ms"}, "unknown-keyword", "delay"),
        ({"name": "mine", "delay": "1ms"}, "unknown-keyword", "name"),
        ({}, "no-condition", "delay="),
        ({"to": "192.0.2.1"}, "no-condition", "no condition"),
        ({"delay": "1ms", "verify": "measured"}, "unknown-verify", "measure"),
        ({"delay": "1ms", "target": None}, "missing-target", "--network-target"),
        ({"delay": 100}, "bad-duration", "100"),
    ],
)
def test_bad_words_get_one_clear_error(words: dict[str, Any], code: str, text: str) -> None:
    with pytest.raises(UsageError, match=text) as caught:
        of(**words)
    assert caught.value.code == code


def test_a_change_keeps_the_traffic_and_replaces_the_rest() -> None:
    first = of(delay="1ms", jitter="1ms", to="192.0.2.1", port=80)
    second = first.changed(None, {"loss": "5%"})
    assert second.condition.rules == (rule_from_flags({"loss": "5%", "to": ["192.0.2.1"], "port": ["80"]}),)
    assert (second.condition.name, second.condition.targets, second.condition.lease) == (
        first.condition.name, first.condition.targets, first.condition.lease,
    )  # fmt: skip
    with pytest.raises(UsageError):
        first.changed(None, {})


def test_whether_words_say_what_is_wrong() -> None:
    assert has_condition("3g", {})
    assert has_condition(None, {"delay": "1ms"})
    assert not has_condition(None, {"to": "192.0.2.1", "target": "netns:x"})
