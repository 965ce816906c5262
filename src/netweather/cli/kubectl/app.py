"""The program `kubectl netweather`: its commands, loaded when they are called. Not here: what they do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from netweather.cli import pages
from netweather.cli.app import Commands
from netweather.cli.commands import Entry

NAME: Final = "kubectl netweather"
_ABOUT = """Makes the network of pods as bad as you ask, for as long as you asked: writes NetworkConditions and says what comes of them."""
_EXAMPLES = """
kubectl netweather doctor
kubectl netweather set deployment/shop --to service/db --delay 100ms --for 5m
kubectl netweather show
kubectl netweather clear deployment/shop
"""
COMMANDS: Final = (
    Entry("set", "make pods' network bad", "kubectl.set"),
    Entry("show", "the conditions of a namespace, and on how many pods they are in force", "kubectl.show"),
    Entry("clear", "end conditions", "kubectl.clear"),
    Entry("verify", "whether they are in force, as the nodes' kernels were read back", "kubectl.verify"),
    Entry("doctor", "whether Netweather is installed and ready, and what you may do", "kubectl.doctor"),
)


def program() -> Commands:
    """The whole program as a command, for `run`, tests and the reference pages."""
    return Commands(COMMANDS, _ABOUT, _EXAMPLES)


def run(words: Sequence[str]) -> int:
    """Runs a command line. Returns its exit code; raises what went wrong."""
    return pages.run(program(), words, NAME)
