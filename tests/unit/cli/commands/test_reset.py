"""`reset`: what is ended, and what must be said."""

from __future__ import annotations

import pytest

from tests.support.live import Live, made
from tests.unit.cli.conftest import Run, World


@pytest.fixture
def live(world: World, monkeypatch: pytest.MonkeyPatch) -> Live:
    return Live(monkeypatch, made(), made(port=8080, local_port=40001))


def test_the_chosen_ones(run: Run, live: Live) -> None:
    outcome = run("reset", "netns:a", "--port", "5432")
    assert outcome.out == "reset 192.0.2.1:40000-198.51.100.7:5432 (tcp) of shop[7] on netns:a\n"
    assert [one.remote_port for one in live.sockets] == [8080]


def test_json(run: Run, live: Live) -> None:
    (ended,) = run("reset", "netns:a", "--to", "198.51.100.7", "--json").json
    assert [each["remote"]["port"] for each in ended["connections"]] == [5432, 8080]
    assert live.sockets == []


@pytest.mark.parametrize(
    ("words", "code", "exit_code"),
    [
        ((), "nothing-chosen", 2),
        (("--port", "99"), "no-such-connection", 1),
        (("--connection", "192.0.2.1:1-198.51.100.7:2"), "no-such-connection", 1),
        (("--latency", "1"), "unknown-option", 2),
    ],
)
def test_what_ends_nothing(run: Run, live: Live, words: tuple[str, ...], code: str, exit_code: int) -> None:
    outcome = run("reset", "netns:a", *words)
    assert (outcome.code, f"[{code}]" in outcome.err) == (exit_code, True)
    assert len(live.sockets) == 2


def test_one_that_is_gone_meanwhile(run: Run, live: Live) -> None:
    live.gone = live.sockets[:1]
    assert "8080" in run("reset", "netns:a", "--protocol", "tcp").out
    assert "[no-such-connection]" in run("reset", "netns:a", "--protocol", "tcp").err


def test_the_host_must_be_meant_and_ones_own_session_is_spared(run: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    live = Live(monkeypatch, made(local_port=22, port=50000), made())
    monkeypatch.setenv("SSH_CONNECTION", "198.51.100.7 50000 192.0.2.1 22")
    assert "[host-not-confirmed]" in run("reset", "host", "--protocol", "tcp").err
    assert run("reset", "host", "--protocol", "tcp", "--yes").code == 0
    assert [one.local_port for one in live.sockets] == [22]
