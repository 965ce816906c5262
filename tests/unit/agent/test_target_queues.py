"""Requests for one target: few at a time, and nobody else waits for them."""

from __future__ import annotations

import asyncio

import pytest

from netweather.agent import target_queues
from netweather.agent.target_queues import MOST, TargetQueues
from netweather.errors import NetweatherError


def test_few_at_a_time_and_the_others_in_turn() -> None:
    queues, inside, most = TargetQueues(), list[int](), list[int]()

    async def one(number: int) -> None:
        async with queues.turn(["netns:a", "netns:a"]):
            inside.append(number)
            most.append(len(inside))
            await asyncio.sleep(0)
            inside.remove(number)

    async def many() -> None:
        await asyncio.gather(*map(one, range(5 * MOST)))

    asyncio.run(many())
    assert (len(most), max(most)) == (5 * MOST, MOST)
    assert not queues._queues


@pytest.mark.parametrize("other", [["netns:b"], []])
def test_another_target_waits_for_none_of_them(other: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target_queues, "LOCK_PATIENCE_S", 0.01)
    queues, end = TargetQueues(), asyncio.Event()

    async def stuck() -> None:
        async with queues.turn(["netns:a", "netns:c"]):
            await end.wait()

    async def run() -> str:
        held = [asyncio.create_task(stuck()) for _ in range(MOST)]
        await asyncio.sleep(0)
        async with queues.turn(other):
            pass
        with pytest.raises(NetweatherError) as wrong:
            async with queues.turn(["netns:a"]):
                pass
        end.set()
        await asyncio.gather(*held)
        return wrong.value.code

    assert asyncio.run(run()) == "busy"
    assert not queues._queues
