"""Failures in words, as JSON, and those that nobody expected."""

from __future__ import annotations

import errno
import os

import pytest

from netweather.cli import problems
from netweather.errors import NetweatherError, UsageError


def test_what_why_remedy_and_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    error = NetweatherError("a-code", "it failed", "one reason that is long enough for two lines\nanother", "do this")
    assert problems.rendered(error).splitlines() == [
        "error: it failed [a-code]",
        "  why     one reason that is long enough for two lines",
        "          another",
        "  remedy  do this",
    ]


def test_colours_do_not_change_the_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    text = problems.rendered(UsageError("a-code", "it failed", "why it did", "a remedy"))
    assert text.startswith("\033[31;1merror:\033[0m it failed \033[2m[a-code]\033[0m\n  \033[1mwhy\033[0m     why it did")


@pytest.mark.parametrize(
    ("error", "root", "code"),
    [
        (PermissionError(errno.EPERM, "Operation not permitted"), False, "needs-root"),
        (PermissionError(errno.EPERM, "Operation not permitted"), True, "not-permitted"),
        (OSError(errno.ENOSPC, "No space left on device"), True, "kernel-refused"),
        (ValueError("x"), True, "internal-error"),
        (NetweatherError("busy", "x"), True, "busy"),
    ],
)
def test_every_failure_gets_a_code(error: Exception, root: bool, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000)
    found = problems.as_netweather(error)
    assert found.code == code
    assert found.remedy or code == "busy"


def test_the_kernels_own_sentence_is_quoted_without_a_number() -> None:
    found = problems.as_netweather(FileNotFoundError(errno.ENOENT, "Specified qdisc kind is unknown"))
    assert (found.code, found.why) == ("kernel-refused", "Specified qdisc kind is unknown")


def test_json_is_wanted_before_two_dashes_only() -> None:
    assert problems.wants_json(["set", "--jso", "--json"])
    assert not problems.wants_json(["run", "--", "curl", "--json"])


def test_a_problem_object_alone_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert problems.report(UsageError("bad-percent", "x", "y", "z"), ["set", "--json"]) == 2
    captured = capsys.readouterr()
    assert '"code": "bad-percent"' in captured.out
    assert captured.err == ""
