"""agent/stats_sessions.py: whose a watch is, and that each one ends."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from netweather.agent.stats_sessions import MOST, Watches
from netweather.engine.views.socket_stats import CounterSelection
from netweather.errors import NetweatherError
from netweather.kernel.tracing.socket_counters import Counted
from netweather.service.callers import Caller
from tests.support.readings import Readings
from tests.support.rig import until
from tests.unit.observation.test_socket_figures import counted

ALICE, BOB, ROOT = Caller("alice", frozenset()), Caller("bob", frozenset()), Caller("root", frozenset(), root=True)


class Many:
    """Begins with readings that it remembers."""

    def __init__(self) -> None:
        self.made: list[Readings] = []
        self.fails: NetweatherError | None = None

    def __call__(self, caller: Caller, reference: str, wanted: CounterSelection) -> Readings:
        if self.fails:
            raise self.fails
        self.made.append(Readings([Counted(10**9, {}, None, {}), counted(3 * 10**9, 7, {}, {})], [reference]))
        return self.made[-1]


@pytest.fixture
def many() -> Many:
    return Many()


@pytest.fixture
def watches(many: Many) -> Iterator[Watches]:
    made = Watches(many)
    yield made
    made.close()
    assert all(each.closed == 1 for each in many.made)


def test_from_the_beginning_to_the_end(watches: Watches, many: Many) -> None:
    begun = watches.begin(ALICE, "netns:a", CounterSelection())
    assert (begun["items"][0]["target"], begun["items"][0]["calls"], begun["leaseSeconds"]) == ("netns:a", {}, 15)
    (item,) = watches.read(ALICE, begun["id"])["items"]
    assert (item["seconds"], item["calls"]["sendto"]["calls"]) == (2.0, 7)
    assert watches.end(ALICE, begun["id"])["items"] == [item]
    assert (many.made[0].closed, watches.count) == (1, 0)
    with pytest.raises(NetweatherError, match="no-such-watch"):
        watches.read(ALICE, begun["id"])


def test_only_its_owner_and_root_may_read_it(watches: Watches) -> None:
    number = watches.begin(ALICE, "netns:a", CounterSelection())["id"]
    for refused in (watches.read, watches.end):
        with pytest.raises(NetweatherError, match="no-such-watch"):
            refused(BOB, number)
    assert watches.read(ROOT, number)["id"] == number
    assert watches.end(ROOT, number)["id"] == number


def test_what_nobody_reads_ends_and_what_is_read_does_not(many: Many) -> None:
    now = 100.0
    watches = Watches(many, lease_s=0.05, clock=lambda: now)
    read, left = (watches.begin(ALICE, "netns:a", CounterSelection())["id"] for _ in range(2))
    now = 100.04
    watches.read(ALICE, read)
    now = 100.06
    until(lambda: many.made[1].closed, 20, "the one that nobody reads has ended")
    assert watches.read(ALICE, read)["id"] == read
    with pytest.raises(NetweatherError, match="no-such-watch"):
        watches.read(ALICE, left)
    now = 101.0
    until(lambda: many.made[0].closed, 20, "the other one, too")
    third = watches.begin(ALICE, "netns:a", CounterSelection())  # with a thread anew
    now = 102.0
    until(lambda: many.made[2].closed, 20, "ended as well")
    assert watches.count == 0
    assert third["id"] not in (read, left)


def test_there_are_only_so_many(watches: Watches, many: Many) -> None:
    many.fails = NetweatherError("unknown-target", "there is none")
    for _ in range(MOST + 1):  # those that fail don't count
        with pytest.raises(NetweatherError, match="unknown-target"):
            watches.begin(BOB, "netns:b", CounterSelection())
    many.fails = None
    numbers = [watches.begin(BOB, "netns:b", CounterSelection())["id"] for _ in range(MOST)]
    with pytest.raises(NetweatherError, match="busy"):
        watches.begin(ALICE, "netns:a", CounterSelection())
    watches.end(BOB, numbers[0])
    watches.begin(ALICE, "netns:a", CounterSelection())
