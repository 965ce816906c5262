"""The engine: observe, plan, apply, read back, restore; and its answers. Not here: what people see (front ends)."""

from netweather.engine.core import Engine
from netweather.engine.results import Cleared, Recovered, RuleCounters, SetResult, Shown
from netweather.engine.transaction import Done, Wanted, opened, set_all
from netweather.engine.views.connections import Chosen, Listed, Live

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
