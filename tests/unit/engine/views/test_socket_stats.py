from __future__ import annotations

import pytest

from netweather.engine.views.socket_stats import Wanted
from netweather.errors import UsageError
from netweather.kernel.tracing.trace_layout import CALLS, RECEIVING, SENDING


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


@pytest.mark.parametrize("text", [None, "tcp", "receive,send", "sendto,tcp", "close"])
def test_its_words_mean_the_same(text: str | None) -> None:
    wanted = Wanted.parse(text)
    assert Wanted.parse(wanted.words) == wanted
