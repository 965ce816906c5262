import asyncio
from contextlib import suppress

import pytest

from netweather.errors import NetweatherError
from netweather.operator.election import LASTS_S, NAME, Election
from tests.support.fakeapi import FakeApi


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def turns(api: FakeApi, *candidates: Election) -> list[bool]:
    """One turn of each; who leads then."""
    for each in candidates:
        with suppress(NetweatherError):  # it could not be asked, or another was quicker
            asyncio.run(each.turn(api))
    return [each.leads for each in candidates]


def test_one_leads_and_the_other_waits_until_it_is_silent() -> None:
    api, clock = FakeApi(), Clock()
    one, two = Election("one", "netweather", clock), Election("two", "netweather", clock)
    assert turns(api, one, two) == [True, False]
    for _ in range(10):
        clock.now += LASTS_S / 2
        assert turns(api, one, two) == [True, False]
    turns(api, two)
    clock.now += LASTS_S + 1
    assert turns(api, two) == [True]
    assert turns(api, one) == [False]
    spec = api.objects["leases", "netweather", NAME]["spec"]
    assert (spec["holderIdentity"], spec["leaseTransitions"]) == ("two", 2)


def test_one_that_ends_in_order_is_followed_at_once() -> None:
    api, clock = FakeApi(), Clock()
    one, two = Election("one", "netweather", clock), Election("two", "netweather", clock)
    assert turns(api, one, two) == [True, False]
    asyncio.run(two.release(api))
    assert api.objects["leases", "netweather", NAME]["spec"]["holderIdentity"] == "one", "another's stays"
    asyncio.run(one.release(api))
    assert (one.leads, turns(api, two, one)) == (False, [True, False])


def test_who_can_not_renew_leads_no_more_before_another_may() -> None:
    api, clock = FakeApi(), Clock()
    one = Election("one", "netweather", clock)
    assert turns(api, one) == [True]
    api.away = True
    clock.now += LASTS_S - 1
    assert turns(api, one) == [False]


def test_of_two_that_see_it_free_one_gets_it() -> None:
    api, clock = FakeApi(), Clock()
    one, two = Election("one", "netweather", clock), Election("two", "netweather", clock)
    turns(api, one)
    lease = api.objects["leases", "netweather", NAME]
    stale = {**lease, "metadata": {**lease["metadata"], "resourceVersion": "0"}}

    async def read(*_: object) -> object:
        return stale

    two._seen = ("0", clock.now)
    clock.now += LASTS_S + 1
    asyncio.run(one.turn(api))
    api.read = read  # type: ignore[method-assign]  # what it saw before the other was quicker
    with pytest.raises(NetweatherError):
        asyncio.run(two.turn(api))
    assert (one.leads, two.leads) == (True, False)
