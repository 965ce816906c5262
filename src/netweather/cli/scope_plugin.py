"""`netweather scope-plugin`: buttons and tables in Weave Scope's picture. Not here: the plugin (netweather.scope)."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from netweather.cli import pages
from netweather.cli.options import Direct
from netweather.conditions import builtin_profiles, find_profile
from netweather.connecting import connect, need_root
from netweather.errors import NetweatherError
from netweather.settings import Settings
from netweather.units import Duration

if TYPE_CHECKING:
    from netweather.conditions import Profile

_EXAMPLES = """
sudo netweather scope-plugin
# what it sets ends after two minutes, and three profiles have buttons
sudo netweather scope-plugin --for 2m --profile 3g --profile satellite \\
  --profile blackhole
"""


def _scope_plugin(
    *,
    lease: Annotated[
        str, typer.Option("--for", metavar="TIME", help="how long it holds what it sets; 10m", show_default=False)
    ] = "",
    profiles: Annotated[
        list[str] | None,
        typer.Option(
            "--profile", metavar="NAME", help="a button for this profile (unless given, for each); repeatable", show_default=False
        ),
    ] = None,
    root: Annotated[
        str, typer.Option("--root", metavar="PATH", help="where the probe looks for plugins")
    ] = "/var/run/scope/plugins",
    id: Annotated[str, typer.Option("--id", metavar="NAME", help="the plugin's name in Scope")] = "traffic-control",  # noqa: A002 - Scope's
    direct: Direct = False,
) -> None:
    """Weave Scope's plugin: each container's conditions in its picture, and buttons that set them.

    A drop-in for Scope's own traffic-control plugin. Goes through the agent when there is one; the socket in Scope's folder
    needs root. What was set ends in time, also when the plugin is killed.
    """
    need_root()
    settings = Settings.load()
    chosen = _profiles(profiles or [], settings)
    try:
        # By name: front ends don't import each other, and who has not the extra still has the command line.
        serving = importlib.import_module("netweather.scope.serving")
    except ModuleNotFoundError as error:
        why = f"the package {error.name} is not installed"
        raise NetweatherError("no-scope-extra", "this installation has no plugin", why, "install netweather[scope]") from error
    length = Duration.parse(lease) if lease else settings.lease
    serving.run(settings, connect(settings, direct=direct), serving.Wanted(length, chosen, Path(root), id))


def _profiles(names: list[str], settings: Settings) -> dict[str, Profile]:
    """Those of these names, or all: ours and the user's own. Raises UsageError."""
    from netweather.conditions.embedding import own_profiles

    own = own_profiles(settings.profiles)
    if not names:
        return {**builtin_profiles(), **own}
    found = [find_profile(name, own) for name in names]
    return {each.name: each for each in found}


def command() -> Any:
    """The Typer command."""
    return pages.command(_scope_plugin, name="scope-plugin", examples=_EXAMPLES)
