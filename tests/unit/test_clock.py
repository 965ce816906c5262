"""The machine's clock, and the one that stands still until a test says otherwise."""

from __future__ import annotations

import queue
import threading

import pytest

from netweather.clock import CLOCK
from netweather.kernel import namespaces
from tests.support.clock import FakeClock


def test_the_machines_time_goes_on() -> None:
    assert namespaces.boot_ns() <= CLOCK.boot_ns() <= namespaces.boot_ns()
    assert CLOCK.boot() * 1e9 == pytest.approx(namespaces.boot_ns(), rel=1e-3)
    assert CLOCK.now() <= CLOCK.now()


def test_waiting_ends_with_what_is_waited_for_or_in_time() -> None:
    event, items = threading.Event(), queue.SimpleQueue[int]()
    assert not CLOCK.wait(event, 0)
    event.set()
    assert CLOCK.wait(event, None)
    with pytest.raises(queue.Empty):
        CLOCK.get(items, 0)
    items.put(7)
    assert CLOCK.get(items, None) == 7


def test_what_is_to_be_done_later_is_done_once_and_can_be_called_off() -> None:
    done = threading.Event()
    CLOCK.later(0, done.set)
    assert done.wait(20)
    never = threading.Event()
    CLOCK.later(3600, never.set)()
    assert not never.is_set()


def test_time_that_stands_still_passes_for_who_waits() -> None:
    clock, seen = FakeClock(10), []
    clock.at(12, lambda: seen.append(clock.now()))
    called_off = clock.later(3, lambda: seen.append(0.0))
    called_off()
    clock.pause(5)
    assert (seen, clock.waiting) == ([12], 0)
    event = threading.Event()
    clock.later(2, event.set)
    assert clock.wait(event, 60)
    assert clock.now() == pytest.approx(17)
    assert not clock.wait(threading.Event(), 60)
    assert clock.boot() == pytest.approx(77)
    with pytest.raises(queue.Empty):
        clock.get(queue.SimpleQueue(), 3)
    assert clock.now() == pytest.approx(80)
    with pytest.raises(AssertionError):
        clock.wait(threading.Event(), None)
