"""The flags of conditions and matches as Typer's options, made from the one table that declares them (conditions.flags)."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any, Final, TypeVar

import typer

from netweather.cli import completing, pages
from netweather.conditions.flags import FLAGS, Flag, FlagValue

_Function = TypeVar("_Function", bound=Callable[..., Any])
PANELS: Final = {"condition": pages.PANELS[1], "match": pages.PANELS[2], "common": pages.PANELS[3]}
"""The help page's section for each group of flags."""

Json = Annotated[bool, typer.Option("--json", help="print JSON, and errors as JSON too")]
Direct = Annotated[bool, typer.Option("--direct", help="do it here, not through the agent (needs root)")]
Targets = Annotated[
    list[str] | None,
    typer.Argument(metavar="TARGET", show_default=False, help="whose network", autocompletion=completing.targets),
]


def option(name: str, metavar: str, text: str) -> Any:
    """An option with a value, by what `--help` says of it."""
    return typer.Option(f"--{name}", metavar=metavar, help=text, show_default=False)


def with_flags(*groups: str, only: Collection[str] = ()) -> Callable[[_Function], _Function]:
    """Gives a function, in place of its **flags, an option for each flag of these groups, or for some of them. `given` turns them back."""

    def decorate(function: _Function) -> _Function:
        signature = inspect.signature(function, eval_str=True)
        kept = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        names = {p.name for p in kept}
        wanted = [flag for flag in FLAGS if flag.group in groups and (not only or flag.name in only)]
        made = [_parameter(flag) for flag in wanted if _identifier(flag) not in names]
        parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in (*kept, *made)]
        function.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]  # inspect reads it
        function.__annotations__ = {p.name: p.annotation for p in parameters}
        return function

    return decorate


def given(flags: Mapping[str, Any]) -> dict[str, FlagValue]:
    """The flags that were given, by their names in the table."""
    by_identifier = {_identifier(flag): flag.name for flag in FLAGS}
    return {by_identifier[key]: value for key, value in flags.items() if value not in (None, False, [], ())}


def _identifier(flag: Flag) -> str:
    return f"flag_{flag.name.replace('-', '_')}"


def _parameter(flag: Flag) -> inspect.Parameter:
    switch, several = flag.kind == "switch", flag.kind == "list"
    option = typer.Option(
        f"--{flag.name}",
        metavar=None if switch else flag.metavar,
        help=_help(flag),
        show_default=False,
        rich_help_panel=PANELS[flag.group],
        autocompletion=completing.of_flag(flag),
    )
    hint: Any = bool if switch else list[str] if several else str
    annotation: Any = Annotated[hint if switch else hint | None, option]
    default = False if switch else None
    return inspect.Parameter(_identifier(flag), inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)


def _help(flag: Flag) -> str:
    """What it means, what may be written, and an example, as far as the words don't say so already."""
    text = flag.help
    missing = [choice for choice in flag.choices if choice not in text]
    if missing:
        text += f": {', '.join(flag.choices[:-1])} or {flag.choices[-1]}"
    elif flag.kind != "switch" and flag.example and not flag.choices:
        text += f" (e.g. {flag.example})"
    return f"{text}; repeatable" if flag.kind == "list" else text
