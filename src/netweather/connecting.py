"""Who does it: the agent when there is one, else this process. Imports neither before it is known which."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from netweather.errors import NetweatherError
from netweather.settings import Settings

if TYPE_CHECKING:
    from netweather.service import Service


def connect(settings: Settings, *, direct: bool = False) -> Service:
    """The service that carries out commands. direct: no agent. Raises needs-root, when there is no agent for others than root."""
    address = "" if direct else agent_address(settings)
    if not address:
        need_root()
        from netweather.engine import Engine
        from netweather.service import LocalService

        return LocalService(Engine(settings))
    from netweather.client import Client
    from netweather.conditions.embedding import own_profiles

    return Client(address, token=settings.token, ca=settings.ca, profiles=own_profiles(settings.profiles))


def agent_address(settings: Settings) -> str:
    """Where the agent is that is to be asked: the one that is named, or this machine's when it answers; "" when there is none."""
    if settings.agent:
        return settings.agent
    if not settings.socket.exists():
        return ""
    from netweather.host.service_sockets import answers

    try:
        return f"unix://{settings.socket}" if answers(settings.socket) else ""
    except PermissionError:
        return ""


def no_root() -> NetweatherError:
    """For who may not do what was asked."""
    return NetweatherError(
        "needs-root",
        "entering and changing the network of others needs root",
        f"this is user {os.geteuid()}",
        "run it with sudo; if sudo does not find it: sudo $(command -v netweather) …",
    )


def need_root() -> None:
    """Raises needs-root for others than root: before anything is tried, so that the answer is the same everywhere."""
    if os.geteuid():
        raise no_root()
