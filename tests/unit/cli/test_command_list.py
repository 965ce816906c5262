"""The table of commands: each line has its module."""

from __future__ import annotations

import importlib

from netweather.cli.command_list import BY_NAME, COMMANDS


def test_each_command_is_there_under_its_name() -> None:
    assert len(BY_NAME) == len(COMMANDS)
    for entry in COMMANDS:
        assert importlib.import_module(entry.path).command.name == entry.name
