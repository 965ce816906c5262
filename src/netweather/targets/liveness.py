"""Is it still there? For whoever watches a target after it was resolved. Only looks; it needs no open namespace.

A pid alone proves nothing (numbers are reused): a process counts when its namespace has the target's identity.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator

from netweather.kernel.namespace_search import Located
from netweather.targets import _open_namespaces


def alive(target: Located, *, ignoring: Collection[int] = ()) -> bool:
    """Whether anybody can still notice its network: what was named is there, or some process lives in the namespace.

    The processes of /proc are gone through only when what was named is not there: that costs milliseconds, and a keeper asks
    five times a second. ignoring: pids that don't count, such as the caller's own helpers in the namespace. A restarted container
    with a new namespace is not alive; one that came back to the same namespace (a pod's) is. Never raises.
    """
    return is_named(target, ignoring=ignoring) or any(True for _ in occupants(target, ignoring=ignoring))


def is_named(target: Located, *, ignoring: Collection[int] = ()) -> bool:
    """Whether the process still lives in the namespace, or, for a target without one, the file still stands for it."""
    identity = (target.dev, target.ino)
    if target.pid is not None:
        return target.pid not in ignoring and _open_namespaces.process_identity(target.pid) == identity
    return target.path is not None and _open_namespaces.identity_of(target.path) == identity


def occupants(target: Located, *, ignoring: Collection[int] = ()) -> Iterator[int]:
    """The pids of the processes whose main thread lives in the namespace, as far as this pid namespace shows them."""
    identity = (target.dev, target.ino)
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) not in ignoring and _open_namespaces.process_identity(int(entry)) == identity:
            yield int(entry)


def exit_descriptor(target: Located) -> int | None:
    """A pidfd of the target's process, readable (poll, select) once it has exited; the caller closes it.

    None when the target has no process, or that is not there any more. Raises OSError on kernels before 5.3.
    """
    if target.pid is None:
        return None
    try:
        fd = os.pidfd_open(target.pid)
    except ProcessLookupError:
        return None
    # Only now: the number may have been reused before the descriptor pinned it.
    if is_named(target):
        return fd
    os.close(fd)
    return None
