"""One keeper for all targets: takes over what is there, ends what is over, and leaves to others what is theirs."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import nullcontext

import pytest

from netweather.agent import supervisor
from netweather.agent.agent import Agent
from netweather.conditions import load
from netweather.engine import entries, recovery
from netweather.kernel import keeper_process
from netweather.kernel.datapath.fake import FakeTarget
from netweather.kernel.datapath.operations import MakePort, Operation, RemovePort
from netweather.kernel.datapath.pump_process import ProcessHandle
from tests.support.rig import until
from tests.support.world import World
from tests.unit.agent.test_agent import ROOT, SLOW


@pytest.fixture(autouse=True)
def files_live(monkeypatch: pytest.MonkeyPatch) -> None:
    """Targets are files here: nothing can be entered, and they are there as long as the test is."""
    from netweather import keeper

    monkeypatch.setattr(keeper, "alive", lambda *_, **__: True)
    monkeypatch.setattr(keeper.Keeper, "_broken", lambda *_: False)
    monkeypatch.setattr(keeper.Keeper, "_interfaces_changed", lambda *_: False)
    monkeypatch.setattr(keeper_process, "pump_running", lambda directory: True)


def during(agent: Agent, story: Callable[[], Awaitable[None]]) -> None:
    """Runs a story while the agent keeps; what it was told is worked off before it ends."""

    async def whole() -> None:
        agent.events.bind(asyncio.get_running_loop())

        async def ready() -> None:
            await story()
            agent.keeping.stop()

        await agent.keeping.run(ready)

    asyncio.run(whole())


async def holds(condition: Callable[[], object]) -> None:
    await asyncio.to_thread(until, condition, 5, "it holds")


def put(agent: Agent, name: str = "slow", target: str = "netns:a", lease: str = "1m") -> None:
    agent.service(ROOT).set([load({**SLOW, "name": name, "targets": [target], "lease": lease})])


def test_what_is_set_is_kept_by_this_process(agent: Agent) -> None:
    async def story() -> None:
        await asyncio.to_thread(put, agent)
        await holds(lambda: agent.keeping.count == 1)
        (identity,) = agent.engine.journal.identities()
        assert keeper_process.running(agent.engine.journal.directory(identity))
        await asyncio.to_thread(agent.service(ROOT).clear)
        await holds(lambda: agent.keeping.count == 0 and not agent.engine.journal.identities())

    during(agent, story)


def test_clearing_leaves_the_devices_to_the_keeper(agent: Agent, world: World) -> None:
    put(agent)
    agent.service(ROOT).clear()
    assert not world.kernel("a").in_force
    assert world.kernel("a").port  # nobody keeps yet

    async def story() -> None:
        await asyncio.to_thread(put, agent)
        await asyncio.to_thread(agent.service(ROOT).clear)
        await holds(lambda: not world.kernel("a").port)

    during(agent, story)


def test_the_next_condition_finds_the_devices_of_the_last(agent: Agent, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "LINGER_S", 60.0)
    ports: list[str] = []
    apply = FakeTarget.apply

    def noted(self: FakeTarget, operation: Operation) -> None:
        ports.extend([type(operation).__name__] if isinstance(operation, MakePort | RemovePort) else [])
        apply(self, operation)

    monkeypatch.setattr(FakeTarget, "apply", noted)

    async def story() -> None:
        for name in ("one", "two", "three"):
            await asyncio.to_thread(put, agent, name)
            assert world.kernel("a").in_force
            await asyncio.to_thread(agent.service(ROOT).clear)
            assert not world.kernel("a").in_force
        assert ports == ["MakePort"]

    during(agent, story)
    assert ports == ["MakePort", "RemovePort"]  # an agent that ends doesn't wait, and leaves nothing


def test_leases_end_and_are_told(agent: Agent) -> None:
    kinds: list[str] = []

    async def story() -> None:
        with agent.events.listen() as listener:
            await asyncio.to_thread(put, agent, lease="300ms")
            await holds(lambda: not agent.engine.journal.identities())
            while "condition-ended" not in kinds:
                event = await asyncio.wait_for(listener.next(), 5)
                assert event
                kinds.append(event.kind)

    during(agent, story)
    assert kinds == ["condition-set", "condition-ended"]


def test_it_goes_on_where_another_left(agent: Agent, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from netweather.engine import entries

    monkeypatch.setattr(entries, "opened", lambda whose: _Opened(world, whose.name))
    put(agent, "long")
    put(agent, "short", "netns:b", lease="1ns")

    async def story() -> None:
        assert [each.condition.name for each in agent.service(ROOT).show()] == ["long"]
        assert agent.keeping.count == 1

    during(agent, story)
    assert world.kernel("b").attached == {}
    assert world.kernel("a").attached.keys() == {"eth0"}  # it ends without taking anything away


def test_what_nobody_keeps_is_taken_over_at_any_time(agent: Agent, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its keeper was killed while the agent ran, and nobody asks for it."""
    from netweather.engine import entries

    monkeypatch.setattr(entries, "opened", lambda whose: _Opened(world, whose.name))

    async def story() -> None:
        with agent.events.listen() as listener:
            await asyncio.to_thread(put_by_a_process_that_is_dead, agent)
            kinds: list[str] = []
            while "condition-resumed" not in kinds:
                event = await asyncio.wait_for(listener.next(), 5)
                assert event
                kinds.append(event.kind)
        assert agent.keeping.count == 1

    during(agent, story)


