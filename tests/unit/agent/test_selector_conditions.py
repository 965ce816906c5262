"""What starts later under a reference gets what was asked of it, until that is over or cleared."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from netweather.agent import selector_conditions
from netweather.agent.agent import Agent
from netweather.agent.selector_conditions import SelectorConditions, SelectorOrder
from netweather.clock import CLOCK
from netweather.conditions import NetworkCondition, load
from netweather.engine import Engine
from netweather.errors import NetweatherError
from netweather.kernel import namespaces
from netweather.kernel.datapath.spec import NEVER
from netweather.service.callers import Caller
from netweather.targets.following import Gone, Started
from tests.support.clock import FakeClock
from tests.support.rig import until
from tests.support.world import World
from tests.unit.agent.test_agent import ROOT, SLOW

WEB = "docker:label=tier=web"


@dataclass
class Told:
    """A follower that tells what the test puts in."""

    reference: str
    events: queue.Queue[Any] = field(default_factory=queue.Queue)
    closed: bool = False

    def __iter__(self) -> Iterator[Any]:
        return iter(self.events.get, None)

    def __enter__(self) -> Told:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.closed = True
        self.events.put(None)


@pytest.fixture
def told(agent: Agent, clock: FakeClock) -> dict[str, Told]:
    """The followers, by reference."""
    found: dict[str, Told] = {}

    def follow(reference: str) -> Told:
        found[reference] = Told(reference)
        return found[reference]

    agent.standing = SelectorConditions(agent.engine, agent.events, follow, clock, agent.standing.service)
    agent.callbacks.standing = agent.standing
    return found


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(namespaces.boot_ns() / 1e9)


def slow(lease: str = "1m", name: str = "slow") -> NetworkCondition:
    return load({**SLOW, "name": name, "targets": [WEB], "lease": lease})


def starts(world: World, told: Told, name: str) -> None:
    told.events.put(Started(replace(world.resolve([f"netns:{name}"])[0], reference=told.reference)))


def in_force(agent: Agent) -> list[tuple[str, str]]:
    return [(each.target.name, each.condition.name) for each in agent.service(ROOT).show()]


def test_one_thread_waits_for_all_ends(agent: Agent, told: dict[str, Told], clock: FakeClock) -> None:
    """A client that sets conditions with long leases, again and again, must not cost the agent a thread each."""
    for number in range(50):
        agent.standing.remember(slow(lease="1h", name=f"slow-{number}"))
        agent.standing.remember(load({**SLOW, "targets": ["netns:a"], "lease": "1h"}))
    assert clock.waiting == 1
    agent.standing.remember(slow(lease="50ms", name="first"))
    agent.standing.remember(slow(lease="100ms", name="second"))
    assert clock.waiting == 1
    clock.pass_by(0.06)
    assert {name for _, name in agent.standing.orders} & {"first", "second"} == {"second"}
    clock.pass_by(0.06)
    assert len(agent.standing.orders) == 50
    agent.standing.close()
    assert clock.waiting == 0


def test_what_starts_later_gets_it(agent: Agent, world: World, told: dict[str, Told]) -> None:
    agent.standing.remember(slow())
    assert agent.standing.orders == [(WEB, "slow")]
    starts(world, told[WEB], "b")
    until(lambda: in_force(agent) == [("b", "slow")], 20, "it got it")
    (shown,) = agent.service(ROOT).show()
    assert shown.remaining_ns is not None
    assert shown.remaining_ns < 60 * 10**9
    told[WEB].events.put(Gone("1-2", "b"))
    starts(world, told[WEB], "b")  # it has it: nothing is done
    starts(world, told[WEB], "c")
    until(lambda: len(in_force(agent)) == 2, 20, "the next got it, too")


def test_what_is_over_is_given_to_nobody(agent: Agent, told: dict[str, Told], clock: FakeClock) -> None:
    agent.standing.remember(slow("5m"))
    clock.pass_by(299)
    assert agent.standing.orders
    clock.pass_by(2)
    assert not agent.standing.orders
    until(lambda: told[WEB].closed, 20, "nothing is followed")


def test_what_is_cleared_is_given_to_nobody(agent: Agent, world: World, told: dict[str, Told]) -> None:
    agent.standing.remember(slow())
    agent.standing.remember(slow(name="other"))
    starts(world, told[WEB], "b")
    until(lambda: len(in_force(agent)) == 2, 20, "it got both")
    agent.service(ROOT).clear(["netns:b"], "slow")
    assert agent.standing.orders == [(WEB, "other")]
    agent.service(ROOT).clear()
    assert agent.standing.orders == []
    until(lambda: told[WEB].closed, 20, "nothing is followed")


def test_others_still_have_what_one_lost(agent: Agent, world: World, told: dict[str, Told]) -> None:
    agent.standing.remember(slow())
    for name in ("b", "c"):
        starts(world, told[WEB], name)
    until(lambda: len(in_force(agent)) == 2, 20, "both got it")
    agent.service(ROOT).clear(["netns:b"], "slow")
    assert agent.standing.orders == [(WEB, "slow")]


def test_direct_mode_clears_too(agent: Agent, told: dict[str, Told]) -> None:
    agent.standing.remember(slow())
    agent.standing.remember(replace(slow(), targets=("docker:db",)))
    agent.callbacks.cleared_elsewhere(WEB, "slow")
    assert agent.standing.orders == [("docker:db", "slow")], "others have the same name for theirs"
    agent.callbacks.cleared_elsewhere("docker:db", "slow")
    assert agent.standing.orders == []


def test_orders_outlive_the_agent(agent: Agent, world: World, told: dict[str, Told]) -> None:
    agent.standing.remember(slow())
    starts(world, told[WEB], "b")
    until(lambda: in_force(agent), 20, "it got it")
    after = SelectorConditions(agent.engine, agent.events, Told)
    after.resume()
    assert after.orders == [(WEB, "slow")]
    after.close()
    assert after.orders == []


def test_a_name_or_a_process_is_not_followed(agent: Agent, told: dict[str, Told]) -> None:
    agent.service(ROOT).set([load(SLOW)])
    assert agent.standing.orders == []
    assert told == {}


def test_what_fails_is_told(agent: Agent, world: World, told: dict[str, Told]) -> None:
    agent.standing.remember(load({**SLOW, "targets": [WEB], "rules": [{"condition": {"delay": "1s"}}]}))
    world.kernel("b").interfaces.clear()
    listener = agent.events.listen()
    starts(world, told[WEB], "b")
    until(lambda: listener._queue.qsize(), 20, "it is told")
    event = listener._queue.get_nowait()
    assert event is not None
    assert event.kind == "condition-failed"


def test_what_is_down_is_cleared_too(agent: Agent, world: World, told: dict[str, Told]) -> None:
    """Nothing of the reference runs: it would have had the condition as soon as it does."""
    world.path("b").rename(world.folder / "stopped")
    agent.standing.remember(replace(slow(), targets=("netns:b",)))
    agent.standing._orders["netns:b", "slow"] = SelectorOrder(replace(slow(), targets=("netns:b",)), NEVER)
    assert [(each.target, each.names) for each in agent.service(ROOT).clear(["netns:b"])] == [("netns:b", ("slow",))]
    assert agent.standing.orders == []
    with pytest.raises(NetweatherError):
        agent.service(ROOT).clear(["netns:b"])


def test_what_another_has_under_the_same_name_stays(agent: Agent, world: World, told: dict[str, Told]) -> None:
    """Both are named as everything is unless told otherwise; the other one is down just now."""
    agent.standing.remember(replace(slow(), targets=("docker:down",)))
    agent.service(ROOT).set([load({**SLOW, "targets": ["netns:a"]})])
    agent.service(ROOT).clear(["netns:a"])
    assert agent.standing.orders == [("docker:down", "slow")]


def test_who_may_not_clear_it_leaves_the_order(agent: Agent, told: dict[str, Told]) -> None:
    agent.standing.remember(replace(slow(), owner="ann"))
    for who in (Caller("bob", frozenset({"read", "set"})), Caller("bob", frozenset({"read"}))):
        with suppress(NetweatherError):
            agent.service(who).clear()
        assert agent.standing.orders == [(WEB, "slow")]
    agent.service(Caller("ann", frozenset({"read", "set"}))).clear()
    assert agent.standing.orders == []


def test_what_is_cleared_while_it_is_put_does_not_stay(
    agent: Agent, world: World, told: dict[str, Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`clear` looks at the targets, finds nothing yet, and is done before the newcomer's condition is in force."""
    agent.standing.remember(slow())
    whole, begun, cleared = Engine.set, threading.Event(), threading.Event()

    def late(self: Engine, *words: Any, **named: Any) -> Any:
        begun.set()
        assert cleared.wait(20)
        return whole(self, *words, **named)

    def putting(*words: Any, **named: Any) -> bool:
        done = whole_put(*words, **named)
        put.set()
        return done

    whole_put, put = agent.standing._put, threading.Event()
    monkeypatch.setattr(agent.standing, "_put", putting)
    monkeypatch.setattr(Engine, "set", late)
    starts(world, told[WEB], "b")
    assert begun.wait(20)
    agent.service(ROOT).clear()
    cleared.set()
    assert put.wait(20)
    assert in_force(agent) == []


