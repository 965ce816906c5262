import asyncio
from typing import Any

from netweather.kubernetes.objects.statuses import Transition
from netweather.operator.event_writer import RESTS_S, EventWriter
from tests.support.fakeapi import FakeApi
from tests.support.objects import condition, profile

IN_FORCE = Transition("InForce", "on 2 pods")


def kept(api: FakeApi) -> list[dict[str, Any]]:
    return [each for (plural, _, _), each in api.objects.items() if plural == "events"]


def test_one_event_for_each_reason_counts_how_often() -> None:
    api, now = FakeApi(), [0.0]

    async def run() -> None:
        events = EventWriter(api, lambda: now[0])
        await events.tell(condition(), [IN_FORCE, Transition("Ended", "", warning=True)])
        for _ in range(100):  # as often as somebody likes to change it, in one moment
            await events.tell(condition(), [IN_FORCE])
        assert api.writes == 2
        now[0] += RESTS_S
        await events.tell(condition(), [Transition("InForce", "on 3 pods")])

    asyncio.run(run())
    in_force, ended = kept(api)
    assert (in_force["type"], in_force["reason"], in_force["count"], in_force["message"]) == (
        "Normal",
        "InForce",
        102,
        "on 3 pods",
    )
    assert (ended["type"], ended["count"]) == ("Warning", 1)
    assert in_force["involvedObject"] == {
        "apiVersion": "netweather.dev/v1alpha1",
        "kind": "NetworkCondition",
        "namespace": "shop",
        "name": "slow",
        "uid": "uid-slow",
    }
    assert in_force["metadata"]["namespace"] == "shop"


def test_a_new_operator_goes_on_counting() -> None:
    api = FakeApi()
    for _ in range(2):
        asyncio.run(EventWriter(api).tell(condition(), [IN_FORCE]))
    (event,) = kept(api)
    assert event["count"] == 2


def test_of_cluster_objects_they_are_in_default_and_a_server_that_is_away_harms_nobody() -> None:
    api = FakeApi()
    asyncio.run(EventWriter(api).tell(profile(), [Transition("Refused", "no")]))
    assert kept(api)[0]["metadata"]["namespace"] == "default"
    api.away = True
    asyncio.run(EventWriter(api).tell(condition(), [IN_FORCE]))
    assert len(kept(api)) == 1
