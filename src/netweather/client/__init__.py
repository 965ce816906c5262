"""The client of an agent: `Client` and `AsyncClient`, which do what direct mode does (`netweather.service`) through an agent's API.

    with Client("unix:///run/netweather/agent.sock") as agent:
        agent.set([network_condition])

Not here: the agent, and anything that touches the kernel; so nothing here needs root.
"""

from netweather.client.client import AsyncClient, Client

__all__ = ["AsyncClient", "Client"]
