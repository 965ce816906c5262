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
    EngineName,
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
    from netweather.conditions.distributions import (
        SCALE,
        MeasuredDistribution,
        delay_at,
        format_table,
        from_samples,
        load_table,
        parse_table,
        table_of,
    )
    from netweather.conditions.estimates.explanation import BASE_RTT, Explanation, explain, explain_rule
    from netweather.conditions.estimates.traps import Trap
    from netweather.conditions.language.dumping import dump, dump_condition, dump_json, dump_rule, dump_yaml
    from netweather.conditions.language.flags import (
        FLAGS,
        Flag,
        FlagValue,
        network_condition_from_flags,
        network_condition_to_flags,
        rule_from_flags,
        rule_to_flags,
    )
    from netweather.conditions.language.loading import API_VERSION, KIND, load, load_condition, load_json, load_rule, load_yaml
    from netweather.conditions.language.schema import json_schema, kubernetes_schema
    from netweather.conditions.profiles import (
        Profile,
        builtin_profiles,
        directions,
        expand,
        expand_rule,
        find_profile,
        load_profiles,
    )
    from netweather.conditions.validation import validate, validate_condition, validate_rule

_LAZY = {
    "distributions": (
        "SCALE",
        "MeasuredDistribution",
        "delay_at",
        "format_table",
        "from_samples",
        "load_table",
        "parse_table",
        "table_of",
    ),
    "language.dumping": (
        "dump",
        "dump_condition",
        "dump_json",
        "dump_rule",
        "dump_yaml",
    ),
    "estimates.explanation": (
        "BASE_RTT",
        "Explanation",
        "explain",
        "explain_rule",
    ),
    "language.flags": (
        "FLAGS",
        "Flag",
        "FlagValue",
        "network_condition_from_flags",
        "network_condition_to_flags",
        "rule_from_flags",
        "rule_to_flags",
    ),
    "language.loading": (
        "API_VERSION",
        "KIND",
        "load",
        "load_condition",
        "load_json",
        "load_rule",
        "load_yaml",
    ),
    "profiles": (
        "Profile",
        "builtin_profiles",
        "directions",
        "expand",
        "expand_rule",
        "find_profile",
        "load_profiles",
    ),
    "language.schema": (
        "json_schema",
        "kubernetes_schema",
    ),
    "estimates.traps": ("Trap",),
    "validation": (
        "validate",
        "validate_condition",
        "validate_rule",
    ),
}


def __getattr__(name: str) -> Any:
    for module, names in _LAZY.items():
        if name in names:
            value = getattr(import_module(f"netweather.conditions.{module}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module 'netweather.conditions' has no attribute {name!r}")


__all__ = [
    "API_VERSION",
    "BASE_RTT",
    "Block",
    "Condition",
    "Connection",
    "Corrupt",
    "DEFAULT_LEASE",
    "Delay",
    "Direction",
    "Duplicate",
    "EngineName",
    "Exclude",
    "Explanation",
    "FLAGS",
    "FOREVER",
    "Family",
    "Flag",
    "FlagValue",
    "Forever",
    "KIND",
    "LOSS_MODELS",
    "Lease",
    "Loss",
    "LossBurst",
    "LossEvery",
    "LossGemodel",
    "LossList",
    "LossRandom",
    "LossState",
    "Match",
    "MeasuredDistribution",
    "NetworkCondition",
    "PortRange",
    "Profile",
    "Protocol",
    "Queue",
    "RateLimit",
    "Reorder",
    "Rule",
    "SCALE",
    "Slot",
    "TcpFlags",
    "Trap",
    "builtin_profiles",
    "delay_at",
    "directions",
    "dump",
    "dump_condition",
    "dump_json",
    "dump_rule",
    "dump_yaml",
    "expand",
    "expand_rule",
    "explain",
    "explain_rule",
    "find_profile",
    "format_table",
    "from_samples",
    "json_schema",
    "kubernetes_schema",
    "load",
    "load_condition",
    "load_json",
    "load_profiles",
    "load_rule",
    "load_table",
    "load_yaml",
    "network_condition_from_flags",
    "network_condition_to_flags",
    "parse_table",
    "rule_from_flags",
    "rule_to_flags",
    "table_of",
    "validate",
    "validate_condition",
    "validate_rule",
]
