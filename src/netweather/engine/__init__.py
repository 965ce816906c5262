"""The engine: observe, plan, apply, read back, restore; and its answers. Not here: what people see (front ends)."""

from netweather.engine.core import Engine
from netweather.engine.transaction import Placement, opened, set_all
from netweather.engine.views.connections import SocketFilter, SocketInfo, TargetSockets
from netweather.results import Cleared, ConditionStatus, Recovered, RuleCounters, SetOutcome, SetResult

__all__ = [
    "Cleared",
    "SetOutcome",
    "Engine",
    "TargetSockets",
    "SocketInfo",
    "Recovered",
    "RuleCounters",
    "SetResult",
    "ConditionStatus",
    "Placement",
    "SocketFilter",
    "opened",
    "set_all",
]
