from __future__ import annotations

import pytest

from netweather.conditions import Connection, Match, NetworkCondition, PortRange
from netweather.engine.safety import on_host, spare_own_session, spare_port

PLAIN = NetworkCondition()


def test_the_callers_ssh_connection_is_excluded_once() -> None:
    environment = {"SSH_CONNECTION": "198.51.100.7 50000 192.0.2.1 22"}
    spared = spare_own_session(PLAIN, environment)
    assert spared.exclude == (Match(connection=Connection("192.0.2.1", 22, "198.51.100.7", 50000), protocol="tcp"),)
    assert spare_own_session(spared, environment) == spared


def test_ipv6_with_a_zone() -> None:
    spared = spare_own_session(PLAIN, {"SSH_CONNECTION": "fe80::2%eth0 50000 fe80::1%eth0 22"})
    assert spared.exclude[0].connection == Connection("fe80::1", 22, "fe80::2", 50000)


@pytest.mark.parametrize("text", ["", "nonsense", "a b c d", "198.51.100.7 x 192.0.2.1 22", "198.51.100.7 1 2001:db8::1 22"])
def test_what_is_no_connection_changes_nothing(text: str) -> None:
    assert spare_own_session(PLAIN, {"SSH_CONNECTION": text}) == PLAIN


def test_an_agents_port_is_excluded_once() -> None:
    spared = spare_port(PLAIN, 8753)
    assert spared.exclude == (Match(ports=(PortRange(8753, 8753),), protocol="tcp"),)
    assert spare_port(spared, 8753) == spared
    assert spare_port(PLAIN, None) == PLAIN


def test_the_host_among_the_targets() -> None:
    assert on_host(NetworkCondition(targets=("netns:a", "host")))
    assert not on_host(NetworkCondition(targets=("netns:host",)))
