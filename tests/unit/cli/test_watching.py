from __future__ import annotations

import pytest

from netweather.cli.watching import Wanted, Watch
from netweather.errors import UsageError
from netweather.kernel.socketstats import Counted, SocketStats
from netweather.kernel.tracelayout import CALLS, RECEIVING, SENDING
from tests.unit.measure.test_counting import counted


class Stats(SocketStats):
    """Readings from a list."""

    def __init__(self, *readings: Counted) -> None:
        self.missing = []
        self.left = list(readings)

    def read(self) -> list[Counted]:
        return [self.left.pop(0)]


def watch(*readings: Counted) -> Watch:
    return Watch(["netns:db"], Stats(*readings), {})


def test_everything_unless_less_is_asked_for() -> None:
    assert Wanted.parse(None) == Wanted(CALLS, True, False)
    assert Wanted.parse("tcp") == Wanted((), True)
    assert Wanted.parse("receive,send") == Wanted((*SENDING, *RECEIVING), False)
    assert Wanted.parse("connect") == Wanted(("connect", "accept", "accept4", "close"), False)
    assert Wanted.parse("sendto,tcp", by_process=True) == Wanted(("sendto",), True, True)


def test_an_unknown_word_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="sendto") as caught:
        Wanted.parse("sendtoo")
    assert caught.value.code == "unknown-call"


def test_tcp_alone_has_no_processes() -> None:
    with pytest.raises(UsageError, match="no-process"):
        Wanted.parse("tcp", by_process=True)


def test_sums_and_last_intervals() -> None:
    looked = watch(Counted(0, {}, None, {}), counted(10**9, 3, {}, {}), counted(2 * 10**9, 8, {}, {}))
    for _ in range(3):
        looked.look()
    whole, last = looked.documents()[0], looked.documents(last=True)[0]
    assert (whole["seconds"], whole["calls"]["sendto"]["calls"], whole["target"]) == (2.0, 8, "netns:db")
    assert (last["seconds"], last["calls"]["sendto"]["calls"]) == (1.0, 5)
    assert looked._rates(0) == {"sendto": [3.0, 5.0]}
    assert [len(each.readings) for each in looked.drawn()] == [3]


def test_following_ends_with_the_time() -> None:
    looked = watch(*(counted(n, 1, {}, {}) for n in range(4)))
    seen: list[int] = []
    looked.follow(0.01, 0.025, lambda: seen.append(len(looked._readings)))
    assert seen == [1, 2, 3]


def test_an_hour_is_kept_and_the_beginning() -> None:
    looked = watch(*(Counted(n, {}, None, {}) for n in range(3700)))
    for _ in range(3700):
        looked.look()
    assert len(looked._readings) == 3600
    assert [looked._readings[0][0].at_ns, looked._readings[-1][0].at_ns] == [0, 3699]
