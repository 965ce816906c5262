"""The client against the real API in this process: what comes back is what the engine would have answered."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from netweather.client import Client
from netweather.client.client import Where, as_sent
from netweather.client.https import contents
from netweather.conditions import Match, PortRange, load
from netweather.engine import SocketFilter
from netweather.engine.views.connections import connections
from netweather.errors import NetweatherError, UsageError
from netweather.measure import Verdict
from tests.support.live import Live, made
from tests.unit.agent.conftest import Api, agent, api, world
from tests.unit.cli.commands.test_verify import BAD, GOOD, made_up

__all__ = ["agent", "api", "world"]
SLOW = {"name": "slow", "targets": ["netns:a"], "lease": "1m", "owner": "me", "rules": [{"condition": {"delay": "100ms"}}]}


class InProcess:
    """Hands requests to the app."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def connect(self) -> None:
        """Nothing to connect to."""

    def request(self, method: str, target: str, body: bytes | None, patience_s: float) -> tuple[int, bytes]:
        async def ask() -> tuple[int, bytes]:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://agent") as client:
                found = await client.request(method, target, **contents(body))
                return found.status_code, found.content

        return asyncio.run(ask())

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def client(api: Api) -> Iterator[Client]:
    with Client("unix:///run/nowhere.sock") as made:
        made._http = InProcess(api.by_socket)
        yield made


def test_the_answers_are_the_engines(client: Client, api: Api) -> None:
    (done,) = client.set([load(SLOW)])
    assert done.condition == load(SLOW)
    assert done.results[0].changed
    assert (done.results[0].target.reference, done.results[0].interfaces) == ("netns:a", ("eth0",))
    (shown,) = client.show(["netns:a"])
    (here,) = api.agent.engine.show()
    assert shown.target.identity == here.target.identity
    assert shown.condition == here.condition
    assert shown.rules == here.rules
    assert (shown.in_force, shown.engine, shown.engines) == (True, here.engine, here.engines)
    assert shown.remaining_ns is not None
    (answer,) = client.clear(["netns:a"], "slow")
    assert answer.names == ("slow",)
    assert client.show() == []


def test_a_plan_in_words(client: Client) -> None:
    (done,) = client.set([load(SLOW)], dry_run=True)
    assert done.results[0].plan[0].startswith("create Netweather's own")
    assert client.show() == []


def test_what_is_proved_comes_with_its_evidence(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []
    made_up(monkeypatch, GOOD)
    (done,) = client.set([load(SLOW)], verify=True, progress=lambda share, text: heard.append(text))
    assert ([each.verdict for each in done.evidence], heard) == ([Verdict.PASS], ["measured by the agent"])
    assert done.evidence[0].measured[0].figures == (GOOD,)
    made_up(monkeypatch, BAD)
    with pytest.raises(NetweatherError) as wrong:
        client.set([load({**SLOW, "name": "other"})], verify=True)
    assert wrong.value.code == "not-proved"
    assert [each.condition.name for each in client.show()] == ["slow"]


def test_errors_are_the_agents(client: Client) -> None:
    with pytest.raises(NetweatherError) as wrong:
        client.clear(["netns:a"], "none")
    assert wrong.value.code == "no-such-condition"
    assert wrong.value.remedy
    with pytest.raises(UsageError):
        client.set([load({**SLOW, "targets": ["host"]})])
    (done,) = client.set([load({**SLOW, "targets": ["host"]})], host=True)
    assert done.results[0].target.runtime == "host"


def test_on_the_host_the_callers_own_session_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent's environment is not the caller's; and elsewhere the caller's session is not on the agent's host."""
    monkeypatch.setenv("SSH_CONNECTION", "198.51.100.7 50000 192.0.2.1 22")
    both = [load(SLOW), load({**SLOW, "targets": ["host"]})]
    here, on_host = as_sent(both, Where("unix:///run/agent.sock"), ())
    assert (here.exclude, [str(each.connection) for each in on_host.exclude]) == ((), ["192.0.2.1:22-198.51.100.7:50000"])
    assert all(each.exclude == () for each in as_sent(both, Where("https://192.0.2.1:8753"), ()))


def test_files_are_sent_as_their_contents(client: Client, tmp_path: Path) -> None:
    trace = tmp_path / "a.trace"
    trace.write_text("1\n2\n5\n")
    (done,) = client.set([load({**SLOW, "rules": [{"condition": {"trace": str(trace)}}]})])
    assert str(trace) not in str(done.condition.rules[0].condition.trace)


def test_own_profiles_are_sent_as_what_they_say(client: Client, tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("office: {up: {delay: 5ms}, down: {delay: 6ms}}\n")
    client.profiles = (tmp_path / "own.yaml",)
    (done,) = client.set([load({**SLOW, "rules": [{"condition": {"profile": "office"}}]})])
    assert [(rule.match.direction, rule.condition.profile) for rule in done.condition.rules] == [
        ("egress", None),
        ("ingress", None),
    ]


def test_what_the_api_has_besides(client: Client) -> None:
    assert client.look("health")["status"] == "ok"
    assert client.look("profiles/3g")["name"] == "3g"


def test_connections_and_their_end(client: Client, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    Live(monkeypatch, made(), made(port=53, protocol=17, info=None))
    client.set([load(SLOW)])
    (here,) = (connections(api.agent.engine, target) for target in api.world.resolve(["netns:a"]))
    (listed,) = client.connections("netns:a")
    assert [each._replace(socket=each.socket._replace(key=bytes(48), family=2)) for each in listed.connections] == [
        *here.connections
    ]
    assert listed.target.identity == here.target.identity
    chosen = SocketFilter(
        Match(to=("198.51.100.7",), protocol="udp"), (Match(ports=(PortRange(1, 2),)),), ("established",), "slow"
    )
    (ended,) = client.reset("netns:a", chosen)
    assert [each.protocol for each in ended.connections] == ["udp"]
    with pytest.raises(NetweatherError, match="no-such-connection"):
        client.reset("netns:a", chosen)


@pytest.mark.parametrize("there", [False, True])
def test_a_refused_connection_leaves_nothing_open(tmp_path: Path, there: bool) -> None:
    """With the exception still alive: nothing is left to the garbage collector."""
    path = tmp_path / "agent.sock"
    if there:
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(path))
    with Client(f"unix://{path}") as client:
        before = len(os.listdir("/proc/self/fd"))
        with pytest.raises(NetweatherError) as wrong:
            client.show()
        assert len(os.listdir("/proc/self/fd")) == before
    assert wrong.value.code == "agent-unreachable"


@pytest.mark.parametrize("address", ["http://192.0.2.1:8753", "/run/agent.sock", "", "unix://"])
def test_addresses_that_are_none(address: str) -> None:
    with pytest.raises(UsageError) as wrong:
        Client(address)
    assert wrong.value.code == "bad-agent-address"
