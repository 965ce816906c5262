"""Our programs on interfaces that have left the target for another namespace: they stay attached there, and let everything pass."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from pathlib import Path

from netweather.errors import NetweatherError
from netweather.kernel.bpf import libbpf
from netweather.kernel.bpf.hooks import DIRECTIONS, Hook, HookDirection, best_hook
from netweather.kernel.datapath.classifier import PROGRAMS
from netweather.kernel.namespace_search import every_namespace
from netweather.kernel.namespaces import Namespace
from netweather.kernel.netlink import links

_IDS = "classifier.ids"


def remember(directory: Path, programs: Collection[int]) -> None:
    """Notes in a target's directory which programs are its classifier's, so that they are found wherever they are attached."""
    (directory / _IDS).write_text(" ".join(map(str, programs)))


def remembered(directory: Path) -> list[int]:
    """The ids that were noted last; whoever uses them makes sure that they are not another's by now."""
    try:
        return [int(word) for word in (directory / _IDS).read_text().split()]
    except (OSError, ValueError):
        return []


def detach_remains(directory: Path) -> None:
    """Detaches the classifier of a target whose namespace is gone from what came out of it: a physical interface goes to the host."""
    ours = []
    for identifier in remembered(directory):
        with contextlib.suppress(OSError):
            program = libbpf.Program.by_id(identifier)
            program.close()
            if program.name in PROGRAMS:
                ours.append(identifier)
    if ours:
        detach_elsewhere(best_hook(), ours, (0, 0))


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


def _detach_at(hook: Hook, ifindex: int, programs: Collection[int], direction: HookDirection) -> bool:
    if not set(programs) & set(hook.ids(ifindex, direction)):
        return False
    for program in hook.programs(ifindex, direction):
        if program.id in programs:
            hook.detach(ifindex, direction, program)
        program.close()
    return True
