from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest

from netweather.demo.interrupt import SIGNALS, Interrupted, Interrupts


@pytest.fixture(autouse=True)
def handled() -> Iterator[None]:
    """As in a terminal, also where the tests themselves run in a background that ignores them."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_what_is_ignored_stays_so() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with Interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGHUP)
        assert interrupts.wait([], 0) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_raised_where_the_demo_waits(number: signal.Signals) -> None:
    with Interrupts() as interrupts:
        os.kill(os.getpid(), number)
        with pytest.raises(Interrupted, match=number.name) as caught:
            interrupts.wait([], 5)
    assert caught.value.number == number


def interrupt_twice() -> None:
    os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGINT)


def test_a_second_one_does_not_wait() -> None:
    with Interrupts(), pytest.raises(Interrupted):
        interrupt_twice()


def test_behind_the_shield_none_counts() -> None:
    with Interrupts() as interrupts:
        interrupts.shield()
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupts.wait([], 0) == []


def test_waiting_ends_with_what_is_readable_or_in_time() -> None:
    reader, writer = os.pipe()
    try:
        with Interrupts() as interrupts:
            begin = time.monotonic()
            assert interrupts.wait([reader], 0.01) == []
            assert time.monotonic() - begin >= 0.01
            os.write(writer, b"!")
            assert interrupts.wait([reader], 5) == [reader]
    finally:
        os.close(reader)
        os.close(writer)


def test_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Interrupts():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before
