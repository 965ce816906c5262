"""`netweather scope-plugin`: buttons and tables in Weave Scope's picture. Not here: the plugin (netweather.scope)."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from netweather.cli import command_factory
from netweather.cli.options import direct_option
from netweather.conditions import builtin_profiles, find_profile
from netweather.connecting import connect, need_root
from netweather.errors import NetweatherError
from netweather.settings import Settings
from netweather.units import Duration

if TYPE_CHECKING:
    from netweather.conditions import Profile

_EXAMPLES = """
sudo netweather scope-plugin
# a lease of two minutes; "next network" steps through these profiles
sudo netweather scope-plugin --for 2m --profile 3g --profile satellite \\
  --profile blackhole
# these controls alone
sudo netweather scope-plugin --control clear --control end-all \\
  --control profile-3g --control bandwidth-low
"""


@command_factory.command("scope-plugin", examples=_EXAMPLES)
@command_factory.option(
    "--for", "lease", metavar="TIME", default="", help="lease of the conditions that a click sets (default: 10m)"
)
@command_factory.option(
    "--profile",
    "profiles",
    metavar="NAME",
    multiple=True,
    help="a profile for the control next-profile (each click sets the next of these profiles); repeatable",
)
@command_factory.option(
    "--control", "panel", metavar="NAME", multiple=True, help="a control to show, instead of the default ones; repeatable"
)
@command_factory.option(
    "--before-1.13", "before_1_13", is_flag=True, help="report controls in the form that Scope before 1.13 reads"
)
@command_factory.option(
    "--root", metavar="PATH", default="/var/run/scope/plugins", show_default=True, help="where the probe looks for plugins"
)
@command_factory.option(
    "--id", "identifier", metavar="NAME", default="traffic-control", show_default=True, help="the plugin's name in Scope"
)
@direct_option
def command(
    *, lease: str, profiles: tuple[str, ...], panel: tuple[str, ...], before_1_13: bool, root: str, identifier: str, direct: bool
) -> None:
    """Runs the plugin for Weave Scope: it shows each container's conditions in Scope, and adds controls that set them.

    It replaces Scope's own traffic-control plugin. It uses the agent when there is one. It needs root, for the socket in Scope's
    folder. A condition that a click sets ends with its lease, even if the plugin is killed.
    """
    need_root()
    settings = Settings.load()
    found, steps = _profiles(profiles, settings)
    try:
        # By name: front ends don't import each other, and who has not the extra still has the command line.
        serving = importlib.import_module("netweather.scope.plugin_process")
    except ModuleNotFoundError as error:
        why = f"the package {error.name} is not installed"
        raise NetweatherError("no-scope-extra", "this installation has no plugin", why, "install netweather[scope]") from error
    length = Duration.parse(lease) if lease else settings.lease
    wanted = serving.PluginSettings(length, found, Path(root), identifier, steps, panel, before_1_13)
    serving.run(settings, connect(settings, direct=direct), wanted)


def _profiles(names: Sequence[str], settings: Settings) -> tuple[dict[str, Profile], tuple[str, ...]]:
    """All profiles, ours and the user's own; and the names of those that these mean. Raises UsageError."""
    from netweather.conditions.embedding import own_profiles

    own = own_profiles(settings.profiles)
    return {**builtin_profiles(), **own}, tuple(find_profile(name, own).name for name in names)
