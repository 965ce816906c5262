"""Commands as Typer makes them, with plain help pages in sections and errors in our own words.

Plain, because Rich's help costs more time (70 ms) than everything else of `--help` together. Not here: errors' rendering.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Final

import typer
from typer.core import TyperCommand
from typer.main import get_command

from netweather.errors import UsageError

_WIDTH: Final = 80
_MEANT: Final = {
    "latency": "delay", "ping": "rtt", "time": "delay", "variation": "jitter",
    "drop": "block", "packet-loss": "loss", "corruption": "corrupt", "dup": "duplicate", "reordering": "reorder",
    "bandwidth": "rate", "throughput": "rate", "speed": "rate", "bitrate": "rate", "bw": "rate",
    "duration": "for", "lease": "for", "ttl": "for", "timeout": "for",
    "peer": "to", "dst": "to", "dest": "to", "destination": "to", "target": "to", "src": "to", "from": "to", "cidr": "to", "ip": "to",
    "ports": "port", "dport": "port", "sport": "port", "proto": "protocol", "dev": "interface", "iface": "interface",
    "dir": "direction", "output": "json", "format": "json", "follow": "watch", "file": "f", "percent": "share",
}  # fmt: skip
"""What other tools call it: for errors that name the option that was meant."""


class Page(TyperCommand):
    """One command: its help page has a section for each kind of option, and examples at the end."""

    def get_params(self, ctx: Any) -> list[Any]:
        return as_typed(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not ctx.resilient_parsing:
            check_words(self, ctx, args)
        return super().parse_args(ctx, args)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                usual = "Arguments" if parameter.param_type_name == "argument" else "Options"
                title = getattr(parameter, "rich_help_panel", None) or usual
                sections.setdefault(title, []).append(_tidy(record, parameter))
        for title, rows in sorted(sections.items(), key=lambda section: _rank(section[0])):
            with formatter.section(title):
                formatter.write_dl(rows, col_max=26)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        write_examples(formatter, self.epilog or "")

    def get_help(self, ctx: Any) -> str:
        return coloured_help(super().get_help(ctx))


PANELS: Final = ("Arguments", "What is wrong", "Which traffic", "The network condition", "Which cluster", "Options")
"""The sections of a page, in their order."""


def _rank(title: str) -> int:
    return PANELS.index(title) if title in PANELS else len(PANELS) - 1


def _tidy(record: tuple[str, str], parameter: Any) -> tuple[str, str]:
    """An argument's row as its metavar alone, without the type that Typer adds."""
    name, text = record
    if parameter.param_type_name != "argument":
        return name, text
    return (parameter.metavar or name) + ("..." if parameter.nargs != 1 else ""), text


def command(function: Callable[..., Any], *, name: str, examples: str = "") -> Any:
    """The Typer command of a function: options by its signature, the page's text by its docstring."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command(name, cls=Page, epilog=examples.strip("\n"), context_settings={"help_option_names": ["--help", "-h"]})(function)
    return get_command(app)


class _AsTyped:
    """Stands in for Typer's conversion of values: ours are texts and switches, and the codec of the conditions reads them."""

    def coerce(self, value: Any, **_: Any) -> Any:
        return value


def as_typed(parameters: list[Any]) -> list[Any]:
    """The same parameters without pydantic, which Typer would import (70 ms) to find that a text is a text."""
    for parameter in parameters:
        if hasattr(parameter, "_runtime_param"):
            parameter._runtime_param = _AsTyped()
    return parameters


def write_examples(formatter: Any, examples: str) -> None:
    """Examples as they are, one a line, with `#` lines between them."""
    lines = examples.strip("\n").splitlines()
    if lines:
        with formatter.section("Examples"):
            for line in lines:
                formatter.write(f"  {line}".rstrip() + "\n")


def coloured_help(text: str) -> str:
    """A help page with its headings in bold where that can be seen."""
    import sys

    from netweather.cli.output import coloured

    if not coloured(sys.stdout):
        return text
    text = re.sub(r"^(\S[^\n]*:)$", "\033[1m\\1\033[0m", text, flags=re.MULTILINE)
    return re.sub(r"^(Usage:)", "\033[1m\\1\033[0m", text)


def check_words(command: Any, ctx: Any, words: list[str]) -> None:
    """Refuses unknown options and missing values in our own words, before Typer's parser would.

    Raises UsageError: unknown-option, missing-value, unwanted-value.
    """
    options = {
        spelt: parameter for parameter in command.get_params(ctx) for spelt in (*parameter.opts, *parameter.secondary_opts)
    }
    rest = iter(enumerate(words))
    for index, word in rest:
        if word == "--":
            return
        if not word.startswith("-") or word == "-" or re.fullmatch(r"-[0-9.].*", word):
            continue
        spelt, equals, _ = word.partition("=")
        short = options.get(word[:2])
        if spelt not in options and short is not None and not word.startswith("--") and _takes_value(short):
            continue
        if spelt not in options:
            raise unknown_option(spelt, options, ctx.command_path)
        if not _takes_value(options[spelt]):
            if equals:
                raise UsageError("unwanted-value", f"{spelt} takes no value", "it is a switch", f"write {spelt} alone")
        elif not equals:
            following = words[index + 1] if index + 1 < len(words) else None
            if following is None or following.partition("=")[0] in options:
                raise _missing_value(spelt, options[spelt], following)
            next(rest)


def _takes_value(parameter: Any) -> bool:
    return parameter.param_type_name == "option" and not parameter.is_flag and not parameter.count


def _missing_value(spelt: str, parameter: Any, following: str | None) -> UsageError:
    example = re.search(r"e\.g\. ([^)]+)\)", parameter.help or "")
    why = f"{following} follows it" if following else "the line ends there"
    remedy = f"write {spelt} {example[1] if example else parameter.metavar or 'VALUE'}"
    return UsageError("missing-value", f"{spelt} needs a value", why, remedy)


def unknown_option(spelt: str, options: Iterable[str], path: str) -> UsageError:
    """The error for an option that is not there, with the nearest that is."""
    from difflib import get_close_matches

    known = [option for option in options if option.startswith("--")]
    word = spelt.lstrip("-").lower().replace("_", "-")
    meant = f"--{word}" if f"--{word}" in known else f"--{_MEANT.get(word, '')}"
    near = [meant] if meant in known else get_close_matches(f"--{word}", known, 1, 0.6)
    remedy = f"did you mean {near[0]}?" if near else f"`{path} --help` lists the options"
    return UsageError("unknown-option", f"{path} has no option {spelt}", "", remedy)