def test_what_is_replaced_while_it_is_put_is_put_as_it_is_now(
    agent: Agent, world: World, told: dict[str, Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    agent.standing.remember(slow())
    newer = load({**SLOW, "targets": [WEB], "rules": [{"condition": {"loss": "7%"}}]})
    whole = Engine.set

    def meanwhile(self: Engine, *words: Any, **named: Any) -> Any:
        monkeypatch.setattr(Engine, "set", whole)
        agent.standing.remember(newer)
        return whole(self, *words, **named)

    monkeypatch.setattr(Engine, "set", meanwhile)
    starts(world, told[WEB], "b")
    until(lambda: [each.condition.rules for each in agent.service(ROOT).show()] == [newer.rules], 20, "the newer one")


def test_what_fails_is_tried_again_and_told_once(
    agent: Agent, world: World, told: dict[str, Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container that starts on a busy machine: its network is not there yet, or something else fails at first."""
    agent.standing.remember(slow())
    whole, failures = Engine.set, iter(range(2))
    listener = agent.events.listen()

    def fail_twice(self: Engine, *words: Any, **named: Any) -> Any:
        if next(failures, None) is not None:
            raise NetweatherError("busy", "another command is changing this target")
        return whole(self, *words, **named)

    monkeypatch.setattr(selector_conditions, "alive", lambda *_, **__: True)
    monkeypatch.setattr(Engine, "set", fail_twice)
    starts(world, told[WEB], "b")
    heard: list[str] = []

    def is_told() -> bool:
        heard.extend(event.kind for _ in range(listener._queue.qsize()) if (event := listener._queue.get_nowait()) is not None)
        return "condition-set" in heard

    until(is_told, 20, "it got it")  # it is told after it is in force
    assert heard == ["condition-failed", "condition-set"]
    assert in_force(agent) == [("b", "slow")]


def test_what_is_gone_or_withdrawn_is_not_tried_again(
    agent: Agent, world: World, told: dict[str, Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    agent.standing.remember(slow())
    tries, lives = [0], [True]

    def fail(*_: Any, **__: Any) -> Any:
        tries[0] += 1
        raise NetweatherError("busy", "another command is changing this target")

    monkeypatch.setattr(selector_conditions, "alive", lambda *_, **__: lives[0])
    monkeypatch.setattr(Engine, "set", fail)
    target = replace(world.resolve(["netns:b"])[0], reference=WEB)
    told[WEB].events.put(Started(target))
    until(lambda: tries[0] >= 2, 20, "it is tried again")
    lives[0] = False
    until(lambda: target._closed.is_set(), 20, "it is given up, and its namespace is not held")


def test_a_journal_that_can_not_be_read_stops_nobody_from_following(agent: Agent, world: World, told: dict[str, Told]) -> None:
    """What is left where a newcomer's inode was: it is removed in a moment, and the next newcomer is served, too."""
    agent.standing.clock = CLOCK  # whoever tries again would let the minute of the lease pass at once
    agent.standing.remember(slow())
    with world.resolve(["netns:b"])[0] as target:
        folder = agent.engine.journal.directory(target.identity)
    folder.mkdir(parents=True)
    (folder / "journal.json").write_text("{")
    starts(world, told[WEB], "b")
    starts(world, told[WEB], "c")
    until(lambda: ("c", "slow") in in_force(agent), 20, "the next one got it")


@pytest.mark.parametrize(("scope", "allowed"), [(f"set:{WEB}", True), ("set:netns:a", False)])
def test_what_starts_later_is_covered_by_a_scope_or_gets_nothing(
    agent: Agent, world: World, told: dict[str, Told], scope: str, allowed: bool
) -> None:
    """The label was on targets of the caller's when it was set, and now another has it."""
    agent.standing.remember(replace(slow(), owner="ci"), caller=Caller("ci", frozenset({"read", scope})))
    listener = agent.events.listen()
    starts(world, told[WEB], "b")
    until(lambda: listener._queue.qsize(), 20, "it is told")
    event = listener._queue.get_nowait()
    assert event is not None
    assert event.kind == ("condition-set" if allowed else "condition-failed")
    assert in_force(agent) == ([("b", "slow")] if allowed else [])
    (line,) = [json.loads(each) for each in agent.settings.audit.read_text().splitlines()]
    assert (line["action"], line["who"], line["outcome"]) == ("set-later", "ci", "done" if allowed else "not-allowed")


def test_the_next_agent_knows_who_set_it(agent: Agent, world: World, told: dict[str, Told]) -> None:
    ci = Caller("ci", frozenset({"read", "set"}))
    agent.standing.remember(replace(slow(), owner="ci"), caller=ci)
    starts(world, told[WEB], "b")
    until(lambda: in_force(agent), 20, "it got it")
    after = SelectorConditions(agent.engine, agent.events, Told)
    after.resume(lambda owner: replace(ci, name=owner))
    assert after._orders[WEB, "slow"].caller == ci
    after.close()
