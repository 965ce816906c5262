"""The options that several commands have: those of conditions and matches, from the one table that declares them
(conditions.language.flags)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, Final

from netweather.cli import command_factory, completion

if TYPE_CHECKING:
    from netweather.conditions.language.flags import Flag, FlagValue

PANELS: Final = {"condition": command_factory.PANELS[1], "match": command_factory.PANELS[2], "common": command_factory.PANELS[3]}
"""The help page's section for each group of flags."""

json_option = command_factory.option("--json", "as_json", is_flag=True, help="print JSON, and errors as JSON too")
direct_option = command_factory.option("--direct", is_flag=True, help="do it in this process, not through the agent (needs root)")
targets_argument = command_factory.argument(
    "targets", metavar="TARGET", nargs=-1, complete=completion.targets, help="targets to change or show"
)


def with_flags(*groups: str, only: Collection[str] = ()) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator: an option for each flag of these groups, or for some of them. `given` makes flags of their values."""
    from netweather.conditions.language.flags import FLAGS

    chosen = [flag for flag in FLAGS if flag.group in groups and (not only or flag.name in only)]

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for flag in reversed(chosen):  # the lowest decorator comes first
            function = _option(flag)(function)
        return function

    return decorate


def given(flags: Mapping[str, Any]) -> dict[str, FlagValue]:
    """The flags that were given, by their names in the table."""
    from netweather.conditions.language.flags import FLAGS

    by_identifier = {_identifier(flag): flag.name for flag in FLAGS}
    return {by_identifier[key]: value for key, value in flags.items() if value not in (None, False, [], ())}


def _identifier(flag: Flag) -> str:
    return f"flag_{flag.name.replace('-', '_')}"


def _option(flag: Flag) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    switch = flag.kind == "switch"
    kind: dict[str, Any] = {"is_flag": True} if switch else {"metavar": flag.metavar, "multiple": flag.kind == "list"}
    complete = None if switch else completion.of_flag(flag)
    return command_factory.option(
        f"--{flag.name}", _identifier(flag), **kind, help=_help(flag), panel=PANELS[flag.group], complete=complete
    )


def _help(flag: Flag) -> str:
    """What it means, what may be written, and an example, as far as the words don't say so already."""
    text = flag.help
    missing = [choice for choice in flag.choices if choice not in text]
    if missing:
        text += f": {', '.join(flag.choices[:-1])} or {flag.choices[-1]}"
    elif flag.kind != "switch" and flag.example and not flag.choices:
        text += f" (e.g. {flag.example})"
    return f"{text}; repeatable" if flag.kind == "list" else text
