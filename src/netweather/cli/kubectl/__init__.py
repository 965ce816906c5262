"""`kubectl netweather …`: NetworkConditions of a cluster by the words and flags of the command line.

kubectl finds it as the program `kubectl-netweather`. Not here: what a node does (agent), and what an object means (netweather.kubernetes).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from netweather.cli import command_factory as _command_factory
from netweather.cli import main as _main
from netweather.cli.app import Commands as _Commands
from netweather.cli.command_list import CommandEntry as _Entry

__all__ = ["COMMANDS", "NAME", "main", "program", "run"]

NAME: Final = "kubectl netweather"
_ABOUT = """Degrades the network of pods until the lease ends. It writes NetworkConditions and shows their status."""
_EXAMPLES = """
kubectl netweather doctor
kubectl netweather set deployment/shop --to service/db --delay 100ms --for 5m
kubectl netweather show
kubectl netweather clear deployment/shop
"""
COMMANDS: Final = (
    _Entry("set", "degrade the network of pods", "kubectl.set"),
    _Entry("show", "list the conditions of a namespace and the pods where they are in force", "kubectl.show"),
    _Entry("clear", "end conditions and restore the network", "kubectl.clear"),
    _Entry("verify", "check whether each condition is in force on all its pods", "kubectl.verify"),
    _Entry("doctor", "check whether Netweather is installed and ready, and your rights", "kubectl.doctor"),
)


def program() -> _Commands:
    """The whole program as a command, for `run`, tests and the reference pages."""
    return _Commands(COMMANDS, _ABOUT, _EXAMPLES)


def run(words: Sequence[str]) -> int:
    """Runs a command line. Returns its exit code; raises what went wrong."""
    return _command_factory.run(program(), words, NAME)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command line of the plugin. Returns its exit code."""
    return _main(arguments, program=__name__)
