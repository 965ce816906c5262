"""Traffic that no condition is for loses nothing, whatever is set, changed and cleared beside it; open connections survive."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import pytest

from netweather.conditions import Condition, LossRandom, RateLimit
from netweather.units import Percent, Rate
from tests.kernel.conftest import MakeRig
from tests.support import probe
from tests.support.machine import SLOW
from tests.support.netns import Namespace
from tests.support.rig import Rig, delay, ports, rule
from tests.support.statistics import Refused, expect
from tests.support.traffic import Echo, talking, tcp_client, tcp_transfer

SERVER = "192.0.2.2"


@dataclass
class Pings:
    """What became of a ping."""

    sent: int = 0
    received: int = 0


@contextmanager
def pinging(sender: Namespace, there: str) -> Iterator[Pings]:
    """A ping of 1 kHz in a process of its own while the body runs."""
    process = sender.start("ping", "-i", "0.001", "-W", "5", "-q", there)
    pings = Pings()
    try:
        yield pings
    finally:
        process.send_signal(subprocess.signal.SIGINT)  # type: ignore[attr-defined]  # subprocess imports it
        report, _ = process.communicate(timeout=20 * SLOW)
        pings.sent, pings.received = map(int, re.findall(r"(\d+) packets transmitted, (\d+) received", report)[0])


def expect_none_lost(pings: Pings) -> None:
    # The last one may be under way when ping is stopped.
    expect(pings.sent - pings.received <= 1, f"{pings.sent - pings.received} of {pings.sent} lost")


CHANGES: list[Callable[[int], list[object]]] = [
    lambda n: [rule(delay(1 + n % 7), to=(SERVER,))],
    lambda n: [rule(delay(2), to=(SERVER,), protocol="tcp"), rule(delay(1 + n % 5), to=(SERVER,))],
    lambda n: [rule(Condition(delay=delay(1), loss=LossRandom(Percent.parse("0.1%"))), to=(SERVER,))],
    lambda n: [rule(Condition(rate=RateLimit(Rate.parse("50mbit"))), to=(SERVER,), direction="egress")],
    lambda n: [
        rule(Condition(block="drop"), to=("198.51.100.1",)),
        rule(delay(3), to=(SERVER,), ports=ports(7, *range(100, 100 + n % 9))),
    ],
]


def storm(rig: Rig, changes: int) -> None:
    """Sets a condition on the traffic with the server, changes it so often, and clears it."""
    for number in range(changes + 1):
        kind = CHANGES[number // 5 % len(CHANGES)]  # most changes are of a figure, some of what it is about
        rig.set(*kind(number))  # type: ignore[arg-type]  # rules
    rig.clear()


def run_storms(make_rig: MakeRig, times: int, hook: str = "auto") -> tuple[Pings, Pings]:
    """The bystander pings the target, and the target the bystander; a connection with the server lives through all of it."""
    with make_rig(bystander=True, hook=hook) as rig, Echo(rig.net.server, [7]):
        bystander = rig.net.bystander
        assert bystander
        with (
            tcp_client(rig.net.client, SERVER, 7, timeout=30 * SLOW) as connection,
            talking(connection, 0.02) as talk,
            pinging(bystander, str(rig.net.client.v4)) as inward,
            pinging(rig.net.client, str(bystander.v6)) as outward,
        ):
            for _ in range(times):
                storm(rig, 100)
                assert talk.error is None
        assert talk.error is None
        assert talk.messages > 50 * times
        return inward, outward


def test_a_bystander_loses_nothing_and_connections_survive(make_rig: MakeRig) -> None:
    for pings in run_storms(make_rig, 3):
        assert pings.sent > 1000
        expect_none_lost(pings)


@pytest.mark.full
@pytest.mark.timeout(600)
def test_a_bystander_loses_nothing_20_times(make_rig: MakeRig) -> None:
    for pings in run_storms(make_rig, 20):
        assert pings.sent > 10_000
        expect_none_lost(pings)


def test_a_bystander_that_loses_packets_is_noticed(make_rig: MakeRig) -> None:
    """The planted error: one block in between that means the bystander too."""
    with make_rig(bystander=True) as rig:
        assert rig.net.bystander
        with pinging(rig.net.bystander, str(rig.net.client.v4)) as pings:
            rig.set(rule(delay(5), to=(SERVER,)))
            rig.set(rule(Condition(block="drop"), protocol="icmp"))
            rig.clear()
        with pytest.raises(Refused):
            expect_none_lost(pings)


def test_a_change_under_traffic_loses_no_packet_of_the_line(make_rig: MakeRig) -> None:
    """The rule set is swapped 60 times, lines change and move, while 20,000 packets pass: all arrive."""
    with make_rig() as rig:
        rig.set(rule(delay(5), protocol="udp"))
        stop = threading.Event()
        failed: list[BaseException] = []

        def change() -> None:
            number = 0
            try:
                while not stop.is_set():
                    number += 1
                    filler = [rule(Condition(block="drop"), ports=ports(20_000 + number % 50)) for _ in range(1)]
                    rig.set(*filler, rule(delay(2 + number % 5), protocol="udp"))
            except BaseException as error:  # told below
                failed.append(error)

        thread = threading.Thread(target=change)
        thread.start()
        try:
            seen = probe.stream(rig.net.client, rig.net.server, 20_000, pps=8000)
        finally:
            stop.set()
            thread.join()
        assert failed == []
        assert seen.lost == []
        assert len({n for n, _, _ in seen.arrivals}) == len(seen.arrivals)  # nor comes any twice
        assert rig.shown().unwanted_drops == 0


def test_clearing_lets_out_what_waits(make_rig: MakeRig) -> None:
    """1,000 packets are inside a line of 400 ms when it is cleared: all arrive."""
    with make_rig() as rig:
        rig.set(rule(delay(400), direction="egress"))
        cleared = threading.Thread(target=rig.clear)

        def clear(number: int) -> None:
            if number == 999:
                cleared.start()

        seen = probe.stream(rig.net.client, rig.net.server, 1000, pps=5000, meanwhile=clear, patience=1.0)
        cleared.join()
        assert seen.lost == []


def test_a_change_of_delay_keeps_a_bulk_transfer_intact(make_rig: MakeRig) -> None:
    with make_rig() as rig:
        rig.set(rule(delay(5)))
        stop = threading.Event()

        def change() -> None:
            with suppress(Exception):
                number = 0
                while not stop.wait(0.02):
                    number += 1
                    rig.set(rule(delay(5 + 10 * (number % 2))))

        thread = threading.Thread(target=change)
        thread.start()
        try:
            done = tcp_transfer(rig.net.client, rig.net.server, seconds=2)
        finally:
            stop.set()
            thread.join()
        assert done.intact
        assert rig.shown().unwanted_drops == 0
