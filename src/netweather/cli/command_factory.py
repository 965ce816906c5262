"""The command line's kind of Click command: its help page has sections and examples, its errors are ours.

A command is a function with `@command`, below it `@argument` and `@option` for each parameter, in the order of the help page.
Not here: which commands exist (commands), how an error is printed (problems).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import click
from click.exceptions import Exit

from netweather.cli import completion
from netweather.errors import UsageError

_WIDEST: Final = 100
_ALIASES: Final = {
    "latency": "delay", "ping": "rtt", "time": "delay", "variation": "jitter",
    "drop": "block", "packet-loss": "loss", "corruption": "corrupt", "dup": "duplicate", "reordering": "reorder",
    "bandwidth": "rate", "throughput": "rate", "speed": "rate", "bitrate": "rate", "bw": "rate",
    "duration": "for", "lease": "for", "ttl": "for", "timeout": "for",
    "peer": "to", "dst": "to", "dest": "to", "destination": "to", "target": "to", "src": "to", "from": "to", "cidr": "to", "ip": "to",
    "ports": "port", "dport": "port", "sport": "port", "proto": "protocol", "dev": "interface", "iface": "interface",
    "dir": "direction", "output": "json", "format": "json", "follow": "watch", "file": "f", "percent": "share",
}  # fmt: skip
"""Other tools' names for our options: an error about an unknown option proposes ours."""
PANELS: Final = ("Arguments", "Degradation", "Traffic", "The network condition", "Which cluster", "Options")
"""The sections of a help page, in their order."""


class Option(click.Option):
    """An option of a command. panel: its section of the help page, one of PANELS."""

    def __init__(self, names: Sequence[str], *, panel: str = PANELS[-1], **facts: Any) -> None:
        super().__init__(names, **facts)
        self.panel = panel

    def type_cast_value(self, ctx: click.Context, value: Any) -> Any:
        """The value. Raises UsageError(code="missing-value") when another option stands in its place: Click would take that."""
        for word in value if isinstance(value, list | tuple) else (value,):
            if not ctx.resilient_parsing and isinstance(word, str) and word.partition("=")[0] in _spellings(ctx):
                raise _missing_value(self.opts[0], self, f"{word} follows it")
        return super().type_cast_value(ctx, value)


class Argument(click.Argument):
    """An argument of a command; it has a line in the help page, as options do."""

    panel = PANELS[0]

    def __init__(self, names: Sequence[str], *, help: str = "", **facts: Any) -> None:  # noqa: A002 - Click's name for it
        super().__init__(names, **facts)
        self.help = help
        self._word = f"{self.metavar}{'...' if self.nargs != 1 else ''}"

    def get_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [self._word if self.required else self._word.replace(str(self.metavar), f"[{self.metavar}]")]

    def get_help_record(self, ctx: click.Context) -> tuple[str, str]:
        return self._word, f"{self.help}  [required]" if self.required else str(self.help)


class Command(click.Command):
    """A command: its help page has a section for each panel, and examples (`epilog`) at the end."""

    def __init__(self, name: str | None, **facts: Any) -> None:
        settings = {"help_option_names": ["--help", "-h"], "max_content_width": _WIDEST}
        super().__init__(name, context_settings=settings, **facts)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As Click does. Raises our UsageError in place of Click's."""
        words = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            raise _usage_error(error, ctx, words) from error

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.format_usage(ctx, formatter)
        self.format_help_text(ctx, formatter)
        self.format_options(ctx, formatter)
        self.format_epilog(ctx, formatter)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {title: [] for title in PANELS}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                sections[getattr(parameter, "panel", PANELS[-1])].append(record)  # Click's own --help has no panel
        for title, rows in sections.items():
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows, col_max=26)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The examples as they are: a command or a comment in each line."""
        if self.epilog:
            with formatter.section("Examples"):
                for line in self.epilog.strip("\n").splitlines():
                    formatter.write(f"  {line}".rstrip() + "\n")

    def get_help(self, ctx: click.Context) -> str:
        return coloured_help(super().get_help(ctx))


def command(name: str, *, examples: str) -> Callable[[Callable[..., Any]], Command]:
    """A decorator: makes a function a command. Its docstring is the text of the help page."""
    return click.command(name, cls=Command, epilog=examples)


def option(
    *names: str, complete: completion.Completer | None = None, **facts: Any
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator: gives a command an option. complete: proposes values; facts: of `Option` and `click.Option`."""
    return click.option(*names, cls=Option, shell_complete=completion.for_click(complete), **facts)


