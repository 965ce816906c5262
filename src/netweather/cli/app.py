"""The program `netweather`: a group of commands, each loaded when it is called. Not here: what they do."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import click

from netweather.cli import command_factory
from netweather.cli import completion as completing
from netweather.cli.command_list import COMMANDS, CommandEntry
from netweather.cli.output import say
from netweather.errors import UsageError

_ABOUT = (
    """Degrades the network of a running container, pod, process or namespace, measures the effect, and restores the network."""
)
_EXAMPLES = """
netweather targets
netweather set docker:shop-api --delay 100ms --loss 1% --for 5m
netweather show
netweather clear docker:shop-api
# complete words in this shell: targets, options, profiles
source <(netweather --completion bash)
"""


class Commands(command_factory.Command, click.Group):
    """Commands by name; only the one that is called is imported. examples: of the program; options: beside --version and --debug."""

    def __init__(
        self, entries: Sequence[CommandEntry], about: str, examples: str, options: Sequence[command_factory.Option] = ()
    ) -> None:
        version = command_factory.Option(
            ["--version"], is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="print the version"
        )
        debug = command_factory.Option(
            ["--debug"], is_flag=True, expose_value=False, help="show tracebacks (may be anywhere in the command)"
        )
        parameters = [version, debug, *options]
        super().__init__(
            None, help=about, epilog=examples, params=parameters, callback=_without_command, invoke_without_command=True
        )
        self.entries = {entry.name: entry for entry in entries}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = self.entries.get(cmd_name)
        return importlib.import_module(entry.path).command if entry else None

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if not ctx.resilient_parsing and args[0] not in self.entries:
            raise _unknown_command(args[0], self.entries)
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(entry.name, entry.summary) for entry in self.entries.values()])
        super().format_options(ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_epilog(ctx, formatter)
        formatter.write_paragraph()
        formatter.write(f"  `{ctx.command_path} COMMAND --help` shows details and examples.\n")

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        return completing.items([(entry.name, entry.summary) for entry in self.entries.values()], incomplete)


def _unknown_command(word: str, known: Sequence[str] | dict[str, CommandEntry]) -> UsageError:
    from netweather.errors import unknown

    return unknown("unknown-command", word, known)


def _show_version(context: click.Context, parameter: click.Parameter, asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        say(f"netweather {version('netweather')}")
        context.exit()


def _show_completion(context: click.Context, parameter: click.Parameter, shell: str | None) -> None:
    if shell and not context.resilient_parsing:
        say(completing.script(context.command, shell))
        context.exit()


@click.pass_context
def _without_command(context: click.Context) -> None:
    if context.invoked_subcommand is None:
        say(context.get_help())


def program() -> Commands:
    """The whole program as a command, for `run`, tests and the reference pages."""
    completion = command_factory.Option(
        ["--completion"], metavar="SHELL", type=click.Choice(completing.SHELLS), is_eager=True, expose_value=False,
        callback=_show_completion, help="print the script by which bash, zsh or fish completes words",
    )  # fmt: skip
    return Commands(COMMANDS, _ABOUT, _EXAMPLES, [completion])


def run(words: Sequence[str]) -> int:
    """Runs a command line. Returns its exit code; raises what went wrong."""
    asked = completing.answer(program)
    return command_factory.run(program(), words, "netweather") if asked is None else asked
