"""`kubectl netweather …`: NetworkConditions of a cluster by the words and flags of the command line.

kubectl finds it as the program `kubectl-netweather`. Not here: what a node does (agent), and what an object means (netweather.kubernetes).
"""

from __future__ import annotations

from collections.abc import Sequence

from netweather.cli import main as _main

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command line of the plugin. Returns its exit code."""
    return _main(arguments, program="netweather.cli.kubectl.plugin_app")
