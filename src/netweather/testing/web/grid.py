"""Selenium Grid: which container a session's browser runs in, and how to leave WebDriver's own traffic alone.

node = session_node(driver)
with network.degrade(node.target, "3g", exclude=node.exclude):
    driver.get("http://shop/")
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

from netweather.errors import NetweatherError
from netweather.targets import Listing, list_targets

if TYPE_CHECKING:
    from selenium.webdriver.remote.webdriver import WebDriver

EVENT_BUS = (4442, 4443)
"""Ports of a hub on which nodes tell it that they live."""
PATIENCE_S = 10.0


@dataclass(frozen=True)
class GridNode:
    """Where a session runs. target: the container, for `degrade`; uri: the Grid's name for it; exclude: WebDriver's own traffic."""

    target: str
    uri: str
    exclude: tuple[str, ...]


def session_node(driver: WebDriver, hub: str = "") -> GridNode:
    """The node that runs a session, among this machine's containers and named namespaces. hub: its URL (default: the driver's).

    Raises NetweatherError: grid-unreachable, unknown-session, unknown-node.
    """
    uri = node_uri(_status(hub or _hub_of(driver)), str(driver.session_id))
    parts = urlsplit(uri)
    return GridNode(
        target_at(parts.hostname or "", list_targets()), uri, tuple(f"port={port}" for port in (parts.port or 5555, *EVENT_BUS))
    )


def _hub_of(driver: WebDriver) -> str:
    config = getattr(driver.command_executor, "client_config", None) or getattr(driver.command_executor, "_client_config", None)
    return str(getattr(config, "remote_server_addr", ""))


def _status(hub: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = httpx.get(f"{hub.rstrip('/')}/status", timeout=PATIENCE_S).raise_for_status().json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        what, remedy = f"the Grid at {hub or '(nowhere)'} does not list its nodes", "give its URL: session_node(driver, hub=…)"
        raise NetweatherError("grid-unreachable", what, str(error), remedy) from error
    return found


def node_uri(status: dict[str, Any], session: str) -> str:
    """The node of a session in what a Grid's /status says. Raises NetweatherError(code="unknown-session")."""
    for node in status.get("value", {}).get("nodes", []):
        for slot in node.get("slots", []):
            if ((slot.get("session") or {}).get("sessionId")) == session:
                return str(node.get("externalUri") or node["uri"])
    what = f"no node of the Grid runs the session {session}"
    raise NetweatherError(
        "unknown-session", what, "it has ended, or belongs to another Grid", "call this while the session is open"
    )


def target_at(address: str, listings: list[Listing]) -> str:
    """The reference of what has this address. Raises NetweatherError(code="unknown-node")."""
    found = [listing.reference for listing in listings if address in map(str, listing.addresses)]
    if len(found) == 1:
        return found[0]
    what = f"the Grid's node at {address} is {'not exactly one' if found else 'no'} container of this machine"
    why = f"{', '.join(found)} have that address" if found else "its address belongs to no listed target"
    raise NetweatherError("unknown-node", what, why, "name the target yourself: see netweather targets")
