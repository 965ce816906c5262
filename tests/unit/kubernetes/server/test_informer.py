import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from netweather.kubernetes.server import informer
from netweather.kubernetes.server.api import PODS
from netweather.kubernetes.server.informer import Informer
from tests.support.fakeapi import FakeApi, soon
from tests.support.objects import pod


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(informer, "FIRST_PAUSE_S", 0.001)


def followed(scenario: Callable[[FakeApi, Informer[Any], list[None]], Any], name: str = "") -> None:
    """Runs a scenario beside a follower of the pods' labels. changes: how often it told of one."""

    async def run() -> None:
        api, changes = FakeApi(), []
        api.put("pods", pod("a"))
        one = Informer(PODS, lambda found: found["metadata"]["labels"], lambda: changes.append(None), name)
        task = asyncio.create_task(one.run(api))
        await asyncio.wait_for(one.listed.wait(), 10)
        await scenario(api, one, changes)
        task.cancel()

    asyncio.run(asyncio.wait_for(run(), 20))


def test_it_has_what_is_there_and_what_comes() -> None:
    async def scenario(api: FakeApi, one: Informer[Any], changes: list[None]) -> None:
        assert one.objects == {("shop", "a"): {}}
        await soon(lambda: api._watchers)
        api.put("pods", pod("b", labels={"app": "web"}))
        await soon(lambda: one.objects.get(("shop", "b")) == {"app": "web"})
        api.remove("pods", "a", "shop")
        await soon(lambda: ("shop", "a") not in one.objects)
        assert len(changes) == 3

    followed(scenario)


def test_what_only_the_server_finds_different_is_no_change() -> None:
    async def scenario(api: FakeApi, one: Informer[Any], changes: list[None]) -> None:
        await soon(lambda: api._watchers)
        api.put("pods", pod("a", phase="Pending"))
        api.put("pods", pod("b"))
        await soon(lambda: ("shop", "b") in one.objects)
        assert len(changes) == 2

    followed(scenario)


def test_an_answer_that_comes_after_a_newer_event_hides_nothing() -> None:
    """Somebody wrote after us, and we heard of that before our own write had its answer."""

    async def scenario(api: FakeApi, one: Informer[Any], changes: list[None]) -> None:
        await soon(lambda: api._watchers)
        answer = api.put("pods", pod("a", labels={"by": "us"}))
        api.put("pods", pod("a", labels={"by": "them"}))
        await soon(lambda: one.objects["shop", "a"] == {"by": "them"})
        one.put(answer)
        assert one.objects["shop", "a"] == {"by": "them"}
        one.put(api.put("pods", pod("a", labels={"by": "us again"})))
        assert one.objects["shop", "a"] == {"by": "us again"}

    followed(scenario)


def test_what_was_deleted_while_nobody_watched_is_gone() -> None:
    async def scenario(api: FakeApi, one: Informer[Any], changes: list[None]) -> None:
        await soon(lambda: api._watchers)
        api.away = True
        api.hang_up()
        api.remove("pods", "a", "shop", told=False)
        await asyncio.sleep(0.02)
        assert one.objects  # nobody said that it is gone
        api.away = False
        await soon(lambda: not one.objects)

    followed(scenario)


def test_a_watch_that_can_not_go_on_is_listed_anew() -> None:
    async def scenario(api: FakeApi, one: Informer[Any], changes: list[None]) -> None:
        await soon(lambda: api._watchers)
        lists, api.forgetful = api.lists, True
        api.hang_up()
        await soon(lambda: api.lists >= lists + 2)

    followed(scenario)


def test_one_by_name_sees_no_other() -> None:
    async def scenario(api: FakeApi, one: Informer[Any], changes: list[None]) -> None:
        await soon(lambda: api._watchers)
        api.put("pods", pod("b"))
        api.put("pods", pod("a", labels={"app": "web"}))
        await soon(lambda: one.objects == {("shop", "a"): {"app": "web"}})

    followed(scenario, "a")
