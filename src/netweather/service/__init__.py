"""The verbs (set, show, clear, verify, connections, reset, stats), once, for a caller. Not here: how they are done (engine)."""

from netweather.service.callers import Caller
from netweather.service.local import LocalService
from netweather.service.protocol import Service

__all__ = ["Caller", "LocalService", "Service"]
