"""Where the agent listens, and where it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from netweather.agent.agent_process import Listen
from netweather.agent.principals import Tokens
from netweather.errors import UsageError
from netweather.service.callers import Caller

TOKENS = Tokens((("0" * 64, Caller("ci", frozenset({"read"}))),))
PEM = Path("cert.pem")


@pytest.mark.parametrize("address", ["127.0.0.1:8753", "[::1]:8753", "0.0.0.0:8753"])
def test_tcp_needs_tls_and_tokens(address: str) -> None:
    for words in ({}, {"certificate": PEM, "key": PEM}, {"tokens": TOKENS}, {"certificate": PEM, "tokens": TOKENS}):
        with pytest.raises(UsageError) as wrong:
            Listen(Path("agent.sock"), address, **words)  # type: ignore[arg-type]  # of several kinds
        assert wrong.value.code == "tls-needed"
    assert Listen(Path("agent.sock"), address, PEM, PEM, TOKENS).host_port


@pytest.mark.parametrize("address", ["8753", "host:", ":8753", "host:http", "host:99999", "host:-1"])
def test_addresses_that_are_none(address: str) -> None:
    with pytest.raises(UsageError) as wrong:
        Listen(Path("agent.sock"), address, PEM, PEM, TOKENS)
    assert wrong.value.code == "bad-address"


def test_the_socket_alone_needs_nothing() -> None:
    assert Listen(Path("agent.sock")).host_port is None
