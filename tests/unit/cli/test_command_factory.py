"""Options and values that are missing, unknown or unwanted; colours of help pages."""

from __future__ import annotations

import sys

import pytest

from netweather.cli import command_factory
from tests.unit.cli.conftest import Run


@pytest.mark.parametrize(
    ("words", "code", "remedy"),
    [
        (["--delay"], "missing-value", "write --delay 100ms"),
        (["--delay", "--loss", "1%"], "missing-value", "write --delay 100ms"),
        (["--delay", "--loss=1%"], "missing-value", "write --delay 100ms"),
        (["--dealy", "1s"], "unknown-option", "did you mean --delay?"),
        (["--dealy=1s"], "unknown-option", "did you mean --delay?"),
        (["--latency", "1s"], "unknown-option", "did you mean --delay?"),
        (["--bandwidth", "1mbit"], "unknown-option", "did you mean --rate?"),
        (["-delay", "1s"], "unknown-option", "did you mean --delay?"),
        (["--packet_loss", "1%"], "unknown-option", "did you mean --loss?"),
        (["--qqq"], "unknown-option", "`netweather set --help` lists the options"),
        (["--ecn=yes"], "unwanted-value", "write --ecn alone"),
        (["-f"], "missing-value", "write -f FILE"),
    ],
)
def test_what_is_wrong_with_options_is_told_with_the_remedy(run: Run, words: list[str], code: str, remedy: str) -> None:
    outcome = run("set", "netns:a", *words)
    assert outcome.code == 2
    assert f"[{code}]" in outcome.err
    assert remedy in outcome.err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["verify"], "missing-argument"),
        (["targets", "netns:a"], "extra-argument"),
        (["web", "http://192.0.2.1/", "--patience", "0"], "bad-usage"),
    ],
)
def test_what_is_wrong_with_arguments_has_its_code(run: Run, words: list[str], code: str) -> None:
    outcome = run(*words, "--json")
    assert (outcome.code, outcome.json["code"], outcome.err) == (2, code, "")
    assert "--help` shows how it is written" in outcome.json["remedy"]


def test_a_negative_value_is_a_value(run: Run) -> None:
    assert "[bad-duration]" in run("set", "netns:a", "--delay", "-5ms").err


def test_headings_are_bold_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "Usage: x\n\nOptions:\n  --help  Ends with: colon:"
    monkeypatch.setattr("netweather.cli.output.coloured", lambda stream: stream is not sys.stdout)
    assert command_factory.coloured_help(text) == text
    monkeypatch.setattr("netweather.cli.output.coloured", lambda stream: True)
    assert command_factory.coloured_help(text) == "\033[1mUsage:\033[0m x\n\n\033[1mOptions:\033[0m\n  --help  Ends with: colon:"


def test_a_page_is_wider_in_a_wide_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    assert 90 < max(map(len, run("set", "--help").out.splitlines())) <= 98


def test_sections_come_in_their_order(run: Run) -> None:
    page = run("set", "--help").out
    places = [page.index(f"\n{title}:\n") for title in (*command_factory.PANELS, "Examples") if title != "Which cluster"]
    assert places == sorted(places)
