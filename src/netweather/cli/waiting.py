"""`set --wait`: stay in the foreground until the lease ends, something else ends it, or a signal comes; then clear."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING, Final

from netweather.cli.output import remark
from netweather.errors import NetweatherError
from netweather.kernel.waiting import pause

if TYPE_CHECKING:
    from netweather.engine import Done, Engine, Wanted

_LOOK_S: Final = 1.0
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Stopped(BaseException):
    """A signal asked us to end. Not an Exception: nothing on the way may take it for a failure."""


def set_and_wait(engine: Engine, wanted: list[Wanted], put: Callable[[], list[Done]], tell: Callable[[list[Done]], None]) -> None:
    """Calls `put` (which leaves nothing when it fails), tells what came of it, waits, and clears it, however the waiting ends."""
    done: list[Done] | None = None
    with _signals_stop():
        try:
            done = put()
            tell(done)
            _wait(engine, wanted)
        except _Stopped:
            pass
        finally:
            _ignore_signals()
            if done is not None:
                _clear(engine, wanted)


@contextlib.contextmanager
def _signals_stop() -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        raise _Stopped

    before = {number: signal.signal(number, stop) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ignore_signals() -> None:
    """A second Ctrl-C must not stop the clearing half way."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _wait(engine: Engine, wanted: list[Wanted]) -> None:
    """Until none of it is in force any more: the lease is over, somebody cleared it, or the targets are gone."""
    sys.stdout.flush()  # who reads a pipe is to know now what was set
    remark("waiting", "until the lease ends; Ctrl-C clears it now")
    while _remains(engine, wanted):
        pause(_LOOK_S)


def _remains(engine: Engine, wanted: list[Wanted]) -> bool:
    return any(
        active.condition.name == one.condition.name
        for one in wanted
        for target in one.targets
        for active in engine.active(target)
    )


def _clear(engine: Engine, wanted: list[Wanted]) -> None:
    """Clears what is still there; all of it is tried, and the first failure raised."""
    failure: NetweatherError | None = None
    cleared: list[str] = []
    for one in wanted:
        for target in one.targets:
            try:
                engine.clear(target, one.condition.name)
                cleared.append(f"{one.condition.name!r} on {target.reference}")
            except NetweatherError as error:
                if error.code != "no-such-condition":  # its lease ended, or somebody was quicker
                    failure = failure or error
    if failure is not None:
        raise failure
    if cleared:
        remark("cleared", ", ".join(cleared))
    else:
        remark("ended", "nothing of it is in force any more: the lease is over, or somebody cleared it")
