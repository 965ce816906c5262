"""Peers whose addresses changed, put in force: the conditions stay as they are, and so do their leases and counters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from netweather.engine.core import Engine
from netweather.kernel.datapath.spec import RulePrefix
from netweather.planning.rules import InForce
from netweather.planning.vectors import normal_prefix
from netweather.targets import Target


def words(engine: Engine, target: Target) -> tuple[str, ...]:
    """Every peer that the conditions on a target name, in the users' words, each once. Raises NetweatherError broken-journal."""
    entry = engine.journal.read(target.identity)
    return tuple(dict.fromkeys(word for each in entry.conditions for word in each.peers)) if entry else ()


def repeer(engine: Engine, target: Target, peers: Mapping[str, tuple[RulePrefix, ...]]) -> bool:
    """Lets every condition on a target mean these addresses by those words; whether anything changed.

    Words that no condition names are left out. Returns when the kernel was read back. Raises NetweatherError; nothing is changed then.
    """
    return engine.rewrite(target, lambda conditions: [_meaning(each, peers) for each in conditions])


def _meaning(active: InForce, peers: Mapping[str, tuple[RulePrefix, ...]]) -> InForce:
    told = {word: tuple(normal_prefix(str(prefix)) for prefix in peers[word]) for word in active.peers if word in peers}
    return replace(active, peers={**active.peers, **told})
