"""The commands: one line each, so that `netweather --help` imports none of their modules.

A command NAME is the module netweather.cli.commands.NAME with a function `command()` that returns the command object. To add one, add a
line to COMMANDS and that module.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Entry:
    """A command: its name, and what it does in a few words (the list of `netweather --help`). module: where, unless by name."""

    name: str
    summary: str
    module: str = ""

    @property
    def path(self) -> str:
        return f"netweather.cli.{self.module or f'commands.{self.name}'}"


COMMANDS: Final = (
    Entry("doctor", "check what this machine supports, with remedies"),
    Entry("set", "degrade the network of a target"),
    Entry("show", "show conditions in force, matched packets and the time left"),
    Entry("verify", "measure the effect of conditions with probe packets"),
    Entry("stats", "count socket calls, bytes, errors, latency and TCP events", "extras.stats"),
    Entry("clear", "end conditions and restore the network"),
    Entry("recover", "remove what crashed processes left behind"),
    Entry("partition", "block traffic between groups of targets"),
    Entry("scenario", "set conditions by a timeline"),
    Entry("connections", "list a target's connections and the rules that match them"),
    Entry("reset", "reset connections (TCP RST)"),
    Entry("targets", "list possible targets"),
    Entry("explain", "predict how a condition affects an application"),
    Entry("profiles", "list named conditions: 3g, lossy-wifi, satellite, …"),
    Entry("web", "film a web page on several networks, side by side", "extras.web"),
    Entry("record", "measure real traffic and write a profile from it", "extras.record"),
    Entry("run", "run a command in its own degraded network", "trials.run"),
    Entry("matrix", "run a command on several networks and compare the results", "trials.matrix"),
    Entry("find-limit", "find how bad the network may get before a command fails", "trials.find_limit"),
    Entry("agent", "run the service that manages conditions on this machine"),
    Entry("operator", "run the Kubernetes operator"),
    Entry("scope-plugin", "run the plugin for Weave Scope", "extras.scope_plugin"),
    Entry("demo", "run a small web shop on five networks", "extras.demo"),
)
"""In the order of `--help`: by use, not by letter."""

BY_NAME: Final = {entry.name: entry for entry in COMMANDS}
