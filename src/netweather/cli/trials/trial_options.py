"""What `run`, `matrix` and `find-limit` have in common: where COMMAND runs, what is wrong there, and how they are stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from netweather.cli import command_factory, completion
from netweather.cli.options import given
from netweather.errors import UsageError
from netweather.settings import Settings
from netweather.units import Duration

if TYPE_CHECKING:
    from netweather.testing.places import Place

CANT_TELL: Final = 3
"""The exit code when nothing can be said: neither good nor bad."""


command_argument = command_factory.argument(
    "command", metavar="-- COMMAND", nargs=-1, help="the command to run, with its arguments, after --"
)
target_option = command_factory.option(
    "--target",
    metavar="TARGET",
    multiple=True,
    complete=completion.targets,
    help="target to degrade; default: COMMAND runs in its own network (needs root); repeatable",
)
reach_option = command_factory.option(
    "--reach",
    metavar="HOST:PORT",
    multiple=True,
    help="another TCP service that COMMAND can reach from its own network; repeatable",
)
localhost_option = command_factory.option(
    "--localhost", is_flag=True, help="in COMMAND's own network, localhost also reaches this machine's services"
)
timeout_option = command_factory.option("--timeout", metavar="TIME", help="kill a run that takes longer and count it as failed")
unmatched_option = command_factory.option(
    "--allow-unmatched", is_flag=True, help="succeed even if no packet matched the condition"
)


def command_of(words: Sequence[str], name: str) -> tuple[str, ...]:
    """What is to be run. Raises UsageError(code="no-command")."""
    if not words:
        why = f"`netweather {name}` runs a command of yours"
        raise UsageError("no-command", "no COMMAND is given", why, f"write it after two dashes: netweather {name} … -- make test")
    return tuple(words)


def place_of(targets: Sequence[str], reach: Sequence[str], *, localhost: bool, direct: bool) -> Place:
    """Where it runs. Raises UsageError(code="conflicting-flags")."""
    from netweather.cli.full_ids import connected
    from netweather.testing.places import Here, Own, way

    if targets and (reach or localhost):
        option = "--reach" if reach else "--localhost"
        why = "with --target, COMMAND runs in the current network, not in its own"
        raise UsageError("conflicting-flags", f"--target and {option} are given", why, "leave one of them out")
    if targets:
        return Here(tuple(targets), connected(Settings.load(), direct=direct))
    for each in reach:
        way(each)
    return Own(tuple(reach), localhost)


def words_of(flags: Mapping[str, Any], *, unmatched: bool) -> dict[str, Any]:
    """The flags as `degrade` takes them."""
    words: dict[str, Any] = {name.replace("-", "_"): value for name, value in given(flags).items()}
    return {**words, "allow_unmatched": True} if unmatched else words


def seconds_of(timeout: str | None) -> float | None:
    return None if timeout is None else Duration.parse(timeout).seconds
