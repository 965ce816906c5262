"""Who does it: the agent when there is one, else this process. Imports neither before it is known which."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from netweather.errors import NetweatherError
from netweather.settings import Settings

if TYPE_CHECKING:
    from netweather.client import Client
    from netweather.service import Service


def connect(settings: Settings, *, direct: bool = False) -> Service:
    """The service that carries out commands. direct: no agent. Raises needs-root, when there is no agent for others than root."""
    found = None if direct else agent(settings)
    if found is not None:
        return found
    need_root()
    from netweather.engine import Engine
    from netweather.service import LocalService

    return LocalService(Engine(settings))


def agent(settings: Settings) -> Client | None:
    """A client of the agent: of the one that is named, or of this machine's if it answers; None when there is none."""
    if not settings.agent and not settings.socket.exists():
        return None
    from netweather.client import Client

    address = settings.agent or f"unix://{settings.socket}"
    client = Client(address, token=settings.token, ca=settings.ca, profiles=settings.profiles)
    return client if settings.agent or client.answers() else None


def no_root() -> NetweatherError:
    """For who may not do what was asked."""
    return NetweatherError(
        "needs-root",
        "entering and changing other network namespaces needs root",
        f"this is user {os.geteuid()}",
        "run it with sudo; if sudo does not find it: sudo $(command -v netweather) …",
    )


def need_root() -> None:
    """Raises needs-root for others than root: before anything is tried, so that the answer is the same everywhere."""
    if os.geteuid():
        raise no_root()
