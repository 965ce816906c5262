from __future__ import annotations

import pytest

from netweather.engine.views.socket_stats import CounterSelection
from netweather.errors import UsageError
from netweather.kernel.tracing.trace_layout import CALLS, RECEIVING, SENDING


def test_everything_unless_less_is_asked_for() -> None:
    assert CounterSelection.parse(None) == CounterSelection(CALLS, True, False)
    assert CounterSelection.parse("tcp") == CounterSelection((), True)
    assert CounterSelection.parse("receive,send") == CounterSelection((*SENDING, *RECEIVING), False)
    assert CounterSelection.parse("connect") == CounterSelection(("connect", "accept", "accept4", "close"), False)
    assert CounterSelection.parse("sendto,tcp", by_process=True) == CounterSelection(("sendto",), True, True)


def test_an_unknown_word_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="sendto") as caught:
        CounterSelection.parse("sendtoo")
    assert caught.value.code == "unknown-call"


def test_tcp_alone_has_no_processes() -> None:
    with pytest.raises(UsageError, match="no-process"):
        CounterSelection.parse("tcp", by_process=True)


@pytest.mark.parametrize("text", [None, "tcp", "receive,send", "sendto,tcp", "close"])
def test_its_words_mean_the_same(text: str | None) -> None:
    wanted = CounterSelection.parse(text)
    assert CounterSelection.parse(wanted.words) == wanted
