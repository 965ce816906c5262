"""The client of an agent: `Client` and `AsyncClient`, which do what direct mode does (`netweather.service`) through an agent's API.

    with Client("unix:///run/netweather/agent.sock") as agent:
        agent.set([network_condition])

Not here: the agent, and anything that touches the kernel; so nothing here needs root.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netweather.client.client import Client

if TYPE_CHECKING:
    from netweather.client.async_client import AsyncClient

__all__ = ["AsyncClient", "Client"]


def __getattr__(name: str) -> Any:
    """AsyncClient is imported when it is first used: httpx takes longer than a request."""
    if name != "AsyncClient":
        raise AttributeError(f"module 'netweather.client' has no attribute {name!r}")
    from netweather.client.async_client import AsyncClient

    return AsyncClient
