"""Listeners hear what happens from when they come, and slow ones are let go."""

from __future__ import annotations

import asyncio

from netweather.agent import events
from netweather.agent.events import Events
from tests.unit.agent.conftest import Api


def test_every_listener_hears_it() -> None:
    async def story() -> list[str]:
        bus = Events()
        bus.bind(asyncio.get_running_loop())
        bus.publish("condition-resumed", name="before", target="netns:a")
        await asyncio.sleep(0)
        with bus.listen() as one, bus.listen() as two:
            bus.publish("condition-resumed", name="slow", target="netns:a")
            heard = [await one.next(), await two.next()]
            assert bus.listeners == 2
        assert bus.listeners == 0
        return [f"{each.number} {each.kind} {each.data['name']}" for each in heard if each]

    assert asyncio.run(story()) == ["2 condition-resumed slow"] * 2


def test_who_is_too_slow_is_let_go() -> None:
    async def story() -> int:
        bus = Events()
        listener = bus.listen()
        for _ in range(events.MOST_WAITING + 5):
            bus.publish("scenario-paused", scenario="s", owner="")
        count = 0
        while await listener.next() is not None:
            count += 1
        return count

    assert asyncio.run(story()) == events.MOST_WAITING


def test_all_are_let_go_at_the_end() -> None:
    async def story() -> None:
        bus = Events()
        listener = bus.listen()
        bus.close()
        assert await listener.next() is None

    asyncio.run(story())


def test_changes_are_events(api: Api) -> None:
    async def story() -> list[tuple[str, str]]:
        with api.agent.events.listen() as listener:
            await asyncio.to_thread(api.put, "slow", who="all")
            await asyncio.to_thread(api, "DELETE", "/v1/conditions/slow")
            heard = [await listener.next(), await listener.next()]
        assert heard[1]
        assert heard[1].data["counters"]["dropped"] == 0
        return [(each.kind, each.data["by"]) for each in heard if each]

    assert asyncio.run(story()) == [("condition-set", "all"), ("condition-cleared", "root")]
