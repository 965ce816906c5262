"""Many clients on many targets at once: no error, nothing leaks, and in the end there is what was asked for last."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from netweather.client import AsyncClient
from tests.kernel.agent.conftest import RealAgent, condition
from tests.support import netns, owner
from tests.support.rig import until

CLIENTS, TARGETS = 50, 20
MORE_MEMORY_KB = 40_000


@pytest.fixture
def targets() -> Iterator[list[str]]:
    """Namespaces with an interface each."""
    netns.sweep()
    names = [f"{netns.PREFIX}{owner.tag()}-many{number}" for number in range(TARGETS)]
    with ExitStack() as stack:
        for name in (*names, f"{names[0]}-hub"):
            netns.ip("netns", "add", name)
            stack.callback(netns.remove, name)
        for number, name in enumerate(names):
            netns.ip(
                "link", "add", "eth0", "netns", name, "type", "veth", "peer", "name", f"port{number}", "netns", f"{names[0]}-hub"
            )
            netns.ip("-n", name, "link", "set", "eth0", "up")
        yield [f"netns:{name}" for name in names]


def links(target: str) -> list[str]:
    """The devices of a target."""
    return netns.ip("-n", target.removeprefix("netns:"), "-o", "link").splitlines()


def figures(agent: RealAgent, targets: list[str]) -> dict[str, int]:
    """What a leak would show in."""
    assert agent.process
    proc = Path(f"/proc/{agent.process.pid}")
    status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
    return {
        "descriptors": len(list((proc / "fd").iterdir())),
        "memory": int(status["VmRSS"].split()[0]),
        "children": len((proc / f"task/{agent.process.pid}/children").read_text().split()),
        "devices": sum(len(links(target)) for target in targets),
        "threads": len(list((proc / "task").iterdir())),
        "folders": len(agent.folders()),
        "mounts": (proc / "mountinfo").read_text().count(str(agent.state)),
    }


async def user(number: int, address: str, target: str, until_then: float) -> int | None:
    """Sets, changes and clears a condition of its own; the ms of delay that it asked for last, or None. Any error is raised."""
    chance = random.Random(number)
    last = None
    async with AsyncClient(address) as client:
        while time.monotonic() < until_then:
            last = chance.randrange(1, 200)
            await client.set([condition(target, f"user-{number}", delay=f"{last}ms")])
            await asyncio.sleep(chance.uniform(0, 0.02))
            if chance.random() < 0.5:
                await client.clear([target], f"user-{number}")
                last = None
    return last


async def crowd(agent: RealAgent, targets: list[str], seconds: float) -> dict[str, int | None]:
    until_then = time.monotonic() + seconds
    async with asyncio.TaskGroup() as group:
        tasks = {
            f"user-{number}": group.create_task(user(number, agent.address, targets[number % len(targets)], until_then))
            for number in range(CLIENTS)
        }
    return {name: task.result() for name, task in tasks.items()}


@pytest.mark.timeout(240)
@pytest.mark.parametrize("seconds", [5, pytest.param(60, marks=pytest.mark.full)])
def test_fifty_clients_on_twenty_targets(agent: RealAgent, targets: list[str], seconds: int) -> None:
    asyncio.run(crowd(agent, targets, 1))  # what is loaded and made once is not a leak
    with agent.client() as client:
        client.clear()
        until(lambda: agent.folders() == [], 20, "all is taken away")
        before = figures(agent, targets)
        asked = asyncio.run(crowd(agent, targets, seconds))
        shown = {each.condition.name: each for each in client.show()}
        assert all(each.in_force for each in shown.values()), [each.problems for each in shown.values() if not each.in_force]
        delays = {name: each.condition.rules[0].condition.delay for name, each in shown.items()}
        assert {name: delay and delay.time.ns // 1_000_000 for name, delay in delays.items()} == {
            name: ms for name, ms in asked.items() if ms is not None
        }
        client.clear()
        until(lambda: agent.folders() == [], 20, "all is taken away")
        assert {len(links(target)) for target in targets} == {2}
        after = figures(agent, targets)
    print(f"before {before}, after {after}")
    assert after["memory"] - before["memory"] < MORE_MEMORY_KB
    assert after["threads"] - before["threads"] < CLIENTS
    for name in ("descriptors", "devices", "children", "folders", "mounts"):
        assert after[name] <= before[name] + (5 if name == "descriptors" else 0), f"{name}: {before} -> {after}"
