"""Our programs on interfaces that have left the target for another namespace: they stay attached there, and let everything pass."""

from __future__ import annotations

import contextlib
from collections.abc import Collection

from netweather.errors import NetweatherError
from netweather.kernel import links
from netweather.kernel.finding import every_namespace
from netweather.kernel.hooks import DIRECTIONS, Direction, Hook
from netweather.kernel.namespaces import Namespace


def detach_elsewhere(hook: Hook, programs: Collection[int], home: tuple[int, int]) -> list[str]:
    """Detaches the programs with these ids in every namespace that can be seen, but for `home` (dev, ino).

    Returns where they were, as "eth1 in /run/netns/b".
    """
    found = []
    for path, dev, ino, fd in every_namespace():
        if (dev, ino) == home:
            continue
        with contextlib.suppress(NetweatherError, OSError), Namespace(fd) as namespace:  # it may be gone by now
            found += [f"{name} in {path}" for name in namespace.run(lambda: _detach(hook, programs))]
    return found


def _detach(hook: Hook, programs: Collection[int]) -> list[str]:
    found = []
    for device in links.devices():
        taken = [_detach_at(hook, device.ifindex, programs, direction) for direction in DIRECTIONS]
        if any(taken):
            found.append(device.name)
    return found


def _detach_at(hook: Hook, ifindex: int, programs: Collection[int], direction: Direction) -> bool:
    if not set(programs) & set(hook.ids(ifindex, direction)):
        return False
    for program in hook.programs(ifindex, direction):
        if program.id in programs:
            hook.detach(ifindex, direction, program)
        program.close()
    return True
