"""The program `kubectl netweather`: its commands, loaded when they are called. Not here: what they do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from netweather.cli import command_factory
from netweather.cli.app import Commands
from netweather.cli.command_list import Entry

NAME: Final = "kubectl netweather"
_ABOUT = """Degrades the network of pods until the lease ends. It writes NetworkConditions and shows their status."""
_EXAMPLES = """
kubectl netweather doctor
kubectl netweather set deployment/shop --to service/db --delay 100ms --for 5m
kubectl netweather show
kubectl netweather clear deployment/shop
"""
COMMANDS: Final = (
    Entry("set", "degrade the network of pods", "kubectl.set"),
    Entry("show", "list the conditions of a namespace and the pods where they are in force", "kubectl.show"),
    Entry("clear", "end conditions and restore the network", "kubectl.clear"),
    Entry("verify", "check whether each condition is in force on all its pods", "kubectl.verify"),
    Entry("doctor", "check whether Netweather is installed and ready, and your rights", "kubectl.doctor"),
)


def program() -> Commands:
    """The whole program as a command, for `run`, tests and the reference pages."""
    return Commands(COMMANDS, _ABOUT, _EXAMPLES)


def run(words: Sequence[str]) -> int:
    """Runs a command line. Returns its exit code; raises what went wrong."""
    return command_factory.run(program(), words, NAME)
