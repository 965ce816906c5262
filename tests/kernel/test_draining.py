"""Packets that a line holds when its condition changes or ends: they delay nothing that comes later, and nobody waits for them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from netweather.conditions import Condition, LossRandom, RateLimit
from netweather.engine.draining import DRAIN_S
from netweather.units import Packets, Percent, Rate
from tests.kernel.conftest import MakeRig
from tests.support import dumps
from tests.support.machine import SLOW
from tests.support.probe import udp_socket
from tests.support.rig import Rig, delay, ports, rule, until
from tests.support.traffic import Echo, round_trip, udp_client

V4 = "192.0.2.2"
ECHO, SINK = 7, 9


def rate(text: str) -> Condition:
    return Condition(rate=RateLimit(Rate.parse(text)), limit=Packets(200))


@dataclass(frozen=True)
class Change:
    """before holds `packets` of 1,000 bytes for longer than `seconds`; what is sent after the change comes back well within them."""

    before: Condition
    packets: int
    after: Condition
    seconds: float


CHANGES = {
    "a long delay becomes short": Change(Condition(delay=delay(600_000)), 5, Condition(delay=delay(10)), 60),
    "a slow rate becomes fast": Change(rate("9600bit"), 120, rate("100mbit"), 60),
    "a slow rate becomes a delay": Change(rate("9600bit"), 120, Condition(delay=delay(10)), 60),
    "jitter of minutes becomes none": Change(
        Condition(delay=delay(300_000, jitter=delay(290_000).time)), 20, Condition(delay=delay(10)), 30
    ),
    "one profile becomes another": Change(Condition(profile="gprs", limit=Packets(200)), 180, Condition(profile="lte"), 30),
    "a delay becomes nothing but a loss": Change(
        Condition(delay=delay(600_000)), 5, Condition(loss=LossRandom(Percent.parse("0.0001%"))), 60
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_held_delays_nothing_after_a_change(rig: Rig, name: str) -> None:
    change = CHANGES[name]
    with Echo(rig.net.server, [ECHO]), udp_client(rig.net.client, V4, SINK) as bulk, udp_client(rig.net.client, V4, ECHO) as ping:
        rig.set(rule(change.before))
        for _ in range(change.packets):
            bulk.send(bytes(1000))
        rig.set(rule(change.after))
        assert round_trip(ping, change.seconds) < change.seconds / 2


# The end of a condition -----------------------------------------------------------------------------------------------

HELD = {
    "an hour of delay": (Condition(delay=delay(3_600_000)), 5),
    "a slow rate": (rate("9600bit"), 100),
}
"""What holds packets for longer than any of these tests may take."""


def filled(rig: Rig, condition: Condition, packets: int, **more: Any) -> None:
    """Sets a condition, and sends so many packets into it."""
    rig.set(rule(condition, direction="egress"), **more)
    with udp_client(rig.net.client, V4, SINK) as bulk:
        for _ in range(packets):
            bulk.send(bytes(1000))


def draining(rig: Rig) -> dict[int, int]:
    entry = rig.engine.journal.read(rig.target.identity)
    return entry.draining if entry else {}


def seconds(work: Callable[[], object]) -> float:
    begin = time.monotonic()
    work()
    return time.monotonic() - begin


def quick(rig: Rig) -> bool:
    with udp_client(rig.net.client, V4, ECHO) as ping:
        return round_trip(ping, 60) < 5


@pytest.mark.parametrize("what", HELD)
def test_clear_does_not_wait_for_what_is_held(rig: Rig, what: str) -> None:
    """It returns while the packets are still held, traffic is normal, and the keeper removes everything in its time."""
    before = dumps.settled(rig.net.client)
    with Echo(rig.net.server, [ECHO]):
        filled(rig, *HELD[what])
        assert rig.clear(held="drain") == ["default"]
        assert draining(rig)
        assert quick(rig)
        assert rig.engine.show() == []
        until(lambda: not rig.folder.exists(), DRAIN_S * 4, "the keeper drops what is left and tidies up")
    rig.until_nothing_remains()
    dumps.assert_same(before, rig.net.client)


def test_a_condition_takes_no_longer_to_clear_when_it_holds_packets(make_rig: MakeRig) -> None:
    """Interleaved, the quickest of both: what is held costs nothing (a bound that no speed of a machine moves)."""
    with make_rig() as rig:
        times: dict[int, list[float]] = {0: [], 100: []}
        for _ in range(4):
            for packets, found in times.items():
                filled(rig, rate("9600bit"), packets)
                found.append(seconds(lambda: rig.clear(held="drain")))
                rig.clear(held="drop")
        assert min(times[100]) <= 2 * min(times[0])


@pytest.mark.parametrize("what", HELD)
def test_clear_now_drops_what_is_held(rig: Rig, what: str) -> None:
    condition, packets = HELD[what]
    before = dumps.settled(rig.net.client)
    filled(rig, condition, packets)
    cleared = replace(rig.engine, held="drop").end_conditions(rig.target.identity, None, None)
    assert (cleared.names, cleared.draining) == (("default",), 0)
    assert packets - 3 <= cleared.dropped <= packets  # at a slow rate some have left
    assert rig.remains() == []
    dumps.assert_same(before, rig.net.client)


def test_clear_and_wait_returns_when_everything_is_as_before(rig: Rig) -> None:
    """All that can come out in time comes out, in order, and then nothing of ours is left."""
    before = dumps.settled(rig.net.client)
    with udp_socket(rig.net.server, 4, port=SINK) as sink:
        rig.set(rule(rate("400kbit"), direction="egress"))  # 50 packets a second
        with udp_client(rig.net.client, V4, SINK) as bulk:
            for number in range(100):
                bulk.send(number.to_bytes(2) + bytes(980))
        cleared = replace(rig.engine, held="wait").end_conditions(rig.target.identity, None, None)
        assert (cleared.draining, cleared.dropped) == (0, 0)
        left = [each for each in rig.remains() if not each.startswith("process")]
        assert left == []  # but a keeper that has done it, and is just ending
        sink.settimeout(5 * SLOW)
        assert [int.from_bytes(sink.recv(2000)[:2]) for _ in range(100)] == list(range(100))
    dumps.assert_same(before, rig.net.client)


def test_a_target_that_drains_can_be_set_again(rig: Rig) -> None:
    """The new condition meets none of what is held; what was held is gone in its time, and the new condition stays in force."""
    with Echo(rig.net.server, [ECHO]):
        filled(rig, *HELD["an hour of delay"])
        for _ in range(3):
            rig.clear(held="drain")
            rig.set(rule(delay(30), direction="egress"))
            with udp_client(rig.net.client, V4, ECHO) as ping:
                assert 0.03 <= round_trip(ping, 60 * SLOW) < 10 * SLOW
        assert rig.shown().in_force
        assert draining(rig)
        until(lambda: not draining(rig), DRAIN_S * 4, "the keeper drops what is left")
        assert rig.shown().in_force
        with udp_client(rig.net.client, V4, ECHO) as ping:
            assert 0.03 <= round_trip(ping, 60 * SLOW) < 10 * SLOW


@pytest.mark.parametrize("instead", ["nothing", "a block", "another condition"])
def test_one_of_two_conditions_ends_without_waiting(rig: Rig, instead: str) -> None:
    with Echo(rig.net.server, [ECHO]):
        rig.set(rule(Condition(block="reject"), ports=ports(8)), name="other")
        filled(rig, *HELD["an hour of delay"], name="held")
        if instead == "nothing":
            rig.clear("held", "drain")
        elif instead == "a block":
            rig.set(rule(Condition(block="drop"), ports=ports(SINK)), name="held")
        else:
            rig.set(rule(delay(1), direction="ingress"), name="held")
        assert all(one.in_force for one in rig.engine.show(rig.target))
        assert quick(rig)
        if instead == "a block":  # and nothing needs a device any more
            until(lambda: not draining(rig), DRAIN_S * 4, "the keeper drops what is left")
            assert all(one.in_force for one in rig.engine.show(rig.target))


def test_the_end_of_a_lease_does_not_wait(rig: Rig) -> None:
    with Echo(rig.net.server, [ECHO]):
        filled(rig, *HELD["an hour of delay"], lease=1)
        until(lambda: rig.engine.show() == [], 30, "the lease ends")
        assert quick(rig)
        until(lambda: not rig.folder.exists(), DRAIN_S * 4, "the keeper drops what is left and tidies up")


def test_without_a_keeper_the_next_command_goes_on(rig: Rig) -> None:
    filled(rig, *HELD["an hour of delay"])
    rig.kill("keeper")
    rig.clear(held="drain")
    rig.kill("keeper")
    assert rig.engine.show() == []
    until(lambda: not rig.folder.exists(), DRAIN_S * 4, "another keeper drops what is left")
    rig.until_nothing_remains()


def test_many_conditions_that_drain_hold_up_nobody(rig: Rig) -> None:
    """A set, a change, a show and a clear beside 20 lines that drain, and beside 20 that hold nothing: the quickest of each, since
    others make both slower."""

    def work() -> None:
        rig.set(rule(delay(5), direction="egress", ports=ports(8)), name="new")
        rig.set(rule(delay(9), direction="egress", ports=ports(8)), name="new")
        rig.engine.show(rig.target)
        rig.clear("new", "drain")

    numbers = range(100, 120)
    for number in numbers:
        rig.set(rule(delay(3_600_000), direction="egress", ports=ports(number)), name=f"c{number}")
    idle = min(seconds(work) for _ in range(5))
    for number in numbers:
        with udp_client(rig.net.client, V4, number) as bulk:
            bulk.send(bytes(1000))
    rig.clear(held="drain")
    rig.set(rule(Condition(block="reject"), ports=ports(8)), name="other")
    assert len(draining(rig)) == 20
    assert min(seconds(work) for _ in range(5)) <= 2 * idle
    until(lambda: not draining(rig), DRAIN_S * 4, "the keeper drops what is left")
    assert rig.shown().in_force
