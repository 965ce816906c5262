"""The client for asyncio against the real API in this process."""

from __future__ import annotations

import asyncio

import httpx

from netweather.client import AsyncClient
from netweather.client.https import options
from netweather.conditions import NetworkCondition, load
from tests.unit.agent.conftest import Api, agent, api, world
from tests.unit.client.test_client import SLOW

__all__ = ["agent", "api", "world"]


def test_the_verbs(api: Api) -> None:
    async def story() -> None:
        async with AsyncClient("unix:///run/nowhere.sock") as client:
            await client._http.aclose()
            client._http = httpx.AsyncClient(transport=httpx.ASGITransport(api.by_socket), **options(client.where))
            await client.set([load(SLOW)])
            assert [each.condition.name for each in await client.show()] == ["slow"]
            assert (await client.look("health"))["status"] == "ok"
            assert (await client.clear())[0].names == ("slow",)
            await client.partition([["netns:a"], ["192.0.2.9"]], NetworkCondition("split"))
            assert [each.condition.name for each in await client.show()] == ["split"]

    asyncio.run(story())
