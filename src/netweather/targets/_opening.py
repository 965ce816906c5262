"""Opening the namespace that a runtime says is a container's, sure that it is: a pid alone proves nothing."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from netweather.errors import NetweatherError
from netweather.targets import _namespaces
from netweather.targets.model import Address, Target
from netweather.targets.references import Reference


def open_of_process(
    reference: Reference, name: str, *, pid: int, ids: Collection[str], path: str = "", addresses: tuple[Address, ...] = ()
) -> Target | None:
    """The namespace of a container's first process; None when there is no such process, or it is not the container's.

    ids: what a control group of the container's has in its name; path: the runtime's own file of the namespace, "" when it tells
    none; it becomes the target's when it is visible from here. Raises NetweatherError needs-root.
    """
    try:
        with _namespaces.Process(pid) as process:
            groups = process.control_groups()
            fd = process.open_network()
    except NetweatherError as error:
        if error.code != "unknown-target":
            raise
        return None
    target = _namespaces.held_target(fd, reference.text, name, reference.scheme, pid=pid, addresses=addresses)
    visible = bool(path) and _namespaces.identity_of(path) == (target.dev, target.ino)
    # Its pid may be of another pid namespace or machine (Docker Desktop, a forwarded socket): then it names somebody else here.
    if not visible and not any(id in groups for id in ids):  # noqa: A001 - what runtimes call it
        target.close()
        return None
    return replace(target, path=path) if visible else target


def open_of_path(reference: Reference, name: str, path: str, addresses: tuple[Address, ...] = ()) -> Target | None:
    """The namespace that a runtime keeps at a path, without any process of its own; None when it is not visible from here.

    Raises NetweatherError needs-root.
    """
    try:
        fd = _namespaces.open_path(path)
    except NetweatherError as error:
        if error.code == "needs-root":
            raise
        return None
    return _namespaces.held_target(fd, reference.text, name, reference.scheme, path=path, addresses=addresses)
