"""The program `netweather`: a Typer group whose commands are loaded when they are called. Not here: what they do."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, ClassVar

import typer
from typer.core import TyperGroup
from typer.main import get_command

from netweather.cli.commands import COMMANDS, Entry
from netweather.cli.pages import Page, as_typed, check_words, coloured_help, write_examples
from netweather.errors import UsageError

_ABOUT = """Makes the network of a running container as bad as you ask, keeps it so for as long as you asked, and gives it back
untouched."""
_EXAMPLES = """
netweather targets
netweather set docker:shop-api --delay 100ms --loss 1% --for 5m
netweather show
netweather clear docker:shop-api
"""


class Commands(TyperGroup):
    """The commands by name; only the one that is called is imported. entries, examples: of the program."""

    entries: ClassVar[Sequence[Entry]] = COMMANDS
    examples: ClassVar[str] = _EXAMPLES

    def get_params(self, ctx: Any) -> list[Any]:
        return as_typed(super().get_params(ctx))

    def list_commands(self, ctx: Any) -> list[str]:
        return [entry.name for entry in self.entries]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        entry = next((each for each in self.entries if each.name == cmd_name), None)
        return importlib.import_module(entry.path).command() if entry else None

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        if not ctx.resilient_parsing and args[0] not in (known := self.list_commands(ctx)):
            raise _unknown_command(args[0], known)
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not ctx.resilient_parsing:
            first = next((i for i, word in enumerate(args) if not word.startswith("-")), len(args))
            check_words(self, ctx, args[:first])
        return super().parse_args(ctx, args)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(entry.name, entry.summary) for entry in self.entries])
        Page.format_options(self, ctx, formatter)  # type: ignore[arg-type]  # it needs no more than a command's parameters

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        write_examples(formatter, self.examples)
        formatter.write_paragraph()
        formatter.write(f"  `{ctx.command_path} COMMAND --help` tells more, with examples.\n")

    def get_help(self, ctx: Any) -> str:
        return coloured_help(super().get_help(ctx))

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        from netweather.cli.completing import items

        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        return items([(entry.name, entry.summary) for entry in self.entries], incomplete)


def _unknown_command(word: str, known: Iterable[str]) -> UsageError:
    from netweather.conditions.nearest import unknown

    return unknown("unknown-command", word, known)


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"netweather {version('netweather')}")
        raise typer.Exit


def _program(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="print the version", callback=_show_version, is_eager=True)] = False,
    debug: Annotated[bool, typer.Option("--debug", help="show tracebacks (may stand anywhere)")] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def program() -> Any:
    """The whole program as a command, for `run`, tests and the reference pages."""
    return make_program(Commands, _ABOUT)


def make_program(commands: type[Commands], about: str) -> Any:
    """A program of these commands."""
    app = typer.Typer(
        cls=commands,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        invoke_without_command=True,
        help=about,
        context_settings={"help_option_names": ["--help", "-h"]},
    )
    app.callback()(_program)
    return get_command(app)


def run(words: Sequence[str]) -> int:
    """Runs a command line. Returns its exit code; raises what went wrong."""
    from netweather.cli.completing import prepare

    prepare()
    outcome = program().main(args=list(words), prog_name="netweather", standalone_mode=False)
    return outcome if isinstance(outcome, int) else 0
