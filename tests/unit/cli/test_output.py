"""Colours, widths, JSON and tables."""

from __future__ import annotations

import io
import sys

import pytest

from netweather.cli import output


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "environment", "expected"),
    [
        (Terminal(), {}, True),
        (io.StringIO(), {}, False),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"NO_COLOR": ""}, True),
        (io.StringIO(), {"FORCE_COLOR": "1"}, True),
        (Terminal(), {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        (Terminal(), {"TERM": "dumb"}, False),
    ],
)
def test_colours_only_where_they_are_wanted(
    stream: io.StringIO, environment: dict[str, str], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert output.coloured(stream) is expected
    assert output.styled("x", "red bold", stream) == ("\033[31;1mx\033[0m" if expected else "x")


def test_nothing_is_wrapped_for_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert output.columns(io.StringIO()) > 200
    monkeypatch.setenv("COLUMNS", "72")
    assert output.columns(io.StringIO()) == 72


def test_remarks_are_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    output.remark("note", "mind the gap")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "note: mind the gap\n")


def test_json_keeps_its_letters(capsys: pytest.CaptureFixture[str]) -> None:
    output.say_json({"a": "±"}, compact=True)
    assert capsys.readouterr().out == '{"a": "±"}\n'


def test_a_table_is_plain_and_has_no_trailing_blanks(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    output.say_table(("Name", "What"), [("a", "first"), ("[b]", "second :smile:")])
    assert capsys.readouterr().out == "Name  What\na     first\n[b]   second :smile:\n"


def test_what_is_wrapped_keeps_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    lines = output.wrapped("a remedy with /a/very/long/path/that/is/longer/than/the/line", "  why ", "      ", sys.stderr)
    assert lines.splitlines() == ["  why a remedy with", "      /a/very/long/path/that/is/longer/than/the/line"]
