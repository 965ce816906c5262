"""The condition language: what is wrong, with which traffic, for how long; its spellings and checks. Pure.

Not here: kernels, engines, targets. The model is imported at once; loaders, flags, profiles and the rest when first used,
so that importing this package stays quick and needs neither pydantic nor a YAML library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from netweather.conditions.loss import (
    LOSS_MODELS,
    Loss,
    LossBurst,
    LossEvery,
    LossGemodel,
    LossList,
    LossRandom,
    LossState,
)
from netweather.conditions.match import Connection, Direction, Exclude, Family, Match, PortRange, Protocol, TcpFlags
from netweather.conditions.model import (
    DEFAULT_LEASE,
    FOREVER,
    Block,
    Condition,
    Corrupt,
    Delay,
    Duplicate,
    Engine,
    Forever,
    Lease,
    NetworkCondition,
    Queue,
    RateLimit,
    Reorder,
    Rule,
    Slot,
)

if TYPE_CHECKING:
    from netweather.conditions.dumping import dump, dump_condition, dump_json, dump_rule, dump_yaml
    from netweather.conditions.flags import (
        FLAGS,
        Flag,
        network_condition_from_flags,
        network_condition_to_flags,
        rule_from_flags,
        rule_to_flags,
    )
    from netweather.conditions.loading import load, load_condition, load_json, load_rule, load_yaml
    from netweather.conditions.validation import validate, validate_condition, validate_rule

_LAZY = {
    "dumping": ("dump", "dump_condition", "dump_json", "dump_rule", "dump_yaml"),
    "flags": ("FLAGS", "Flag", "network_condition_from_flags", "network_condition_to_flags", "rule_from_flags", "rule_to_flags"),
    "loading": ("load", "load_condition", "load_json", "load_rule", "load_yaml"),
    "validation": ("validate", "validate_condition", "validate_rule"),
}


def __getattr__(name: str) -> Any:
    for module, names in _LAZY.items():
        if name in names:
            value = getattr(import_module(f"netweather.conditions.{module}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module 'netweather.conditions' has no attribute {name!r}")


__all__ = [
    "DEFAULT_LEASE",
    "FLAGS",
    "FOREVER",
    "LOSS_MODELS",
    "Block",
    "Condition",
    "Connection",
    "Corrupt",
    "Delay",
    "Direction",
    "Duplicate",
    "Engine",
    "Exclude",
    "Family",
    "Flag",
    "Forever",
    "Lease",
    "Loss",
    "LossBurst",
    "LossEvery",
    "LossGemodel",
    "LossList",
    "LossRandom",
    "LossState",
    "Match",
    "NetworkCondition",
    "PortRange",
    "Protocol",
    "Queue",
    "RateLimit",
    "Reorder",
    "Rule",
    "Slot",
    "TcpFlags",
    "dump",
    "dump_condition",
    "dump_json",
    "dump_rule",
    "dump_yaml",
    "load",
    "load_condition",
    "load_json",
    "load_rule",
    "load_yaml",
    "network_condition_from_flags",
    "network_condition_to_flags",
    "rule_from_flags",
    "rule_to_flags",
    "validate",
    "validate_condition",
    "validate_rule",
]
