"""Flags of the table become options, and their values flags again."""

from __future__ import annotations

from typing import Any

import pytest

from netweather.cli import options
from netweather.cli.command_factory import command
from netweather.conditions.language.flags import FLAGS
from tests.unit.cli.conftest import Run

SEEN: dict[str, Any] = {}


@command("x", examples="")
@options.targets_argument
@options.with_flags("condition", "match", "common")
def _command(targets: tuple[str, ...], **flags: Any) -> None:
    """Does nothing."""
    SEEN.clear()
    SEEN.update(options.given(flags))


def test_every_flag_is_an_option_with_its_help(run: Run) -> None:
    page = " ".join(run("set", "--help").out.split())
    for flag in FLAGS:
        assert f"--{flag.name} {flag.metavar}".rstrip() in page
        assert " ".join(flag.help.split())[:20] in page
        assert flag.kind == "switch" or not flag.example or flag.choices or flag.example in page


@pytest.mark.parametrize("flag", FLAGS, ids=lambda flag: str(flag.name))
def test_every_flag_arrives_under_its_name(flag: Any) -> None:
    words = [f"--{flag.name}"] if flag.kind == "switch" else [f"--{flag.name}", flag.example or flag.choices[0]]
    _command.main(args=words, standalone_mode=False)
    expected = True if flag.kind == "switch" else (words[1],) if flag.kind == "list" else words[1]
    assert {flag.name: expected} == SEEN


def test_lists_may_be_repeated() -> None:
    _command.main(args=["--to", "192.0.2.1", "--to", "192.0.2.2"], standalone_mode=False)
    assert SEEN == {"to": ("192.0.2.1", "192.0.2.2")}


def test_what_is_not_given_is_not_there() -> None:
    _command.main(args=[], standalone_mode=False)
    assert SEEN == {}
