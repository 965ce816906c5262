"""What connections lived through, on real ones: before a condition and with it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from netweather.conditions import Condition, LossRandom, NetworkCondition, Rule
from netweather.engine.views import before_after
from netweather.engine.views.before_after import experienced
from netweather.engine.views.connections import connections
from netweather.kernel.datapath.spec import RuleId
from netweather.results import Experienced
from netweather.service import LocalService
from netweather.units import Duration, Percent
from tests.support.rig import Rig, delay, ports, rule

SERVER, PORT = "192.0.2.2", 5432
Ends = tuple[socket.socket, socket.socket]


@pytest.fixture
def made(rig: Rig) -> Iterator[list[Ends]]:
    """Two connections to the server."""
    with ExitStack() as stack:
        listener = stack.enter_context(closing(rig.net.server.call(socket.create_server, (SERVER, PORT))))
        found = []
        for _ in range(2):
            found.append(connect(rig, stack, listener))
        yield found


def connect(rig: Rig, stack: ExitStack, listener: socket.socket) -> Ends:
    here = stack.enter_context(rig.net.client.call(socket.create_connection, (SERVER, PORT)))
    there = stack.enter_context(listener.accept()[0])
    return here, there


def talk(ends: Ends, times: int, size: int = 100) -> None:
    here, there = ends
    for _ in range(times):
        here.sendall(b"x" * size)
        got = 0
        while got < size:
            got += len(there.recv(size))
        there.sendall(b"y")
        here.recv(1)


def put(rig: Rig, *rules: Rule, name: str = "slow") -> None:
    condition = NetworkCondition(name, (rig.target.reference,), Duration(60 * 10**9), rules)
    LocalService(rig.engine).set([condition])


def lived(rig: Rig) -> dict[RuleId, Experienced]:
    return experienced(connections(rig.engine, rig.target).connections)


def test_the_round_trip_before_and_with_it(rig: Rig, made: list[Ends]) -> None:
    for ends in made:
        talk(ends, 20)
    put(rig, rule(delay(50), ports=ports(PORT)))
    for ends in made:
        talk(ends, 15)
    (one,) = lived(rig).values()
    assert (one.connections, one.known) == (2, 2)
    assert one.rtt_before is not None
    assert one.rtt is not None
    assert one.rtt_before < 40_000 < 70_000 < one.rtt < 250_000
    assert one.goodput is not None
    assert 0 < one.goodput < 2 * 15 * 101 * 8 * 1.2 / 1.5  # 15 round trips of 100 ms each, and some overhead


def test_segments_sent_again_are_counted_from_when_it_was_set(rig: Rig, made: list[Ends]) -> None:
    put(rig, rule(Condition(loss=LossRandom(Percent.parse("20%"))), direction="egress", ports=ports(PORT)), name="before")
    talk(made[0], 30)
    before = lived(rig)[RuleId("before", 0)].retransmits
    assert before > 0
    LocalService(rig.engine).clear([rig.target.reference])
    put(rig, rule(delay(1), ports=ports(PORT)), name="after")
    talk(made[0], 5)
    assert lived(rig)[RuleId("after", 0)].retransmits == 0
    (old,) = [
        each
        for each in connections(rig.engine, rig.target).connections
        if each.socket.info and each.socket.info.total_retransmits
    ]
    assert old.before is not None
    assert old.before.retransmits >= before


def test_a_younger_connection_has_no_before_and_a_change_keeps_it(rig: Rig) -> None:
    with ExitStack() as stack:
        listener = stack.enter_context(closing(rig.net.server.call(socket.create_server, (SERVER, PORT))))
        talk(connect(rig, stack, listener), 3)
        put(rig, rule(delay(5), ports=ports(PORT)))
        talk(connect(rig, stack, listener), 3)
        first = lived(rig)[RuleId("slow", 0)]
        assert (first.connections, first.known) == (2, 1)
        put(rig, rule(delay(10), ports=ports(PORT)))  # another delay: what was before is still what was before the first
        again = lived(rig)[RuleId("slow", 0)]
        assert (again.connections, again.known, again.rtt_before) == (2, 1, first.rtt_before)
        LocalService(rig.engine).clear([rig.target.reference])
        put(rig, rule(delay(5), ports=ports(PORT)))
        anew = lived(rig)[RuleId("slow", 0)]
        assert (anew.connections, anew.known) == (2, 2)


def test_nothing_is_remembered_of_too_many(rig: Rig, made: list[Ends], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is what an earlier condition of that name had seen."""
    put(rig, rule(delay(5), ports=ports(PORT)), name="other")
    put(rig, rule(delay(5), ports=ports(PORT)))
    LocalService(rig.engine).clear([rig.target.reference], "slow")
    monkeypatch.setattr(before_after, "MOST_BYTES", 300)
    put(rig, rule(delay(5), ports=ports(PORT)))
    LocalService(rig.engine).clear([rig.target.reference], "other")
    assert lived(rig)[RuleId("slow", 0)].known == 0
