"""engine/views/connections.py on real connections: the rule it tells is the one whose counter moves; a reset ends one and no other."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from netweather.conditions import Condition, Connection, Match
from netweather.engine.views.connections import SocketFilter, SocketInfo, connections, reset, with_lives
from netweather.errors import NetweatherError, UsageError
from netweather.kernel.datapath.spec import RuleId
from netweather.units import Percent
from tests.support.machine import SLOW
from tests.support.rig import Rig, delay, ports, rule, until

SERVER = "192.0.2.2"
Open = Callable[..., tuple[socket.socket, socket.socket]]


@pytest.fixture
def connect(rig: Rig) -> Iterator[Open]:
    """`connect(80)`: both ends of a connection to the server."""
    with ExitStack() as stack:
        listeners: dict[int, socket.socket] = {}

        def call(port: int) -> tuple[socket.socket, socket.socket]:
            if port not in listeners:
                made = rig.net.server.call(socket.create_server, (SERVER, port))
                listeners[port] = stack.enter_context(closing(made))
            here = stack.enter_context(rig.net.client.call(socket.create_connection, (SERVER, port)))
            there = stack.enter_context(listeners[port].accept()[0])
            there.settimeout(10 * SLOW)
            here.settimeout(10 * SLOW)
            return here, there

        yield call


def live(rig: Rig, which: SocketFilter | None = None) -> dict[int, SocketInfo]:
    """By the target's own port."""
    return {each.socket.local_port: each for each in connections(rig.engine, rig.target, which).connections}


def port(made: socket.socket) -> int:
    return int(made.getsockname()[1])


def test_of_a_target_whose_interfaces_have_left_all_is_still_listed(rig: Rig, connect: Open) -> None:
    made = connect(80)[0]
    rig.set(rule(delay(5)))
    rig.net.client.run("ip", "link", "del", "eth0")
    until(lambda: rig.engine.show(rig.target)[0].interfaces == (), 20, "the keeper has seen it")
    assert live(rig)[port(made)].egress is None
    (shown,) = with_lives(rig.engine, rig.engine.show(rig.target))
    assert (shown.in_force, shown.interfaces) == (False, ())


def test_each_has_the_rule_that_its_packets_meet(rig: Rig, connect: Open) -> None:
    slow, free, refused = connect(5432)[0], connect(8080)[0], connect(9090)[0]
    rig.set(rule(delay(5), ports=ports(5432)), rule(Condition(block="drop"), ports=ports(9090), direction="egress"), name="slow")
    found = live(rig)
    assert found[port(slow)].egress == found[port(slow)].ingress == RuleId("slow", 0)
    assert found[port(free)].egress is found[port(free)].ingress is None
    assert (found[port(refused)].egress, found[port(refused)].ingress) == (RuleId("slow", 1), None)
    assert found[port(free)].holder is not None
    assert found[port(free)].holder.pid == os.getpid()
    assert live(rig, SocketFilter(condition="slow")).keys() == {port(slow), port(refused)}


def test_the_round_trip_is_the_one_that_was_set(rig: Rig, connect: Open) -> None:
    here, there = connect(5432)
    rig.set(rule(delay(50), ports=ports(5432)))
    for _ in range(12):
        here.sendall(b"ping")
        there.recv(4)
        there.sendall(b"pong")
        here.recv(4)
    info = live(rig)[port(here)].socket.info
    assert info is not None
    assert info.rtt is not None
    assert 60_000 < info.rtt < 200_000


def test_a_share_means_the_very_connections_that_it_delays(rig: Rig, connect: Open) -> None:
    """The hash is the classifier's: a connection that is said to meet the rule moves its counter, and no other one does."""
    made = [connect(5432) for _ in range(16)]
    rig.set(rule(delay(0), share=Percent.parse("50%"), ports=ports(5432)))
    told = {number for number, each in live(rig).items() if each.egress}
    assert 0 < len(told) < 16
    met = set()
    for here, there in made:
        before = rig.shown().rules[0].packets
        here.sendall(b"x")
        there.recv(1)
        if rig.shown().rules[0].packets > before:
            met.add(port(here))
    assert met == told


def test_an_excluded_one_meets_nothing(rig: Rig, connect: Open) -> None:
    slow, spared = connect(5432)[0], connect(22)[0]
    rig.set(rule(delay(5)), exclude=(Match(ports=ports(22)),))
    found = live(rig)
    assert found[port(slow)].egress == RuleId("default", 0)
    assert found[port(spared)].egress is None


def test_an_interface_that_is_not_meant(rig: Rig, connect: Open) -> None:
    here, _ = connect(5432)
    rig.net.client.run("ip", "link", "add", "eth1", "type", "veth", "peer", "name", "far")
    rig.net.client.run("ip", "link", "set", "eth1", "up")
    rig.set(rule(delay(5), interfaces=("eth1",)))
    assert live(rig)[port(here)].egress is None
    rig.set(rule(delay(5), interfaces=("eth0",)))
    assert live(rig)[port(here)].egress == RuleId("default", 0)


def test_the_chosen_one_is_reset_and_its_neighbour_lives(rig: Rig, connect: Open) -> None:
    (here, there), (neighbour, other) = connect(5432), connect(5432)
    chosen = live(rig)[port(here)]
    ended = reset(rig.engine, rig.target, SocketFilter(Match(connection=Connection.parse(chosen.connection))))
    assert [each.connection for each in ended.connections] == [chosen.connection]
    with pytest.raises(ConnectionAbortedError):
        here.recv(1)
    with pytest.raises(ConnectionResetError):
        there.recv(1)
    neighbour.sendall(b"alive")
    assert other.recv(5) == b"alive"
    assert live(rig).keys() == {port(neighbour)}


def test_all_of_a_port_are_reset(rig: Rig, connect: Open) -> None:
    made = [connect(5432)[0] for _ in range(5)]
    stays, other = connect(8080)
    assert len(reset(rig.engine, rig.target, SocketFilter(Match(ports=ports(5432)))).connections) == 5
    for each in made:
        with pytest.raises(ConnectionAbortedError):
            each.recv(1)
    other.sendall(b"alive")
    assert stays.recv(5) == b"alive"


def test_what_is_not_there_or_not_said(rig: Rig, connect: Open) -> None:
    with pytest.raises(NetweatherError) as wrong:
        reset(rig.engine, rig.target, SocketFilter(Match(ports=ports(5432))))
    assert wrong.value.code == "no-such-connection"
    here, _ = connect(5432)
    with pytest.raises(UsageError) as unsaid:
        reset(rig.engine, rig.target, SocketFilter())
    assert unsaid.value.code == "nothing-chosen"
    until(lambda: port(here) in live(rig), 20, "it lives")
