"""Pure planning: network conditions and what is observed become ordered operations, and rules become bit vectors.

Not here: anything that touches the system (netweather.kernel), or knows how people spell things (netweather.conditions).
"""
