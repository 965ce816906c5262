"""Signals that ask a command to end: it undoes what it has under way first, and a second signal does not stop that."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType
from typing import Final

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_USUAL: Final = (signal.SIG_DFL, signal.default_int_handler)


class Stopped(BaseException):
    """A signal ended us. Not an Exception: nothing on the way out, where all is undone, may take it for a failure."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.exit_code = 128 + number


def stop(number: int, frame: FrameType | None) -> None:
    """A handler. Raises Stopped."""
    ignore()
    raise Stopped(number)


def interrupt(number: int, frame: FrameType | None) -> None:
    """A handler. Raises KeyboardInterrupt for Ctrl-C, which several commands end by, and else Stopped."""
    ignore()
    raise KeyboardInterrupt if number == signal.SIGINT else Stopped(number)


def ignore() -> None:
    """From now on these signals change nothing. Processes that are started don't inherit that."""
    for number in SIGNALS:
        signal.signal(number, lambda *_: None)


def done() -> None:
    """What was under way is complete: from now on a signal changes nothing, where `interrupt` would have undone it."""
    if signal.getsignal(signal.SIGTERM) is interrupt:
        ignore()


@contextmanager
def signals_heard(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Ctrl-C, SIGTERM and SIGHUP are the handler's for as long as the block."""
    before = {number: signal.signal(number, handler) for number in SIGNALS}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def stopped_by_signals() -> AbstractContextManager[None]:
    """Ctrl-C, SIGTERM and SIGHUP end the block, by Stopped."""
    return signals_heard(stop)


@contextmanager
def interrupted_by_signals() -> Iterator[None]:
    """The same for a whole program, as `interrupt` does; a signal that somebody ignores (nohup) or handles already stays as it is."""
    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.getsignal(number) for number in SIGNALS}
        before = {number: handler for number, handler in before.items() if handler in _USUAL}
    try:
        for number in before:
            signal.signal(number, interrupt)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
