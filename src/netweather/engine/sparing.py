"""What a condition on the host itself must spare: the caller's own way in. Pure but for the environment that is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from netweather.conditions import Connection, Match, NetworkCondition
from netweather.errors import UsageError


def spare_own_session(condition: NetworkCondition, environment: Mapping[str, str]) -> NetworkCondition:
    """The condition with the caller's own SSH connection excluded, as sshd tells it in SSH_CONNECTION; otherwise as it is."""
    words = environment.get("SSH_CONNECTION", "").split()
    if len(words) != 4:
        return condition
    try:
        client, client_port, server, server_port = words
        own = Connection(server.split("%")[0], int(server_port), client.split("%")[0], int(client_port))
    except (ValueError, UsageError):  # not as sshd writes it: nothing that could be excluded
        return condition
    match = Match(connection=own, protocol="tcp")
    return condition if match in condition.exclude else replace(condition, exclude=(*condition.exclude, match))
