"""What a condition on the host itself must spare: the caller's own way in, and the agent's. Pure but for the environment given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from netweather.conditions import Connection, Match, NetworkCondition, PortRange
from netweather.errors import UsageError


def own_connection(environment: Mapping[str, str]) -> Connection | None:
    """The caller's own SSH connection, as sshd tells it in SSH_CONNECTION; None when it tells none."""
    words = environment.get("SSH_CONNECTION", "").split()
    if len(words) != 4:
        return None
    try:
        client, client_port, server, server_port = words
        return Connection(server.split("%")[0], int(server_port), client.split("%")[0], int(client_port))
    except (ValueError, UsageError):  # not as sshd writes it: nothing that could be spared
        return None


def spare_own_session(condition: NetworkCondition, environment: Mapping[str, str]) -> NetworkCondition:
    """The condition with the caller's own SSH connection excluded; otherwise as it is."""
    own = own_connection(environment)
    if own is None:
        return condition
    match = Match(connection=own, protocol="tcp")
    return condition if match in condition.exclude else replace(condition, exclude=(*condition.exclude, match))


def spare_port(condition: NetworkCondition, port: int | None) -> NetworkCondition:
    """The condition with the TCP port excluded by which an agent is asked; None: it isn't."""
    if port is None:
        return condition
    match = Match(ports=(PortRange(port, port),), protocol="tcp")
    return condition if match in condition.exclude else replace(condition, exclude=(*condition.exclude, match))


def on_host(condition: NetworkCondition) -> bool:
    """Whether the host's own network is among the targets, in words."""
    return "host" in condition.targets
