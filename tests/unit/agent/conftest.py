"""The agent's API over fake kernels: the app in this process, asked as root, as a user, or with a token."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient, Response

import netweather.targets
from netweather.agent.agent import Agent
from netweather.agent.api.http_app import make_app
from netweather.agent.principals import Tokens
from netweather.engine import recovery
from netweather.host.service_sockets import Credentials
from netweather.kernel import keeper_process
from netweather.service import Caller, callers, local
from netweather.settings import Settings
from tests.support.readings import Readings
from tests.support.world import World

ROOT = Credentials(1, 0, frozenset({0}))
TOKENS = {
    "all": ("read", "set"),
    "read": ("read",),
    "blind": ("set",),
    "ci": ("read", "set:netns:a*"),
    "other": ("read", "set"),
    "admin": ("read", "set", "host"),
}


def document(name: str = "slow", *targets: str, lease: str = "1m", **spec: Any) -> dict[str, Any]:
    """A network condition of 100 ms on netns:a, unless told otherwise."""
    rules = spec.pop("rules", [{"condition": {"delay": "100ms"}}])
    whole = {"targets": list(targets or ("netns:a",)), "lease": lease, "rules": rules, **spec}
    return {"apiVersion": "netweather.dev/v1alpha1", "kind": "NetworkCondition", "metadata": {"name": name}, "spec": whole}


@dataclass
class Api:
    """Asks the app. who: "root", a token's name, "nobody" (no token), or "stranger" (an unknown one)."""

    agent: Agent
    world: World

    def __post_init__(self) -> None:
        app = make_app(self.agent)
        self.app = app

        async def by_socket(scope: Any, receive: Any, send: Any) -> None:
            await app({**scope, "state": {"peer": ROOT}}, receive, send)

        self.by_socket = by_socket

    def __call__(self, method: str, path: str, *, who: str = "root", **more: Any) -> Response:
        if who == "root":
            return asyncio.run(ask(self.by_socket, method, path, **more))
        headers = {**more.pop("headers", {}), **({} if who == "nobody" else {"Authorization": f"Bearer token-{who}"})}
        return asyncio.run(ask(self.app, method, path, headers=headers, **more))

    def put(self, name: str = "slow", *targets: str, who: str = "root", **spec: Any) -> Response:
        return self("PUT", f"/v1/conditions/{name}", who=who, json=document(name, *targets, **spec))

    def names(self) -> list[tuple[str, str]]:
        """(target, name) of all in force."""
        items = self("GET", "/v1/conditions").json()["items"]
        return [(each["status"]["target"]["reference"], each["metadata"]["name"]) for each in items]

    def audit(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.agent.settings.audit.read_text().splitlines()]


async def ask(app: Any, method: str, path: str, **more: Any) -> Response:
    transport = ASGITransport(app, raise_app_exceptions=False)
    async with AsyncClient(transport=transport, base_url="http://agent") as client:
        return await client.request(method, path, **more)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World.make(tmp_path / "ns")
    monkeypatch.setattr(keeper_process, "ensure", lambda *_: None)
    monkeypatch.setattr(netweather.targets, "resolve_all", made.resolve)
    monkeypatch.setattr(netweather.targets, "resolve", lambda reference: made.resolve([reference]))
    monkeypatch.setattr(recovery, "strays", lambda *_: made.strays)
    monkeypatch.setattr(callers, "open_reference", lambda reference, **_: made.resolve([reference.text]))
    monkeypatch.setattr(local, "open_stats", lambda reference, wanted: opened_readings(made, reference))
    return made


def opened_readings(world: World, reference: str) -> Readings:
    for target in world.resolve([reference]):
        target.close()
    return Readings(names=[reference])


@pytest.fixture
def agent(world: World, tmp_path: Path) -> Iterator[Agent]:
    known = tuple(
        (hashlib.sha256(f"token-{name}".encode()).hexdigest(), Caller(name, frozenset(scopes), origin=f"token {name}"))
        for name, scopes in TOKENS.items()
    )
    settings = Settings(state=tmp_path / "state", audit=tmp_path / "audit.log")
    made = Agent(settings, Tokens(known), open_kernel=world.open_kernel)
    yield made
    made.close()


@pytest.fixture
def api(agent: Agent, world: World) -> Api:
    return Api(agent, world)
