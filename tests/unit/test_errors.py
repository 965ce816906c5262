"""errors.py: code, what, why and remedy, in words and as a problem object."""

import pytest

from netweather.errors import NetweatherError, UsageError, has_ended, target_is_gone

BOTH = NetweatherError("no-line", "the line could not be made", "no TAP here", "load the module tun")


def test_the_text_says_what_why_and_the_remedy() -> None:
    assert str(BOTH).splitlines() == [
        "the line could not be made [no-line]",
        "because: no TAP here",
        "remedy: load the module tun",
    ]


def test_what_is_not_known_is_not_said() -> None:
    assert str(NetweatherError("no-line", "the line could not be made")) == "the line could not be made [no-line]"


def test_a_problem_object_has_the_same_fields() -> None:
    problem = BOTH.as_problem()
    assert problem["type"].endswith("/no-line")
    assert (problem["title"], problem["detail"], problem["remedy"]) == (BOTH.what, BOTH.why, BOTH.remedy)
    assert str(UsageError.from_problem(problem)) == str(BOTH)
    with pytest.raises(KeyError):
        UsageError.from_problem({"title": "a page"})


def test_only_a_wrong_request_is_usage() -> None:
    assert BOTH.exit_code == 1
    assert UsageError("bad-port", "70000 is not a port").exit_code == 2


@pytest.mark.parametrize(
    ("error", "gone", "ended"),
    [
        (NetweatherError("unknown-target", "w"), True, True),
        (NetweatherError("target-not-running", "w"), True, True),
        (NetweatherError("no-such-condition", "w"), False, True),
        (NetweatherError("busy", "w"), False, False),
        (OSError(5, "w"), False, False),
        (None, False, False),
    ],
)
def test_what_needs_no_ending_any_more(error: Exception | None, gone: bool, ended: bool) -> None:
    assert (target_is_gone(error), has_ended(error)) == (gone, ended)
