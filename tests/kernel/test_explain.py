"""What `explain` reckons, beside ping, TCP connects and first bytes over real lines."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from netweather.conditions import Explanation, explain_rule
from netweather.conditions.estimates.exchanges import REQUEST, TRANSFER
from netweather.conditions.language.flags import rule_from_flags
from netweather.units import Duration
from tests.support.rig import Rig

pytestmark = pytest.mark.serial
ANSWERS = {b"G": 1448, b"D": TRANSFER}
MOST = 1.3
"""A busy machine adds to what the link takes; the best of some tries shows the link."""


@contextlib.contextmanager
def server(rig: Rig) -> Iterator[str]:
    """Answers a request by as many bytes as its first letter says."""
    listener = rig.net.server.call(socket.create_server, ("192.0.2.2", 80))
    threading.Thread(target=_serve, args=(listener,), daemon=True).start()
    with listener:
        yield "192.0.2.2"


def _serve(listener: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection = listener.accept()[0]
            with connection:
                request = connection.recv(REQUEST, socket.MSG_WAITALL)
                connection.sendall(bytes(ANSWERS.get(request[:1], 0)))


def best(tries: int, once: Callable[[], list[float]]) -> list[float]:
    """The least of each figure."""
    return [min(each) for each in zip(*(once() for _ in range(tries)), strict=True)]


def exchange(address: str, letter: bytes) -> list[float]:
    """Seconds until the connection stands, the first data is there, and all of it is."""
    begin = time.monotonic()
    with socket.create_connection((address, 80)) as connection:
        times = [time.monotonic() - begin]
        connection.sendall(letter.ljust(REQUEST, b"."))
        connection.recv(1)
        times.append(time.monotonic() - begin)
        while connection.recv(65536):
            pass
        return [*times, time.monotonic() - begin]


def round_trip(rig: Rig, address: str) -> list[float]:
    words = rig.net.client.run("ping", "-n", "-c", "1", address).stdout
    return [float(words.partition("time=")[2].split()[0]) / 1000]


def near(seen: float, reckoned: Duration | None) -> bool:
    """It takes no less than was reckoned, and not much more."""
    assert reckoned is not None
    return 0.98 * reckoned.seconds <= seen <= MOST * reckoned.seconds + 0.003


@pytest.mark.parametrize(
    "flags",
    [
        {"rate": "9600bit"},
        {"rate": "56kbit", "overhead": "-14"},
        {"rate": "20kbit", "overhead": "40", "direction": "ingress"},
        pytest.param({"profile": "gprs"}, marks=pytest.mark.full),
        pytest.param({"profile": "dial-up"}, marks=pytest.mark.full),
        pytest.param({"profile": "edge"}, marks=pytest.mark.full),
        pytest.param({"profile": "3g"}, marks=pytest.mark.full),
        pytest.param({"rate": "1mbit"}, marks=pytest.mark.full),
    ],
    ids=str,
)
def test_ping_connect_and_first_byte_take_what_explain_says(rig: Rig, flags: dict[str, str]) -> None:
    rule = rule_from_flags(flags)
    rig.set(rule)
    told = explain_rule(rule)
    with server(rig) as address:
        round_trip(rig, address)  # the neighbour is known from now on
        (trip,) = best(2, lambda: round_trip(rig, address))
        connect, first, _ = best(2, lambda: rig.net.client.call(exchange, address, b"G"))
    found = {"rtt": trip, "connect": connect, "first_byte_http": first}
    assert all(near(seen, getattr(told, name)) for name, seen in found.items()), (found, told.lines())


def test_a_ping_waits_for_its_slot(rig: Rig) -> None:
    rule = rule_from_flags({"slot": "100ms"})
    rig.set(rule)
    trips = [round_trip(rig, "192.0.2.2")[0] for _ in range(3)]
    assert near(min(trips), explain_rule(rule).rtt), trips


@pytest.mark.parametrize("rate", ["1mbit", pytest.param("200kbit", marks=pytest.mark.full)])
def test_a_download_takes_what_explain_says(rig: Rig, rate: str) -> None:
    rule = rule_from_flags({"rate": rate, "delay": "20ms"})
    rig.set(rule)
    told: Explanation = explain_rule(rule)
    with server(rig) as address:
        seen = best(2, lambda: rig.net.client.call(exchange, address, b"D"))[2]
    assert near(seen, told.download), (seen, told.lines())
