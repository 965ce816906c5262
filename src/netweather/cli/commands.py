"""The commands there are: one line each, so that `netweather --help` needs none of their modules.

A command NAME is the module netweather.cli.NAME with the Click command `command`. Adding one: a line here and that module.
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
        return f"netweather.cli.{self.module or self.name}"


COMMANDS: Final = (
    Entry("doctor", "what this kernel and host can do, what is missing, the remedy"),
    Entry("set", "make a target's network bad"),
    Entry("show", "the conditions in force, what they met, and the time left"),
    Entry("verify", "prove it: asked, in the kernel, seen on the wire"),
    Entry("stats", "what a target's sockets do: calls, bytes, errors, latency, TCP"),
    Entry("clear", "end conditions: the network is as it was"),
    Entry("recover", "take away what dead processes left behind"),
    Entry("partition", "groups of targets that can't reach each other"),
    Entry("scenario", "conditions that come and go by a timeline"),
    Entry("connections", "the connections of a target, and the rules that they meet"),
    Entry("reset", "end connections, as a network that forgot them"),
    Entry("targets", "what there is to name as a target"),
    Entry("explain", "what an application will see of a condition, before it is set"),
    Entry("profiles", "named conditions: 3g, lossy-wifi, satellite, …"),
    Entry("web", "a page on several networks, as its users see it, side by side"),
    Entry("record", "learn what a line is like from its connections: a profile"),
    Entry("run", "a command in a bad network of its own"),
    Entry("matrix", "a command on several networks: what passes where"),
    Entry("find-limit", "how bad the network may be before a command fails", "find_limit"),
    Entry("agent", "the service that keeps conditions for all of this machine"),
    Entry("operator", "what a Kubernetes cluster asks for, told to its nodes"),
    Entry("scope-plugin", "buttons and tables in Weave Scope's picture", "scope_plugin"),
    Entry("demo", "a small web shop on five networks, and what its customers see"),
)
"""In the order of `--help`: by use, not by letter."""

BY_NAME: Final = {entry.name: entry for entry in COMMANDS}
