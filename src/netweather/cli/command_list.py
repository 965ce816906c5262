"""The commands: one line each, so that `netweather --help` imports none of their modules.

A command NAME is the module netweather.cli.commands.NAME with a function `command()` that returns the command object. To add one, add a
line to COMMANDS and that module.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class CommandEntry:
    """A command: its name, and what it does in a few words (the list of `netweather --help`). module: where, unless by name."""

    name: str
    summary: str
    module: str = ""

    @property
    def path(self) -> str:
        return f"netweather.cli.{self.module or f'commands.{self.name}'}"


COMMANDS: Final = (
    CommandEntry("doctor", "check what this machine supports, with remedies"),
    CommandEntry("set", "degrade the network of a target"),
    CommandEntry("show", "show conditions in force, matched packets and the time left"),
    CommandEntry("verify", "measure the effect of conditions with probe packets"),
    CommandEntry("stats", "count socket calls, bytes, errors, latency and TCP events", "extras.stats"),
    CommandEntry("clear", "end conditions and restore the network"),
    CommandEntry("recover", "remove what crashed processes left behind"),
    CommandEntry("partition", "block traffic between groups of targets"),
    CommandEntry("scenario", "set conditions by a timeline"),
    CommandEntry("connections", "list a target's connections and the rules that match them"),
    CommandEntry("reset", "reset connections (TCP RST)"),
    CommandEntry("targets", "list possible targets"),
    CommandEntry("explain", "predict how a condition affects an application"),
    CommandEntry("profiles", "list named conditions: 3g, lossy-wifi, satellite, …"),
    CommandEntry("web", "film a web page on several networks, side by side", "extras.web"),
    CommandEntry("record", "measure real traffic and write a profile from it", "extras.record"),
    CommandEntry("run", "run a command in its own degraded network", "trials.run"),
    CommandEntry("matrix", "run a command on several networks and compare the results", "trials.matrix"),
    CommandEntry("find-limit", "find how bad the network may get before a command fails", "trials.find_limit"),
    CommandEntry("agent", "run the service that manages conditions on this machine"),
    CommandEntry("operator", "run the Kubernetes operator"),
    CommandEntry("scope-plugin", "run the plugin for Weave Scope", "extras.scope_plugin"),
    CommandEntry("demo", "run a small web shop on five networks", "extras.demo"),
)
"""In the order of `--help`: by use, not by letter."""

BY_NAME: Final = {entry.name: entry for entry in COMMANDS}