def test_what_takes_long_to_set_is_not_taken_for_left_behind(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody keeps it yet for several looks in a row."""
    from netweather.agent import supervisor

    monkeypatch.setattr(supervisor, "PATROL_S", 0.02)
    apply, kinds = FakeTarget.apply, []

    def slowly(self: FakeTarget, operation: Operation) -> None:
        time.sleep(0.1)
        apply(self, operation)

    monkeypatch.setattr(FakeTarget, "apply", slowly)

    async def story() -> None:
        with agent.events.listen() as listener:
            await asyncio.to_thread(put, agent, lease="2s")
            while "condition-ended" not in kinds:
                event = await asyncio.wait_for(listener.next(), 5)
                assert event
                kinds.append(event.kind)

    during(agent, story)
    assert kinds == ["condition-set", "condition-ended"]


def put_by_a_process_that_is_dead(agent: Agent) -> None:
    keep, agent.engine.keep = agent.engine.keep, lambda *_: None
    put(agent)
    agent.engine.keep = keep
    (identity,) = agent.engine.journal.identities()
    parent = ProcessHandle.of(os.getppid())
    assert parent
    (agent.engine.journal.directory(identity) / "keeper.pid").write_text(f"{parent.pid} {parent.start + 100}")


def test_what_can_not_be_taken_over_is_told_once(
    agent: Agent, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its journal can't be read while the kernel holds a lease. Once that is over, it is removed."""
    held = [True]
    monkeypatch.setattr(recovery, "in_force", lambda *_: held[0])
    monkeypatch.setattr(entries, "opened", lambda _: nullcontext(0 if held[0] else None))
    folder = agent.engine.journal.directory("1-2")
    folder.mkdir(parents=True)
    (folder / "journal.json").write_text("broken")
    tries: list[str] = []
    whole = agent.keeping._make_whole
    agent.keeping._make_whole = lambda identity: tries.append(identity) or whole(identity)  # type: ignore[func-returns-value,method-assign]  # to count them

    async def story() -> None:
        await holds(lambda: len(tries) >= 3)
        held[0] = False
        await holds(lambda: not folder.exists())

    during(agent, story)
    assert sum("broken-journal" in text or "cannot be read" in text for text in caplog.messages) == 1


def test_a_failure_of_any_kind_does_not_end_the_others(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    from netweather import keeper

    turns: dict[str, int] = {}

    def turn(self: keeper.Keeper) -> bool:
        turns[self.identity] = turns.get(self.identity, 0) + 1
        if self.identity == min(turns):
            raise ValueError("planted")
        return True

    monkeypatch.setattr(keeper.Keeper, "turn", turn)

    async def story() -> None:
        await asyncio.to_thread(put, agent)
        await asyncio.to_thread(put, agent, "slow", "netns:b")
        await holds(lambda: len(turns) == 2 and max(turns.values()) >= 3)

    during(agent, story)


class _Opened:
    def __init__(self, world: World, name: str) -> None:
        self.path = world.path(name)

    def __enter__(self) -> int:
        self.fd = os.open(self.path, os.O_RDONLY)
        return self.fd

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)


def test_what_another_process_keeps_is_left_to_it(agent: Agent) -> None:
    put(agent)
    (identity,) = agent.engine.journal.identities()
    parent = ProcessHandle.of(os.getppid())
    assert parent
    (agent.engine.journal.directory(identity) / "keeper.pid").write_text(f"{parent.pid} {parent.start}")

    async def story() -> None:
        await asyncio.to_thread(put, agent)
        assert agent.keeping.count == 0

    during(agent, story)


@pytest.mark.parametrize("another", [True, False])
def test_what_a_command_made_anew_between_two_looks(agent: Agent, another: bool) -> None:
    """It was cleared and set again before the agent looked: now the command's keeper has it, or, when that is dead, the agent again."""
    parent = ProcessHandle.of(os.getppid())
    assert parent

    async def story() -> None:
        with agent.events.listen() as listener:
            await asyncio.to_thread(put, agent)
            await holds(lambda: agent.keeping.count == 1)
            (identity,) = agent.engine.journal.identities()
            folder = agent.engine.journal.directory(identity)
            await holds(lambda: agent.keeping._kept[identity].conditions)  # its first look is over
            (folder / "keeper.pid").unlink()
            if another:
                (folder / "keeper.pid").write_text(f"{parent.pid} {parent.start}")
            os.utime(folder / "journal.json")
            await holds(lambda: agent.keeping.count == (0 if another else 1) and keeper_process.running(folder))
            assert keeper_process.kept_by_another(folder) is another
            event = await asyncio.wait_for(listener.next(), 5)
            assert event
            assert event.kind == "condition-set"  # and none that says that it ended
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(listener.next(), 0.3)

    during(agent, story)
