"""The engine: observe, plan, apply, read back, restore; and its answers. Not here: what people see (front ends)."""

from netweather.engine.core import Engine
from netweather.engine.transaction import Wanted, opened, set_all
from netweather.engine.views.connections import Chosen, Listed, Live
from netweather.results import Cleared, Done, Recovered, RuleCounters, SetResult, Shown

__all__ = [
    "Cleared",
    "Done",
    "Engine",
    "Listed",
    "Live",
    "Recovered",
    "RuleCounters",
    "SetResult",
    "Shown",
    "Wanted",
    "Chosen",
    "opened",
    "set_all",
]
