"""Round trips over loopback: TCP needs no rights; echoes are tests/kernel/test_verify.py's."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from typing import Any, cast

from netweather.kernel.namespaces import Namespace
from netweather.kernel.traffic import round_trips


class Here:
    """A namespace that is our own."""

    def run(self, function: Callable[[], Any]) -> Any:
        return function()


HERE = cast("Namespace", Here())


def test_connects_are_timed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = round_trips.connect_times(HERE, "127.0.0.1", server.getsockname()[1], 5, 0.001, 1.0)
    assert len(found) == 5
    assert all(0 <= seconds < 1 for seconds in found)


def test_a_refusal_is_an_answer_too() -> None:
    with contextlib.closing(socket.socket()) as held:
        held.bind(("127.0.0.1", 0))  # and nobody listens
        assert len(round_trips.connect_times(HERE, "127.0.0.1", held.getsockname()[1], 3, 0.001, 1.0)) == 3


def test_the_address_that_packets_leave_from() -> None:
    assert round_trips.source(HERE, "127.0.0.1") == "127.0.0.1"
