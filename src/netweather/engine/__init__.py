"""The engine: observe, plan, apply, read back, restore; and its answers. Not here: what people see (front ends)."""

from netweather.engine.core import Engine
from netweather.engine.results import Recovered, RuleCounters, SetResult, Shown

__all__ = ["Engine", "Recovered", "RuleCounters", "SetResult", "Shown"]