def argument(
    name: str, *, complete: completion.Completer | None = None, **facts: Any
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator: gives a command an argument. complete: proposes values; facts: of `Argument` and `click.Argument`."""
    return click.argument(name, cls=Argument, shell_complete=completion.for_click(complete), **facts)


def run(program: click.Command, words: Sequence[str], name: str) -> int:
    """Runs a command line without the program's name. Returns the exit code; raises what went wrong."""
    try:
        with program.make_context(name, list(words)) as context:
            outcome = program.invoke(context)
    except Exit as end:  # --help, --version
        return end.exit_code
    return outcome if isinstance(outcome, int) else 0


def coloured_help(text: str) -> str:
    """A help page with its headings in bold where that can be seen."""
    import sys

    from netweather.cli.output import coloured

    if not coloured(sys.stdout):
        return text
    text = re.sub(r"^(\S[^\n]*:)$", "\033[1m\\1\033[0m", text, flags=re.MULTILINE)
    return re.sub(r"^(Usage:)", "\033[1m\\1\033[0m", text)


# What is wrong with a command line


def _spellings(ctx: click.Context) -> dict[str, click.Parameter]:
    """Each option of the command, by each of its names."""
    return {name: each for each in ctx.command.get_params(ctx) if each.param_type_name == "option" for name in each.opts}


def _usage_error(error: click.UsageError, ctx: click.Context, words: Sequence[str]) -> UsageError:
    """Our error for Click's. words: the command's, as they were typed."""
    path, options = ctx.command_path, _spellings(ctx)
    remedy = f"`{path} --help` shows how it is written"
    match error:
        case click.NoSuchOption():
            return _unknown_option(_whole(error.option_name, words), options, path)
        case click.BadOptionUsage():
            known = options[error.option_name]
            if getattr(known, "is_flag", False):
                spelt = error.option_name
                return UsageError("unwanted-value", f"{spelt} takes no value", "it is a switch", f"write {spelt} alone")
            return _missing_value(error.option_name, known, "the command ends after it")
        case click.MissingParameter():
            word = error.param.human_readable_name if error.param else "an argument"
            return UsageError("missing-argument", f"{path}: {word} is missing", "", remedy)
        case click.BadParameter():
            return UsageError("bad-usage", f"{path}: {_sentence(error)}", "", remedy)
    return UsageError("extra-argument", f"{path}: {_sentence(error)}", "", remedy)


def _sentence(error: click.UsageError) -> str:
    message = error.format_message().rstrip(".")
    return message[:1].lower() + message[1:]


def _whole(name: str, words: Sequence[str]) -> str:
    """An unknown option as it was typed: of `-delay`, Click names only `-d`."""
    typed = [word.partition("=")[0] for word in words if word.startswith(name)]
    return typed[0] if typed and not name.startswith("--") else name


def _missing_value(spelt: str, parameter: click.Parameter, why: str) -> UsageError:
    example = re.search(r"e\.g\. ([^)]+)\)", getattr(parameter, "help", None) or "")
    remedy = f"write {spelt} {example[1] if example else parameter.metavar or 'VALUE'}"
    return UsageError("missing-value", f"{spelt} needs a value", why, remedy)


def _unknown_option(spelt: str, options: Iterable[str], path: str) -> UsageError:
    """With the nearest option that exists."""
    from difflib import get_close_matches

    known = [name for name in options if name.startswith("--")]
    word = spelt.lstrip("-").lower().replace("_", "-")
    meant = f"--{word}" if f"--{word}" in known else f"--{_ALIASES.get(word, '')}"
    near = [meant] if meant in known else get_close_matches(f"--{word}", known, 1, 0.6)
    remedy = f"did you mean {near[0]}?" if near else f"`{path} --help` lists the options"
    return UsageError("unknown-option", f"{path} has no option {spelt}", "", remedy)
